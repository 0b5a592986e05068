"""SQL for evidence and confirmations."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from flatbed.app.candidates.models import Evidence, EvidenceConfirmation, PlanVersion
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession


async def find(
    session: TenantReadSession, candidate_id: UUID, evidence_id: UUID
) -> Evidence | None:
    """The candidate's evidence."""
    statement = select(Evidence).where(
        Evidence.tenant_id == session.tenant_id,
        Evidence.candidate_id == candidate_id,
        Evidence.id == evidence_id,
    )
    return await session.scalar(statement)


async def page(
    session: TenantReadSession, candidate_id: UUID, window: Window
) -> Sequence[Evidence]:
    """The candidate's evidence, oldest first."""
    statement = select(Evidence).where(
        Evidence.tenant_id == session.tenant_id, Evidence.candidate_id == candidate_id
    )
    beyond = window.beyond(Evidence.occurred_at, Evidence.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Evidence.occurred_at, Evidence.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def confirmations(
    session: TenantReadSession, candidate_id: UUID, evidence_ids: Sequence[UUID]
) -> dict[UUID, EvidenceConfirmation]:
    """The confirmation of each of these pieces that has one."""
    statement = select(EvidenceConfirmation).where(
        EvidenceConfirmation.tenant_id == session.tenant_id,
        EvidenceConfirmation.candidate_id == candidate_id,
        EvidenceConfirmation.evidence_id.in_(evidence_ids),
    )
    return {row.evidence_id: row for row in await session.scalars(statement)}


async def plan(session: TenantReadSession, candidate_id: UUID, number: int) -> PlanVersion | None:
    """The candidate's plan version of this number."""
    statement = select(PlanVersion).where(
        PlanVersion.tenant_id == session.tenant_id,
        PlanVersion.candidate_id == candidate_id,
        PlanVersion.number == number,
    )
    return await session.scalar(statement)
