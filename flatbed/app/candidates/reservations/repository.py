"""SQL for reservations and the line of a campaign.

Lock order: candidate → line → cap counters → ledger head.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from flatbed.app.candidates.models import WaitingLine, WaitingQualification
from flatbed.tenants.kit.database.columns import word
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession

WAITING = "waiting"


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


async def count(session: TenantSession, campaign_id: UUID, more: int) -> None:
    """One more in the locked line, or one less."""
    await session.execute(
        update(WaitingLine)
        .where(WaitingLine.tenant_id == session.tenant_id, WaitingLine.campaign_id == campaign_id)
        .values(waiting=WaitingLine.waiting + more)
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
