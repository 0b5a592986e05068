"""HTTP for evidence."""

from typing import Annotated

from fastapi import APIRouter, Response

from flatbed.app.candidates.evidence import service
from flatbed.app.candidates.evidence.schemas import (
    ConfirmationCreate,
    EvidenceCreate,
    EvidencePage,
    EvidenceRead,
)
from flatbed.app.ids import CandidateId, EvidenceId
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply

router = APIRouter(prefix="/v1/candidates/{candidate_id}/evidence", tags=["evidence"])


@router.post("", operation_id="create_evidence", response_model=EvidenceRead, status_code=201)
async def create_evidence(
    candidate_id: CandidateId,
    body: EvidenceCreate,
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Record what a gate rests on; each kind has members of its own."""

    async def work() -> Response:
        made = await service.create(call.session, call.principal, candidate_id, body)
        return reply(made, status=201)

    return await call.once(work)


@router.get("", operation_id="list_evidence", response_model=EvidencePage)
async def list_evidence(
    candidate_id: CandidateId,
    call: Annotated[TenantRead, require("pipeline:read").tenant_read],
    listing: Listed,
) -> Response:
    """List the candidate's evidence with its confirmations, oldest first."""
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
    "/{evidence_id}/confirmation",
    operation_id="confirm_evidence",
    response_model=EvidenceRead,
    status_code=201,
)
async def confirm_evidence(
    candidate_id: CandidateId,
    evidence_id: EvidenceId,
    body: ConfirmationCreate,
    call: Annotated[TenantCall, require("pipeline:write").tenant],
) -> Response:
    """Say that an uninvolved lead has looked at the evidence; once."""

    async def work() -> Response:
        seen = await service.confirm(call.session, call.principal, candidate_id, evidence_id, body)
        return reply(seen, status=201)

    return await call.once(work)
