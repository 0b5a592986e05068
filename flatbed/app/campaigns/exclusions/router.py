"""HTTP for exclusions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.app.campaigns.exclusions import service
from flatbed.app.campaigns.exclusions.schemas import (
    ExclusionAnswer,
    ExclusionCheck,
    ExclusionConsent,
    ExclusionCreate,
    ExclusionPage,
    ExclusionRead,
    ExclusionStatus,
)
from flatbed.app.ids import CampaignId, ExclusionId
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, optional_version, reply, required_version
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.schemas import ExternalRef

router = APIRouter(tags=["exclusions"])


@router.post(
    "/v1/exclusions", operation_id="create_exclusion", response_model=ExclusionRead, status_code=201
)
async def create_exclusion(
    body: ExclusionCreate, call: Annotated[TenantCall, require("campaigns:write").tenant]
) -> Response:
    """Exclude a company; one that has been worked far waits for a lead's consent."""

    async def work() -> Response:
        worked = call.request.app.state.program.worked_candidates
        exclusion, version = await service.create(call.session, call.principal, body, worked)
        location = f"/v1/exclusions/{encode('excl', exclusion.id)}"
        return reply(exclusion, status=201, version=version, location=location)

    return await call.once(work)


@router.get("/v1/exclusions", operation_id="list_exclusions", response_model=ExclusionPage)
async def list_exclusions(
    call: Annotated[TenantRead, require("campaigns:read").tenant_read],
    listing: Listed,
    status: ExclusionStatus | None = None,
    external_ref: ExternalRef | None = None,
) -> Response:
    """List exclusions by last change."""
    cursors = call.cursors(status=status, external_ref=external_ref)
    return reply(
        await service.page(
            call.session,
            call.principal,
            cursors,
            cursor=listing.cursor,
            limit=listing.limit,
            status=status,
            external_ref=external_ref,
        )
    )


@router.get(
    "/v1/exclusions/{exclusion_id}", operation_id="get_exclusion", response_model=ExclusionRead
)
async def get_exclusion(
    exclusion_id: ExclusionId,
    call: Annotated[TenantRead, require("campaigns:read").tenant_read],
) -> Response:
    """Read one exclusion."""
    exclusion, version = await service.get(call.session, call.principal, exclusion_id)
    return reply(exclusion, version=version)


@router.delete("/v1/exclusions/{exclusion_id}", operation_id="delete_exclusion", status_code=204)
async def delete_exclusion(
    exclusion_id: ExclusionId,
    version: Annotated[int, Depends(required_version)],
    call: Annotated[TenantCall, require("campaigns:write").tenant],
) -> Response:
    """Lift an exclusion, or withdraw one that waits for consent."""
    await service.delete(call.session, exclusion_id, version)
    return Response(status_code=204)


@router.post(
    "/v1/exclusions/{exclusion_id}/consent",
    operation_id="consent_exclusion",
    response_model=ExclusionRead,
)
async def consent_exclusion(
    exclusion_id: ExclusionId,
    body: ExclusionConsent,
    version: Annotated[int | None, Depends(optional_version)],
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Consent to the exclusion of a company that has been worked far, or refuse it."""

    async def work() -> Response:
        exclusion, new_version = await service.consent(
            call.session, call.principal, exclusion_id, body, version
        )
        return reply(exclusion, version=new_version)

    return await call.once(work)


@router.post(
    "/v1/campaigns/{campaign_id}/exclusion-checks",
    operation_id="check_exclusion",
    response_model=ExclusionAnswer,
)
async def check_exclusion(
    campaign_id: CampaignId,
    body: ExclusionCheck,
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Ask whether a company is excluded: yes or no."""

    async def work() -> Response:
        return reply(await service.check(call.session, campaign_id, body))

    return await call.once(work)
