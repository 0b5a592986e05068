"""HTTP for facts and criterion judgements."""

from typing import Annotated

from fastapi import APIRouter, Response

from flatbed.app.candidates.intelligence import service
from flatbed.app.candidates.intelligence.schemas import (
    FactCreate,
    FactPage,
    FactRead,
    JudgementCreate,
    JudgementPage,
    JudgementRead,
)
from flatbed.app.ids import CandidateId
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply

router = APIRouter(prefix="/v1/candidates/{candidate_id}", tags=["intelligence"])


@router.post("/facts", operation_id="create_fact", response_model=FactRead, status_code=201)
async def create_fact(
    candidate_id: CandidateId,
    body: FactCreate,
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Record a sourced fact; one with `trigger_on` dates an acute interest."""

    async def work() -> Response:
        made = await service.create_fact(call.session, call.principal, candidate_id, body)
        return reply(made, status=201)

    return await call.once(work)


@router.get("/facts", operation_id="list_facts", response_model=FactPage)
async def list_facts(
    candidate_id: CandidateId,
    call: Annotated[TenantRead, require("pipeline:read").tenant_read],
    listing: Listed,
) -> Response:
    """List the candidate's facts, in the order of recording."""
    return reply(
        await service.facts(
            call.session,
            call.principal,
            call.cursors(candidate_id=candidate_id),
            candidate_id,
            cursor=listing.cursor,
            limit=listing.limit,
        )
    )


@router.post(
    "/judgements",
    operation_id="create_judgement",
    response_model=JudgementRead,
    status_code=201,
)
async def create_judgement(
    candidate_id: CandidateId,
    body: JudgementCreate,
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Judge a criterion of the campaign's profile, with a reason; the last word counts."""

    async def work() -> Response:
        made = await service.judge(call.session, call.principal, candidate_id, body)
        return reply(made, status=201)

    return await call.once(work)


@router.get("/judgements", operation_id="list_judgements", response_model=JudgementPage)
async def list_judgements(
    candidate_id: CandidateId,
    call: Annotated[TenantRead, require("pipeline:read").tenant_read],
    listing: Listed,
) -> Response:
    """List the judgements on the candidate, in the order of recording."""
    return reply(
        await service.judgements(
            call.session,
            call.principal,
            call.cursors(candidate_id=candidate_id),
            candidate_id,
            cursor=listing.cursor,
            limit=listing.limit,
        )
    )
