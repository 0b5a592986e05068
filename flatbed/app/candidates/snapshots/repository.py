"""SQL for everything that is recorded about one candidate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select

from flatbed.app.candidates.models import (
    Candidate,
    ChannelRight,
    Contact,
    CriterionJudgement,
    Evidence,
    EvidenceConfirmation,
    Fact,
    Objection,
    PlanVersion,
    TenantCompany,
    Touchpoint,
    TouchpointVerdict,
)
from flatbed.tenants.kit.database.columns import CandidateRow
from flatbed.tenants.kit.database.session import TenantReadSession

R = TypeVar("R", bound=CandidateRow)


@dataclass(frozen=True, slots=True)
class Records:
    """All rows of one candidate, each kind in the order of recording."""

    company: TenantCompany
    contacts: Sequence[Contact]
    rights: Sequence[ChannelRight]
    objections: Sequence[Objection]
    facts: Sequence[Fact]
    judgements: Sequence[CriterionJudgement]
    touchpoints: Sequence[Touchpoint]
    verdicts: Sequence[TouchpointVerdict]
    evidence: Sequence[Evidence]
    confirmed: frozenset[UUID]
    plans: Sequence[PlanVersion]


async def load(session: TenantReadSession, candidate: Candidate) -> Records:
    """Read them; what this transaction has not flushed yet is flushed first."""
    company = select(TenantCompany).where(
        TenantCompany.tenant_id == session.tenant_id, TenantCompany.id == candidate.company_id
    )
    confirmations = await _rows(session, EvidenceConfirmation, candidate)
    return Records(
        company=(await session.scalars(company)).one(),
        contacts=await _rows(session, Contact, candidate),
        rights=await _rows(session, ChannelRight, candidate),
        objections=await _rows(session, Objection, candidate),
        facts=await _rows(session, Fact, candidate),
        judgements=await _rows(session, CriterionJudgement, candidate),
        touchpoints=await _rows(session, Touchpoint, candidate),
        verdicts=await _rows(session, TouchpointVerdict, candidate),
        evidence=await _rows(session, Evidence, candidate),
        confirmed=frozenset(row.evidence_id for row in confirmations),
        plans=await _rows(session, PlanVersion, candidate),
    )


async def _rows(session: TenantReadSession, model: type[R], candidate: Candidate) -> Sequence[R]:
    statement = (
        select(model)
        .where(model.tenant_id == session.tenant_id, model.candidate_id == candidate.id)
        .order_by(model.id)
    )
    return (await session.scalars(statement)).all()
