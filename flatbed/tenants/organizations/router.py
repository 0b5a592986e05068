"""HTTP for organizations."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.tenants.access.calls import AgencyCall, AgencyRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply, required_version
from flatbed.tenants.kit.ids import OrganizationId, encode
from flatbed.tenants.kit.schemas import ExternalRef
from flatbed.tenants.organizations import service
from flatbed.tenants.organizations.schemas import (
    OrganizationCreate,
    OrganizationPage,
    OrganizationRead,
    OrganizationUpdate,
)

router = APIRouter(prefix="/v1/organizations", tags=["organizations"])


@router.post(
    "", operation_id="create_organization", response_model=OrganizationRead, status_code=201
)
async def create_organization(
    body: OrganizationCreate, call: Annotated[AgencyCall, require("tenants:manage").agency]
) -> Response:
    """Take on an ISV; its id names it in `Flatbed-Tenant`."""

    async def work() -> Response:
        made, version = await service.create(call.session, body)
        location = f"/v1/organizations/{encode('org', made.id)}"
        return reply(made, status=201, version=version, location=location)

    return await call.once(work)


@router.get("", operation_id="list_organizations", response_model=OrganizationPage)
async def list_organizations(
    call: Annotated[AgencyRead, require("tenants:manage").agency_read],
    listing: Listed,
    external_ref: ExternalRef | None = None,
) -> Response:
    """List ISVs by last change."""
    cursors = call.cursors(external_ref=external_ref)
    return reply(
        await service.page(
            call.session,
            cursors,
            cursor=listing.cursor,
            limit=listing.limit,
            external_ref=external_ref,
        )
    )


@router.get("/{organization_id}", operation_id="get_organization", response_model=OrganizationRead)
async def get_organization(
    organization_id: OrganizationId,
    call: Annotated[AgencyRead, require("tenants:manage").agency_read],
) -> Response:
    """Read one ISV."""
    found, version = await service.get(call.session, organization_id)
    return reply(found, version=version)


@router.patch(
    "/{organization_id}", operation_id="update_organization", response_model=OrganizationRead
)
async def update_organization(
    organization_id: OrganizationId,
    body: OrganizationUpdate,
    version: Annotated[int, Depends(required_version)],
    call: Annotated[AgencyCall, require("tenants:manage").agency],
) -> Response:
    """Change an ISV, suspend it or take it back."""
    found, new_version = await service.update(call.session, organization_id, version, body)
    return reply(found, version=new_version)
