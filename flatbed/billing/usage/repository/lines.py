"""SQL for what was billed of an entry, and what was given back."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import and_, exists, func, insert, select
from sqlalchemy.orm import aliased

from flatbed.billing.usage.models import StatementLine, UsageEntry
from flatbed.billing.usage.repository import fixed
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession

_Reversal = aliased(UsageEntry, name="reversal")


async def billed(session: TenantReadSession, entry_id: UUID) -> int | None:
    """What an entry's line bills in minor units, None if it stands on no statement."""
    statement = select(StatementLine.amount).where(
        StatementLine.tenant_id == session.tenant_id, StatementLine.entry_id == entry_id
    )
    return await session.scalar(statement)


async def billed_less(session: TenantReadSession) -> dict[tuple[UUID, str], int]:
    """By how much live units were billed otherwise than at their entries' amounts.

    In minor units, not positive, by campaign and month; those without a difference are left out.
    """
    difference = func.sum(StatementLine.amount - UsageEntry.amount)
    statement = (
        select(UsageEntry.campaign_ref, UsageEntry.month, difference.label("difference"))
        .select_from(StatementLine)
        .join(
            UsageEntry,
            and_(
                UsageEntry.tenant_id == StatementLine.tenant_id,
                UsageEntry.id == StatementLine.entry_id,
            ),
        )
        .where(
            StatementLine.tenant_id == session.tenant_id,
            StatementLine.kind == "charge",
            StatementLine.amount != UsageEntry.amount,
            UsageEntry.replaces_id.is_(None),
            ~exists().where(
                _Reversal.tenant_id == session.tenant_id, _Reversal.reverses_id == UsageEntry.id
            ),
        )
        .group_by(UsageEntry.campaign_ref, UsageEntry.month)
    )
    return {
        (row.campaign_ref, row.month): int(row.difference)
        for row in await session.execute(statement)
    }


async def credited(session: TenantReadSession, entry_id: UUID) -> int:
    """The money that credits have given back for an entry, not negative."""
    statement = select(func.coalesce(func.sum(UsageEntry.amount), 0)).where(
        UsageEntry.tenant_id == session.tenant_id, UsageEntry.credits_id == entry_id
    )
    return -int(await session.scalar(statement) or 0)


async def last_rank(session: TenantReadSession, campaign_ref: UUID, currency: str) -> int:
    """How many units of a campaign were billed so far, those that were reversed later too."""
    asked = {"tenant": session.tenant_id, "campaign": campaign_ref, "currency": currency}
    return int(await session.scalar(fixed.LAST_RANK, asked) or 0)


async def is_replaced(session: TenantReadSession, entry_id: UUID) -> bool:
    """Whether a live entry replaces this one."""
    statement = select(
        exists().where(
            UsageEntry.tenant_id == session.tenant_id,
            UsageEntry.replaces_id == entry_id,
            ~exists().where(
                _Reversal.tenant_id == session.tenant_id, _Reversal.reverses_id == UsageEntry.id
            ),
        )
    )
    return bool(await session.scalar(statement))


async def add_lines(session: TenantSession, lines: Sequence[Mapping[str, Any]]) -> None:
    """Append statement lines."""
    if lines:
        rows = [{**line, "tenant_id": session.tenant_id} for line in lines]
        await session.execute(insert(StatementLine), rows)
