"""SQL for facts and judgements."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from flatbed.app.candidates.models import CriterionJudgement, Fact
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession


async def facts(session: TenantReadSession, candidate_id: UUID, window: Window) -> Sequence[Fact]:
    """The candidate's facts as recorded."""
    statement = select(Fact).where(
        Fact.tenant_id == session.tenant_id, Fact.candidate_id == candidate_id
    )
    beyond = window.beyond(Fact.recorded_at, Fact.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Fact.recorded_at, Fact.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def judgements(
    session: TenantReadSession, candidate_id: UUID, window: Window
) -> Sequence[CriterionJudgement]:
    """The candidate's judgements as recorded."""
    statement = select(CriterionJudgement).where(
        CriterionJudgement.tenant_id == session.tenant_id,
        CriterionJudgement.candidate_id == candidate_id,
    )
    beyond = window.beyond(CriterionJudgement.at, CriterionJudgement.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(CriterionJudgement.at, CriterionJudgement.id)
    return (await session.scalars(statement.limit(window.limit))).all()
