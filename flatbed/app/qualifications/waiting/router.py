"""HTTP for qualifications that wait for room under a cap."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.app.candidates.records.fields import Instant
from flatbed.app.candidates.reservations.service import Status
from flatbed.app.ids import CampaignId, CandidateId, WaitingQualificationId
from flatbed.app.qualifications.schemas import QualificationRead
from flatbed.app.qualifications.waiting import admission, reading
from flatbed.app.qualifications.waiting.repository import Filters
from flatbed.app.qualifications.waiting.schemas import (
    WaitingQualificationPage,
    WaitingQualificationRead,
)
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, optional_version, reply
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.schemas import ExternalRef

router = APIRouter(prefix="/v1", tags=["qualifications"])

Version = Annotated[int | None, Depends(optional_version)]
MayRead = Annotated[TenantRead, require("pipeline:read").tenant_read]
IsvDecides = Annotated[TenantCall, require("decisions:write").tenant]


@router.get(
    "/candidates/{candidate_id}/waiting-qualifications",
    operation_id="list_candidate_waiting_qualifications",
    response_model=WaitingQualificationPage,
)
async def list_candidate_waiting_qualifications(
    candidate_id: CandidateId, call: MayRead, listing: Listed
) -> Response:
    """List a candidate's reservations over a cap, ended ones among them."""
    return reply(
        await reading.page_of_candidate(
            call.session,
            call.principal,
            call.cursors(candidate_id=candidate_id),
            candidate_id,
            cursor=listing.cursor,
            limit=listing.limit,
        )
    )


@router.get(
    "/waiting-qualifications",
    operation_id="list_waiting_qualifications",
    response_model=WaitingQualificationPage,
)
async def list_waiting_qualifications(
    call: MayRead,
    listing: Listed,
    status: Status | None = None,
    campaign_id: CampaignId | None = None,
    updated_after: Instant | None = None,
    external_ref: ExternalRef | None = None,
) -> Response:
    """List the qualifications that met a cap of the ISV's campaigns, by last change."""
    filters = Filters(
        status=status,
        campaign_id=campaign_id,
        updated_after=updated_after,
        external_ref=external_ref,
    )
    cursors = call.cursors(
        status=status,
        campaign_id=campaign_id,
        updated_after=updated_after,
        external_ref=external_ref,
    )
    return reply(
        await reading.page(
            call.session,
            call.principal,
            cursors,
            cursor=listing.cursor,
            limit=listing.limit,
            filters=filters,
        )
    )


@router.get(
    "/waiting-qualifications/{waiting_qualification_id}",
    operation_id="get_waiting_qualification",
    response_model=WaitingQualificationRead,
)
async def get_waiting_qualification(
    waiting_qualification_id: WaitingQualificationId, call: MayRead
) -> Response:
    """Read a qualification that met a cap: the criteria it has passed, and what became of it."""
    found, version = await reading.get(call.session, call.principal, waiting_qualification_id)
    return reply(found, version=version)


@router.post(
    "/waiting-qualifications/{waiting_qualification_id}/admission",
    operation_id="admit_waiting_qualification",
    response_model=QualificationRead,
    status_code=201,
)
async def admit_waiting_qualification(
    waiting_qualification_id: WaitingQualificationId, version: Version, call: IsvDecides
) -> Response:
    """Take a waiting qualification beyond the caps of its campaign: its unit is metered now.

    The ISV's opt-in for this one. Whoever waits before it keeps its place; the caps count it.
    """

    async def work() -> Response:
        made, etag = await admission.admit(
            call.session, call.principal, waiting_qualification_id, version
        )
        location = f"/v1/qualifications/{encode('qual', made.id)}"
        return reply(made, status=201, version=etag, location=location)

    return await call.once(work)
