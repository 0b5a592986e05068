"""HTTP for assignments and the hunter's queue."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from flatbed.app.hunting import service
from flatbed.app.hunting.schemas import (
    AssignmentCreate,
    AssignmentPage,
    AssignmentRead,
    QueuePage,
)
from flatbed.app.ids import AssignmentId
from flatbed.tenants.access.calls import AgencyCall, AgencyRead, TenantCall
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply
from flatbed.tenants.kit.ids import OrganizationId, StaffId, encode
from flatbed.tenants.kit.problems import ForbiddenError

router = APIRouter(tags=["assignments"])


@router.post(
    "/v1/assignments",
    operation_id="create_assignment",
    response_model=AssignmentRead,
    status_code=201,
)
async def create_assignment(
    body: AssignmentCreate, call: Annotated[TenantCall, require("assignments:manage").tenant]
) -> Response:
    """Let a hunter source for a campaign, or work one candidate, of the named ISV."""

    async def work() -> Response:
        targets = call.request.app.state.program.targets
        made = await service.create(call.session, targets, body)
        location = f"/v1/assignments/{encode('asg', made.id)}"
        return reply(made, status=201, location=location)

    return await call.once(work)


@router.get("/v1/assignments", operation_id="list_assignments", response_model=AssignmentPage)
async def list_assignments(
    call: Annotated[AgencyRead, require("assignments:manage").agency_read],
    listing: Listed,
    staff_id: StaffId | None = None,
    organization_id: OrganizationId | None = None,
    live: Annotated[bool, Query(description="Only those that have not ended.")] = False,  # noqa: FBT002 - a query parameter
) -> Response:
    """List assignments over all ISVs, oldest first."""
    return reply(
        await service.page(
            call.session,
            call.cursors(staff_id=staff_id, organization_id=organization_id, live=live),
            cursor=listing.cursor,
            limit=listing.limit,
            staff_id=staff_id,
            tenant_id=organization_id,
            only_live=live,
        )
    )


@router.get(
    "/v1/assignments/{assignment_id}",
    operation_id="get_assignment",
    response_model=AssignmentRead,
)
async def get_assignment(
    assignment_id: AssignmentId,
    call: Annotated[AgencyRead, require("assignments:manage").agency_read],
) -> Response:
    """Read one assignment."""
    return reply(await service.get(call.session, assignment_id))


@router.post(
    "/v1/assignments/{assignment_id}/end",
    operation_id="end_assignment",
    response_model=AssignmentRead,
)
async def end_assignment(
    assignment_id: AssignmentId,
    call: Annotated[AgencyCall, require("assignments:manage").agency],
) -> Response:
    """End an assignment: the hunter no longer sees what it opened."""

    async def work() -> Response:
        return reply(await service.end(call.session, assignment_id))

    return await call.once(work)


@router.get("/v1/me/queue", operation_id="get_queue", response_model=QueuePage, tags=["queue"])
async def get_queue(
    call: Annotated[AgencyRead, require("pipeline:read").agency_read],
    listing: Listed,
) -> Response:
    """The hunter's own candidates over all ISVs, the earliest due first."""
    staff_id = call.principal.staff_id
    if staff_id is None:
        raise ForbiddenError
    return reply(
        await service.queue(
            call.session,
            call.cursors(staff_id=staff_id),
            staff_id=staff_id,
            cursor=listing.cursor,
            limit=listing.limit,
        )
    )
