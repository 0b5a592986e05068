"""HTTP for touchpoints."""

from typing import Annotated

from fastapi import APIRouter, Response

from flatbed.app.candidates.touchpoints import service, verdict_service
from flatbed.app.candidates.touchpoints.ports import late_pushes
from flatbed.app.candidates.touchpoints.schemas import (
    AuditCreate,
    LoweringCreate,
    TouchpointCreate,
    TouchpointPage,
    TouchpointRead,
)
from flatbed.app.ids import CandidateId, TouchpointId
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply

router = APIRouter(prefix="/v1", tags=["touchpoints"])


@router.post(
    "/candidates/{candidate_id}/touchpoints",
    operation_id="create_touchpoint",
    response_model=TouchpointRead,
    status_code=201,
    responses={200: {"model": TouchpointRead, "description": "Sent before; the first one."}},
)
async def create_touchpoint(
    candidate_id: CandidateId,
    body: TouchpointCreate,
    call: Annotated[TenantCall, require("pipeline:write", "signals:write").tenant],
) -> Response:
    """Log one contact in either direction."""

    async def work() -> Response:
        late = late_pushes(call.request)
        touch, is_new = await service.create(call.session, call.principal, candidate_id, body, late)
        return reply(touch, status=201 if is_new else 200)

    return await call.once(work)


@router.get(
    "/candidates/{candidate_id}/touchpoints",
    operation_id="list_touchpoints",
    response_model=TouchpointPage,
)
async def list_touchpoints(
    candidate_id: CandidateId,
    call: Annotated[TenantRead, require("pipeline:read").tenant_read],
    listing: Listed,
) -> Response:
    """List the candidate's touchpoints with the verdicts on them, oldest first."""
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


@router.post(
    "/candidates/{candidate_id}/touchpoints/{touchpoint_id}/lowering",
    operation_id="lower_touchpoint",
    response_model=TouchpointRead,
    status_code=201,
)
async def lower_touchpoint(
    candidate_id: CandidateId,
    touchpoint_id: TouchpointId,
    body: LoweringCreate,
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Let a touch count less: a lower class, or the message of ours that elicited it."""

    async def work() -> Response:
        late = late_pushes(call.request)
        touch = await verdict_service.lower(
            call.session, call.principal, candidate_id, touchpoint_id, body, late
        )
        return reply(touch, status=201)

    return await call.once(work)


@router.post(
    "/touchpoints/{touchpoint_id}/audit",
    operation_id="audit_touchpoint",
    response_model=TouchpointRead,
    status_code=201,
)
async def audit_touchpoint(
    touchpoint_id: TouchpointId,
    body: AuditCreate,
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Judge a touch after looking at its source; an uninvolved lead's word replaces."""

    async def work() -> Response:
        late = late_pushes(call.request)
        touch = await verdict_service.audit(call.session, call.principal, touchpoint_id, body, late)
        return reply(touch, status=201)

    return await call.once(work)
