"""SQL for reservations and the line of a campaign.

Lock order: candidate → line → cap counters → ledger head.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from flatbed.app.candidates.models import WaitingLine, WaitingQualification
from flatbed.tenants.kit.database.columns import word
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession

WAITING: Final = "waiting"
TICK: Final = timedelta(microseconds=1)


async def find(session: TenantReadSession, candidate_id: UUID) -> WaitingQualification | None:
    """The candidate's reservation that waits, as it is stored now."""
    statement = (
        select(WaitingQualification)
        .where(
            WaitingQualification.tenant_id == session.tenant_id,
            WaitingQualification.candidate_id == candidate_id,
            WaitingQualification.status == word(WAITING),
        )
        .execution_options(populate_existing=True)
    )
    return await session.scalar(statement)


async def lock_line(session: TenantSession, campaign_id: UUID) -> int:
    """How many wait in the campaign; locked until the transaction ends."""
    statement = (
        select(WaitingLine.waiting)
        .where(WaitingLine.tenant_id == session.tenant_id, WaitingLine.campaign_id == campaign_id)
        .with_for_update(key_share=True)
    )
    waiting = await session.scalar(statement)
    if waiting is not None:
        return waiting
    await session.execute(
        insert(WaitingLine)
        .values(tenant_id=session.tenant_id, campaign_id=campaign_id, waiting=0)
        .on_conflict_do_nothing()
    )
    return await session.scalar(statement) or 0


async def join(session: TenantSession, campaign_id: UUID) -> datetime:
    """One more in the locked line; the instant of its place, later than that of the last one.

    A request's clock stands since it began, and it may have waited for its turn.
    """
    later = func.greatest(session.now(), WaitingLine.last_at + TICK)
    statement = (
        update(WaitingLine)
        .where(WaitingLine.tenant_id == session.tenant_id, WaitingLine.campaign_id == campaign_id)
        .values(waiting=WaitingLine.waiting + 1, last_at=later)
        .returning(WaitingLine.last_at)
        .execution_options(synchronize_session=False)
    )
    return (await session.scalars(statement)).one() or session.now()


async def leave(session: TenantSession, campaign_id: UUID) -> None:
    """One less in the locked line."""
    await session.execute(
        update(WaitingLine)
        .where(WaitingLine.tenant_id == session.tenant_id, WaitingLine.campaign_id == campaign_id)
        .values(waiting=WaitingLine.waiting - 1)
        .execution_options(synchronize_session=False)
    )


async def add(session: TenantSession, values: Mapping[str, Any]) -> WaitingQualification | None:
    """Write a reservation; None where one waits for the same unit already.

    Of another candidate it may be, whom this transaction does not see.
    """
    await session.flush()
    statement = (
        insert(WaitingQualification)
        .values(tenant_id=session.tenant_id, **values)
        .on_conflict_do_nothing()
        .returning(WaitingQualification)
    )
    return (await session.scalars(statement)).one_or_none()
