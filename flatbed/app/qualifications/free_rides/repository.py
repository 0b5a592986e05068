"""SQL for free rides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, func, select

from flatbed.app.candidates.models import Candidate, Transition
from flatbed.app.candidates.rules.stages import Stage
from flatbed.app.qualifications.free_rides.models import FreeRide
from flatbed.app.qualifications.models import Dispute
from flatbed.app.qualifications.rules.already_known import ALREADY_KNOWN
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.columns import word
from flatbed.tenants.kit.database.session import TenantReadSession

FAR = [stage.value for stage in Stage if stage.rank >= Stage.DISCOVERING.rank]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which free rides; None is any."""

    status: str | None = None
    updated_after: datetime | None = None


async def find(session: TenantReadSession, ride_id: UUID) -> FreeRide | None:
    """The free ride as it is stored now."""
    statement = (
        select(FreeRide)
        .where(FreeRide.tenant_id == session.tenant_id, FreeRide.id == ride_id)
        .execution_options(populate_existing=True)
    )
    return await session.scalar(statement)


async def reported(session: TenantReadSession, candidate_id: UUID) -> FreeRide | None:
    """The candidate's report that waits for a lead."""
    statement = select(FreeRide).where(
        FreeRide.tenant_id == session.tenant_id,
        FreeRide.candidate_id == candidate_id,
        FreeRide.status == word("reported"),
    )
    return await session.scalar(statement)


async def page(session: TenantReadSession, window: Window, filters: Filters) -> Sequence[FreeRide]:
    """Free rides by last change."""
    statement = select(FreeRide).where(FreeRide.tenant_id == session.tenant_id)
    if filters.status is not None:
        statement = statement.where(FreeRide.status == filters.status)
    if filters.updated_after is not None:
        statement = statement.where(FreeRide.updated_at > filters.updated_after)
    beyond = window.beyond(FreeRide.updated_at, FreeRide.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(FreeRide.updated_at, FreeRide.id)
    return (await session.scalars(statement.limit(window.limit))).all()


async def is_known_before(session: TenantReadSession, candidate_id: UUID) -> bool:
    """Whether a unit of the candidate was voided since the ISV had known the company."""
    statement = select(
        exists().where(
            Dispute.tenant_id == session.tenant_id,
            Dispute.candidate_id == candidate_id,
            Dispute.criterion == ALREADY_KNOWN,
            Dispute.decision.in_([word("voided"), word("replaced")]),
        )
    )
    return bool(await session.scalar(statement))


async def reached_far(session: TenantReadSession, candidate: Candidate) -> datetime | None:
    """When the candidate first came to `discovering` or further, by its moves or where it stands.

    One that went back or was exited counts with what it had reached.
    """
    statement = select(func.min(Transition.at)).where(
        Transition.tenant_id == session.tenant_id,
        Transition.candidate_id == candidate.id,
        Transition.to_stage.in_(FAR),
    )
    at = await session.scalar(statement)
    if at is None and candidate.stage in FAR:
        return candidate.stage_entered_at
    return at
