"""HTTP for candidates."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from flatbed.app.candidates.core import creation, service
from flatbed.app.candidates.core.repository import Filters
from flatbed.app.candidates.core.schemas import (
    CandidateCreate,
    CandidateDetail,
    CandidatePage,
    CandidateUpdate,
)
from flatbed.app.candidates.records.fields import Instant
from flatbed.app.candidates.rules.stages import Stage, Status
from flatbed.app.ids import CampaignId, CandidateId
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply, required_version
from flatbed.tenants.kit.ids import StaffId, encode
from flatbed.tenants.kit.schemas import ExternalRef

router = APIRouter(tags=["candidates"])

MayRead = Annotated[TenantRead, require("pipeline:read").tenant_read]
MayWrite = Annotated[TenantCall, require("pipeline:write").tenant]


async def _narrowed(
    stage: Stage | None = None,
    status: Status | None = None,
    hunter_id: Annotated[StaffId | None, Query(description="For the agency only.")] = None,
    external_ref: ExternalRef | None = None,
    updated_after: Instant | None = None,
) -> Filters:
    return Filters(
        stage=stage,
        status=status,
        hunter_id=hunter_id,
        external_ref=external_ref,
        updated_after=updated_after,
    )


Narrowed = Annotated[Filters, Depends(_narrowed)]


@router.post(
    "/v1/campaigns/{campaign_id}/candidates",
    operation_id="create_candidate",
    response_model=CandidateDetail,
    status_code=201,
)
async def create_candidate(
    campaign_id: CampaignId, body: CandidateCreate, call: MayWrite
) -> Response:
    """Enter a company into the campaign; it is then the hunter's who found it."""

    async def work() -> Response:
        candidate, version = await creation.create(
            call.session, call.principal, campaign_id, call.fresh_candidate_id, body
        )
        location = f"/v1/candidates/{encode('cand', candidate.id)}"
        return reply(candidate, status=201, version=version, location=location)

    return await call.once(work)


@router.get(
    "/v1/campaigns/{campaign_id}/candidates",
    operation_id="list_campaign_candidates",
    response_model=CandidatePage,
)
async def list_campaign_candidates(
    campaign_id: CampaignId,
    call: MayRead,
    listing: Listed,
    filters: Narrowed,
) -> Response:
    """List the campaign's candidates by last change."""
    narrowed = {**asdict(filters), "campaign_id": campaign_id}
    return reply(
        await service.page_of_campaign(
            call.session,
            call.principal,
            call.cursors(**narrowed),
            Filters(**narrowed),
            cursor=listing.cursor,
            limit=listing.limit,
        )
    )


@router.get("/v1/candidates", operation_id="list_candidates", response_model=CandidatePage)
async def list_candidates(
    call: MayRead,
    listing: Listed,
    filters: Narrowed,
    campaign_id: CampaignId | None = None,
) -> Response:
    """List the candidates of all campaigns by last change."""
    narrowed = {**asdict(filters), "campaign_id": campaign_id}
    return reply(
        await service.page(
            call.session,
            call.principal,
            call.cursors(**narrowed),
            Filters(**narrowed),
            cursor=listing.cursor,
            limit=listing.limit,
        )
    )


@router.get(
    "/v1/candidates/{candidate_id}", operation_id="get_candidate", response_model=CandidateDetail
)
async def get_candidate(candidate_id: CandidateId, call: MayRead) -> Response:
    """Read a candidate with its MSI, momentum and fit at this instant."""
    candidate, version = await service.get(call.session, call.principal, candidate_id)
    return reply(candidate, version=version)


@router.patch(
    "/v1/candidates/{candidate_id}",
    operation_id="update_candidate",
    response_model=CandidateDetail,
)
async def update_candidate(
    candidate_id: CandidateId,
    body: CandidateUpdate,
    version: Annotated[int, Depends(required_version)],
    call: MayWrite,
) -> Response:
    """Change what is written on a candidate, put it to rest, or wake it."""
    candidate, new_version = await service.update(
        call.session, call.principal, candidate_id, version, body
    )
    return reply(candidate, version=new_version)
