"""HTTP for offerings."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.app.campaigns.offerings import service, terms
from flatbed.app.campaigns.offerings.schemas import (
    OfferingCreate,
    OfferingPage,
    OfferingRead,
    OfferingUpdate,
    TermsChangeCreate,
    TermsChangePage,
    TermsChangeRead,
)
from flatbed.app.ids import OfferingId, ProgrammeId
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply, required_version
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.schemas import ExternalRef

router = APIRouter(prefix="/v1", tags=["offerings"])


@router.post(
    "/offerings", operation_id="create_offering", response_model=OfferingRead, status_code=201
)
async def create_offering(
    body: OfferingCreate, call: Annotated[TenantCall, require("profiles:write").tenant]
) -> Response:
    """Describe a product for which partners are wanted, with its programmes."""

    async def work() -> Response:
        offering, version = await service.create(call.session, body)
        location = f"/v1/offerings/{encode('off', offering.id)}"
        return reply(offering, status=201, version=version, location=location)

    return await call.once(work)


@router.get("/offerings", operation_id="list_offerings", response_model=OfferingPage)
async def list_offerings(
    call: Annotated[TenantRead, require("profiles:read").tenant_read],
    listing: Listed,
    external_ref: ExternalRef | None = None,
) -> Response:
    """List offerings by last change."""
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


@router.get("/offerings/{offering_id}", operation_id="get_offering", response_model=OfferingRead)
async def get_offering(
    offering_id: OfferingId, call: Annotated[TenantRead, require("profiles:read").tenant_read]
) -> Response:
    """Read one offering."""
    offering, version = await service.get(call.session, offering_id)
    return reply(offering, version=version)


@router.patch(
    "/offerings/{offering_id}", operation_id="update_offering", response_model=OfferingRead
)
async def update_offering(
    offering_id: OfferingId,
    body: OfferingUpdate,
    version: Annotated[int, Depends(required_version)],
    call: Annotated[TenantCall, require("profiles:write").tenant],
) -> Response:
    """Change an offering; programmes may be added."""
    offering, new_version = await service.update(call.session, offering_id, version, body)
    return reply(offering, version=new_version)


@router.post(
    "/programmes/{programme_id}/terms-changes",
    operation_id="create_terms_change",
    response_model=TermsChangeRead,
    status_code=201,
)
async def create_terms_change(
    programme_id: ProgrammeId,
    body: TermsChangeCreate,
    call: Annotated[TenantCall, require("profiles:write").tenant],
) -> Response:
    """Record that the ISV changed its programme terms: guarantees of the programme end now."""

    async def work() -> Response:
        made = await terms.change(call.session, call.principal, programme_id, body)
        return reply(made, status=201)

    return await call.once(work)


@router.get(
    "/programmes/{programme_id}/terms-changes",
    operation_id="list_terms_changes",
    response_model=TermsChangePage,
)
async def list_terms_changes(
    programme_id: ProgrammeId,
    call: Annotated[TenantRead, require("profiles:read").tenant_read],
    listing: Listed,
) -> Response:
    """List the changes of a programme's terms, oldest first."""
    return reply(
        await terms.page(
            call.session,
            call.principal,
            call.cursors(programme_id=programme_id),
            programme_id,
            cursor=listing.cursor,
            limit=listing.limit,
        )
    )
