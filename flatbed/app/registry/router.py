"""HTTP for the agency's companies and groups."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.app.ids import CompanyGroupId, CompanyId
from flatbed.app.registry import service
from flatbed.app.registry.schemas import (
    CompanyCreate,
    CompanyGroupCreate,
    CompanyGroupMerge,
    CompanyGroupPage,
    CompanyGroupRead,
    CompanyPage,
    CompanyRead,
    CompanyUpdate,
    Domain,
)
from flatbed.tenants.access.calls import AgencyCall, AgencyRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply, required_version
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.schemas import ExternalRef

router = APIRouter(tags=["companies"])


@router.post(
    "/v1/companies", operation_id="create_company", response_model=CompanyRead, status_code=201
)
async def create_company(
    body: CompanyCreate, call: Annotated[AgencyCall, require("registry:write").agency]
) -> Response:
    """Enter a company into the agency's registry."""

    async def work() -> Response:
        company, version = await service.create(call.session, body)
        location = f"/v1/companies/{encode('co', company.id)}"
        return reply(company, status=201, version=version, location=location)

    return await call.once(work)


@router.get("/v1/companies", operation_id="list_companies", response_model=CompanyPage)
async def list_companies(
    call: Annotated[AgencyRead, require("registry:read").agency_read],
    listing: Listed,
    domain: Domain | None = None,
    external_ref: ExternalRef | None = None,
) -> Response:
    """List companies by last change."""
    return reply(
        await service.page(
            call.session,
            call.cursors(domain=domain, external_ref=external_ref),
            cursor=listing.cursor,
            limit=listing.limit,
            domain=domain,
            external_ref=external_ref,
        )
    )


@router.get("/v1/companies/{company_id}", operation_id="get_company", response_model=CompanyRead)
async def get_company(
    company_id: CompanyId, call: Annotated[AgencyRead, require("registry:read").agency_read]
) -> Response:
    """Read one company."""
    company, version = await service.get(call.session, company_id)
    return reply(company, version=version)


@router.patch(
    "/v1/companies/{company_id}", operation_id="update_company", response_model=CompanyRead
)
async def update_company(
    company_id: CompanyId,
    body: CompanyUpdate,
    version: Annotated[int, Depends(required_version)],
    call: Annotated[AgencyCall, require("registry:write").agency],
) -> Response:
    """Change a company."""
    company, new_version = await service.update(call.session, company_id, version, body)
    return reply(company, version=new_version)


@router.post(
    "/v1/company-groups",
    operation_id="create_company_group",
    response_model=CompanyGroupRead,
    status_code=201,
)
async def create_company_group(
    body: CompanyGroupCreate, call: Annotated[AgencyCall, require("registry:write").agency]
) -> Response:
    """Make a group of companies that are billed as one."""

    async def work() -> Response:
        return reply(await service.create_group(call.session, body), status=201)

    return await call.once(work)


@router.get(
    "/v1/company-groups", operation_id="list_company_groups", response_model=CompanyGroupPage
)
async def list_company_groups(
    call: Annotated[AgencyRead, require("registry:read").agency_read],
    listing: Listed,
) -> Response:
    """List groups, oldest first."""
    return reply(
        await service.groups(
            call.session, call.cursors(), cursor=listing.cursor, limit=listing.limit
        )
    )


@router.post(
    "/v1/company-groups/{group_id}/merge",
    operation_id="merge_company_group",
    response_model=CompanyGroupRead,
)
async def merge_company_group(
    group_id: CompanyGroupId,
    body: CompanyGroupMerge,
    call: Annotated[AgencyCall, require("registry:write").agency],
) -> Response:
    """Let another group go on in this one's place; what was billed stays billed once."""

    async def work() -> Response:
        return reply(await service.merge(call.session, group_id, body.into))

    return await call.once(work)
