"""SQL that reads the ledger for reports: entries with their derived state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Label,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    select,
    true,
)
from sqlalchemy.orm import aliased

from flatbed.billing.usage.models import Period, StatementLine, UsageDecision, UsageEntry
from flatbed.billing.usage.repository.ledger import CONTENT, QUALIFIED, REVERSAL
from flatbed.billing.usage.states import Decision, UsageState
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession

_Reversal = aliased(UsageEntry, name="reversal")
_Last = (
    select(UsageDecision.decision, UsageDecision.at)
    .where(UsageDecision.tenant_id == UsageEntry.tenant_id, UsageDecision.entry_id == UsageEntry.id)
    .order_by(UsageDecision.at.desc(), UsageDecision.id.desc())
    .limit(1)
    .correlate(UsageEntry)
    .lateral("last")
)
"""The last decision of an entry."""
_derived: Final = case(
    # The same rule as states.usage_state, which a test compares it with.
    (and_(_Reversal.id.is_not(None), StatementLine.id.is_not(None)), UsageState.REVERSED.value),
    (_Reversal.id.is_not(None), UsageState.CANCELLED.value),
    (StatementLine.id.is_not(None), UsageState.BILLED.value),
    (_Last.c.decision == Decision.WRITTEN_OFF.value, UsageState.WRITTEN_OFF.value),
    (_Last.c.decision == Decision.DISPUTED.value, UsageState.DISPUTED.value),
    (
        _Last.c.decision.in_([Decision.ACCEPTED.value, Decision.CONFIRMED.value]),
        UsageState.ACCEPTED.value,
    ),
    else_=UsageState.PENDING.value,
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries: occurred in ``[occurred_from, occurred_to)``, of a campaign, in a state."""

    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    campaign_ref: UUID | None = None
    state: UsageState | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Units of one group, currency and state, and the sum of their prices in minor units."""

    key: str
    currency: str
    state: UsageState
    units: int
    amount: int


async def page(
    session: TenantReadSession, window: Window, filters: Filters
) -> Sequence[Mapping[str, Any]]:
    """Qualified entries with their state, by ``(occurred_at, id)``."""
    entries = _entries(session, filters)
    beyond = window.beyond(UsageEntry.occurred_at, UsageEntry.id)
    if beyond is not None:
        entries = entries.where(beyond)
    return await _ordered(session, entries, window.limit)


async def all_lines(
    session: TenantReadSession, filters: Filters, limit: int
) -> Sequence[Mapping[str, Any]]:
    """As :func:`page`, the first ``limit``."""
    return await _ordered(session, _entries(session, filters), limit)


async def tallies(
    session: TenantReadSession, filters: Filters, group_by: str, zone: str
) -> list[Tally]:
    """Units and money by group, currency and state; currencies are never added up."""
    entries = _entries(session, filters, _key(group_by, zone)).subquery()
    columns = entries.c.group_key, entries.c.currency, entries.c.state
    statement = (
        select(
            *columns,
            func.count().label("units"),
            func.sum(entries.c.amount).label("amount"),
        )
        .group_by(*columns)
        .order_by(*columns)
    )
    return [
        Tally(row.group_key, row.currency, UsageState(row.state), row.units, int(row.amount))
        for row in await session.execute(statement)
    ]


async def find_period(session: TenantReadSession, period_id: UUID | None) -> Period | None:
    """The named period, or the newest one."""
    statement = select(Period).where(Period.tenant_id == session.tenant_id)
    if period_id is not None:
        statement = statement.where(Period.id == period_id)
    return await session.scalar(statement.order_by(Period.starts_at.desc()).limit(1))


async def standing(session: TenantReadSession, until: datetime) -> Sequence[Mapping[str, Any]]:
    """Entries that are neither reversed, billed nor written off, of periods up to an instant.

    By ``(decided, id)``; those of periods that began at ``until`` or before.
    """
    statement = (
        _entries(session, Filters())
        .where(
            Period.starts_at <= until,
            _Reversal.id.is_(None),
            StatementLine.id.is_(None),
            _Last.c.decision.is_distinct_from(Decision.WRITTEN_OFF.value),
        )
        .order_by(_Last.c.at, UsageEntry.id)
    )
    return [dict(row) for row in (await session.execute(statement)).mappings()]


async def reversals(session: TenantReadSession, period_id: UUID) -> Sequence[Mapping[str, Any]]:
    """The reversals of a period in the order of the ledger."""
    statement = (
        select(*(getattr(UsageEntry, name) for name in CONTENT), UsageEntry.hash)
        .where(
            UsageEntry.tenant_id == session.tenant_id,
            UsageEntry.kind == REVERSAL,
            UsageEntry.period_id == period_id,
        )
        .order_by(UsageEntry.sequence)
    )
    return [dict(row) for row in (await session.execute(statement)).mappings()]


def _entries(
    session: TenantReadSession, filters: Filters, *more: ColumnElement[Any]
) -> Select[Any]:
    """Qualified entries with state, last decision and lateness.

    The amount is what was billed, or else what is billed at most.
    """
    statement = (
        select(
            *(getattr(UsageEntry, name) for name in CONTENT if name != "amount"),
            func.coalesce(StatementLine.amount, UsageEntry.amount).label("amount"),
            UsageEntry.hash,
            _derived.label("state"),
            _Last.c.at.label("decided_at"),
            (UsageEntry.occurred_at < Period.starts_at).label("late"),
            *more,
        )
        .join(
            Period,
            and_(Period.tenant_id == UsageEntry.tenant_id, Period.id == UsageEntry.period_id),
        )
        .outerjoin(
            _Reversal,
            and_(
                _Reversal.tenant_id == UsageEntry.tenant_id,
                _Reversal.reverses_id == UsageEntry.id,
            ),
        )
        .outerjoin(
            StatementLine,
            and_(
                StatementLine.tenant_id == UsageEntry.tenant_id,
                StatementLine.entry_id == UsageEntry.id,
            ),
        )
        .outerjoin(_Last, true())
        .where(UsageEntry.tenant_id == session.tenant_id, UsageEntry.kind == QUALIFIED)
    )
    if filters.occurred_from is not None:
        statement = statement.where(UsageEntry.occurred_at >= filters.occurred_from)
    if filters.occurred_to is not None:
        statement = statement.where(UsageEntry.occurred_at < filters.occurred_to)
    if filters.campaign_ref is not None:
        statement = statement.where(UsageEntry.campaign_ref == filters.campaign_ref)
    if filters.state is not None:
        statement = statement.where(_derived == filters.state.value)
    return statement


def _key(group_by: str, zone: str) -> Label[str]:
    local = func.timezone(zone, UsageEntry.occurred_at)
    keys: dict[str, ColumnElement[str]] = {
        "campaign": cast(UsageEntry.campaign_ref, Text),
        "month": func.to_char(local, "YYYY-MM"),
        "day": func.to_char(local, "YYYY-MM-DD"),
    }
    return keys[group_by].label("group_key")


async def _ordered(
    session: TenantReadSession, entries: Select[Any], limit: int | BindParameter[int]
) -> Sequence[Mapping[str, Any]]:
    statement = entries.order_by(UsageEntry.occurred_at, UsageEntry.id).limit(limit)
    return [dict(row) for row in (await session.execute(statement)).mappings()]
