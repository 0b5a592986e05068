"""SQL for the inbox."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flatbed.billing.gateway.views import EventRef
from flatbed.billing.stripe_events.models import GatewayEvent
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import LoginSession, WorkerSession
from flatbed.tenants.kit.ids import uuid7

MOST: Final = 500
"""Events that one look takes up again."""


async def keep(session: LoginSession | WorkerSession, event: EventRef) -> UUID | None:
    """Write an event; None if it is there already."""
    statement = (
        upsert(GatewayEvent)
        .values(
            id=uuid7(),
            event_id=event.id,
            type=event.type,
            object_type=event.object_type,
            object_id=event.object_id,
            live=event.live,
            happened_at=event.created_at,
            received_at=system_now(),
        )
        .on_conflict_do_nothing(index_elements=["event_id"])
        .returning(GatewayEvent.id)
    )
    return await session.scalar(statement)


async def find(session: WorkerSession, event_id: UUID) -> GatewayEvent | None:
    """An event of the inbox."""
    return await session.scalar(select(GatewayEvent).where(GatewayEvent.id == event_id))


async def known(session: WorkerSession, event_ids: Sequence[str]) -> set[str]:
    """Which of these events are in the inbox."""
    statement = select(GatewayEvent.event_id).where(GatewayEvent.event_id.in_(event_ids))
    return set((await session.scalars(statement)).all())


async def unhandled(session: WorkerSession, since: datetime, until: datetime) -> Sequence[UUID]:
    """Events received between the instants that nothing was made of, the oldest first."""
    wanted = (
        select(GatewayEvent.id)
        .where(
            GatewayEvent.handled_at.is_(None),
            GatewayEvent.received_at >= since,
            GatewayEvent.received_at < until,
        )
        .order_by(GatewayEvent.received_at, GatewayEvent.id)
        .limit(MOST)
    )
    return (await session.scalars(wanted)).all()


async def handled(session: WorkerSession, event_id: UUID, outcome: str) -> None:
    """Note what became of an event."""
    await session.execute(
        update(GatewayEvent)
        .where(GatewayEvent.id == event_id)
        .values(handled_at=system_now(), outcome=outcome)
    )
