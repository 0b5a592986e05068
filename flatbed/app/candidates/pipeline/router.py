"""HTTP for gates and transitions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from flatbed.app.candidates.pipeline import service
from flatbed.app.candidates.pipeline.ports import signings
from flatbed.app.candidates.pipeline.schemas import (
    GatesRead,
    TransitionCreate,
    TransitionPage,
    TransitionRead,
)
from flatbed.app.candidates.rules.stages import Stage
from flatbed.app.ids import CandidateId
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply, required_version

router = APIRouter(prefix="/v1/candidates/{candidate_id}", tags=["pipeline"])


@router.get("/gates", operation_id="check_gates", response_model=GatesRead)
async def check_gates(
    candidate_id: CandidateId,
    call: Annotated[TenantRead, require("pipeline:read").tenant_read],
    to: Annotated[Stage | None, Query(description="The next stage unless told.")] = None,
) -> Response:
    """Judge a stage's gate without moving."""
    return reply(await service.gates(call.session, candidate_id, to))


@router.post(
    "/transitions", operation_id="create_transition", response_model=TransitionRead, status_code=201
)
async def create_transition(
    candidate_id: CandidateId,
    body: TransitionCreate,
    version: Annotated[int, Depends(required_version)],
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Move the candidate; the ETag is the candidate's new one."""

    async def work() -> Response:
        moved, new_version = await service.transition(
            call.session, call.principal, candidate_id, version, body, signings(call.request)
        )
        return reply(moved, status=201, version=new_version)

    return await call.once(work)


@router.get("/transitions", operation_id="list_transitions", response_model=TransitionPage)
async def list_transitions(
    candidate_id: CandidateId,
    call: Annotated[TenantRead, require("pipeline:read").tenant_read],
    listing: Listed,
) -> Response:
    """List the candidate's moves, oldest first."""
    return reply(
        await service.page(
            call.session,
            call.principal,
            call.cursors(candidate_id=candidate_id),
            candidate_id,
            cursor=listing.cursor,
            limit=listing.limit,
        )
    )
