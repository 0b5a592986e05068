"""HTTP for plans."""

from typing import Annotated

from fastapi import APIRouter, Response

from flatbed.app.candidates.plans import service
from flatbed.app.candidates.plans.schemas import PlanCreate, PlanRead, PlanVersionRead
from flatbed.app.ids import CandidateId
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import reply

router = APIRouter(prefix="/v1/candidates/{candidate_id}/plan", tags=["plans"])


@router.post(
    "", operation_id="create_plan_version", response_model=PlanVersionRead, status_code=201
)
async def create_plan_version(
    candidate_id: CandidateId,
    body: PlanCreate,
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Append a version of the joint plan; fields that are left out carry over."""

    async def work() -> Response:
        version = await service.create(call.session, call.principal, candidate_id, body)
        return reply(version, status=201)

    return await call.once(work)


@router.get("", operation_id="get_plan", response_model=PlanRead)
async def get_plan(
    candidate_id: CandidateId,
    call: Annotated[TenantRead, require("pipeline:read").tenant_read],
) -> Response:
    """Read the joint plan as it stands, and its history."""
    return reply(await service.get(call.session, call.principal, candidate_id))
