"""SQL for plan versions."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from flatbed.app.candidates.models import PlanVersion, Touchpoint
from flatbed.tenants.kit.database.session import TenantReadSession


async def versions(
    session: TenantReadSession, candidate_id: UUID, limit: int
) -> Sequence[PlanVersion]:
    """The candidate's plan versions, newest first."""
    statement = (
        select(PlanVersion)
        .where(PlanVersion.tenant_id == session.tenant_id, PlanVersion.candidate_id == candidate_id)
        .order_by(PlanVersion.number.desc())
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def touchpoints(
    session: TenantReadSession, candidate_id: UUID, ids: Sequence[UUID]
) -> dict[UUID, Touchpoint]:
    """Those of the ids that name touches of the candidate."""
    statement = select(Touchpoint).where(
        Touchpoint.tenant_id == session.tenant_id,
        Touchpoint.candidate_id == candidate_id,
        Touchpoint.id.in_(ids),
    )
    return {row.id: row for row in await session.scalars(statement)}
