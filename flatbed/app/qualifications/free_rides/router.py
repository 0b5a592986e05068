"""HTTP for companies that the ISV contracted on its own."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.app.candidates.records.fields import Instant
from flatbed.app.ids import CandidateId, FreeRideId
from flatbed.app.qualifications.claims.schemas import ReportDecision
from flatbed.app.qualifications.free_rides import reading, service
from flatbed.app.qualifications.free_rides.repository import Filters
from flatbed.app.qualifications.free_rides.schemas import (
    FreeRideCreate,
    FreeRidePage,
    FreeRideRead,
    RideStatus,
)
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, optional_version, reply
from flatbed.tenants.kit.ids import encode

router = APIRouter(prefix="/v1", tags=["free rides"])

MayRead = Annotated[TenantRead, require("pipeline:read").tenant_read]


@router.post(
    "/candidates/{candidate_id}/contracted-elsewhere",
    operation_id="create_free_ride",
    response_model=FreeRideRead,
    status_code=201,
)
async def create_free_ride(
    candidate_id: CandidateId,
    body: FreeRideCreate,
    call: Annotated[TenantCall, require("decisions:write").tenant],
) -> Response:
    """Report that the ISV contracted the company of a candidate that it had not taken.

    Worked to `discovering` or further and contracted within 180 days after the candidate's exit
    or the campaign's end, it is billed at the frozen price once a lead has confirmed it.
    """

    async def work() -> Response:
        made, version = await service.report(call.session, call.principal, candidate_id, body)
        location = f"/v1/free-rides/{encode('ride', made.id)}"
        return reply(made, status=201, version=version, location=location)

    return await call.once(work)


@router.get("/free-rides", operation_id="list_free_rides", response_model=FreeRidePage)
async def list_free_rides(
    call: MayRead,
    listing: Listed,
    status: RideStatus | None = None,
    updated_after: Instant | None = None,
) -> Response:
    """List the ISV's free rides by last change."""
    return reply(
        await reading.page(
            call.session,
            call.principal,
            call.cursors(status=status, updated_after=updated_after),
            cursor=listing.cursor,
            limit=listing.limit,
            filters=Filters(status=status, updated_after=updated_after),
        )
    )


@router.get("/free-rides/{free_ride_id}", operation_id="get_free_ride", response_model=FreeRideRead)
async def get_free_ride(free_ride_id: FreeRideId, call: MayRead) -> Response:
    """Read one free ride."""
    found, version = await reading.get(call.session, call.principal, free_ride_id)
    return reply(found, version=version)


@router.post(
    "/free-rides/{free_ride_id}/decision",
    operation_id="decide_free_ride",
    response_model=FreeRideRead,
)
async def decide_free_ride(
    free_ride_id: FreeRideId,
    body: ReportDecision,
    version: Annotated[int | None, Depends(optional_version)],
    call: Annotated[TenantCall, require("disputes:decide").tenant],
) -> Response:
    """Confirm a reported free ride, which meters its unit, or refuse it."""

    async def work() -> Response:
        found, etag = await service.decide(
            call.session, call.principal, free_ride_id, body, version
        )
        return reply(found, version=etag)

    return await call.once(work)
