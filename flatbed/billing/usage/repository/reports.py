"""SQL that reads the ledger for reports: entries with their derived state."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Text,
    and_,
    cast,
    exists,
    func,
    select,
)
from sqlalchemy.orm import aliased

from flatbed.billing.usage.models import Period, UsageEntry
from flatbed.billing.usage.repository.ledger import CONTENT, QUALIFIED
from flatbed.billing.usage.repository.states import PAGED, SUMMED, Rows, States
from flatbed.billing.usage.states import Decision, UsageState
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.columns import any_of
from flatbed.tenants.kit.database.session import TenantReadSession

_Own: Final = aliased(Period, name="own")
_Credit: Final = aliased(UsageEntry, name="credit")
_Void: Final = aliased(UsageEntry, name="reversal")
_starts_at = (
    select(_Own.starts_at)
    .where(_Own.tenant_id == UsageEntry.tenant_id, _Own.id == UsageEntry.period_id)
    .correlate(UsageEntry)
    .scalar_subquery()
)
"""Where an entry's period starts; joined, it would take the order of the page away."""


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

    key: str | None
    currency: str
    state: UsageState
    units: int
    amount: int


async def page(
    session: TenantReadSession, window: Window, filters: Filters
) -> Sequence[Mapping[str, Any]]:
    """Qualified entries with their state, by ``(occurred_at, id)``."""
    entries = _entries(session, PAGED, filters)
    beyond = window.beyond(UsageEntry.occurred_at, UsageEntry.id)
    if beyond is not None:
        entries = entries.where(beyond)
    return await _ordered(session, entries, window.limit)


async def all_lines(
    session: TenantReadSession, filters: Filters, limit: int
) -> Sequence[Mapping[str, Any]]:
    """As :func:`page`, the first ``limit``."""
    return await _ordered(session, _entries(session, PAGED, filters), limit)


async def tallies(
    session: TenantReadSession, filters: Filters, group_by: str, zone: str
) -> list[Tally]:
    """Units and money by group, currency and state; currencies are never added up.

    What has no campaign, country or the like has the key None, and comes last.
    """
    units = _filtered(
        session,
        SUMMED,
        select(
            _key(group_by, zone).label("group_key"),
            UsageEntry.currency,
            SUMMED.state.label("state"),
            SUMMED.amount.label("amount"),
        ),
        filters,
    ).subquery()
    columns = units.c.group_key, units.c.currency, units.c.state
    statement = (
        select(
            *columns,
            func.count().label("units"),
            func.sum(units.c.amount).label("amount"),
        )
        .group_by(*columns)
        .order_by(*columns)
    )
    return [
        Tally(row.group_key, row.currency, UsageState(row.state), row.units, int(row.amount))
        for row in await session.execute(statement)
    ]


async def given_back(
    session: TenantReadSession, filters: Filters, group_by: str, zone: str
) -> dict[tuple[str | None, str], int]:
    """What credits gave back of billed units, in minor units, by group and currency.

    A unit that was credited is billed, or reversed: then all of its money went back.
    """
    if filters.state not in {None, UsageState.BILLED}:
        return {}
    columns = _key(group_by, zone).label("group_key"), UsageEntry.currency
    statement = (
        select(*columns, func.sum(-_Credit.amount).label("amount"))
        .select_from(_Credit)
        .join(
            UsageEntry,
            and_(UsageEntry.tenant_id == _Credit.tenant_id, UsageEntry.id == _Credit.credits_id),
        )
        .where(
            _Credit.tenant_id == session.tenant_id,
            _Credit.credits_id.is_not(None),
            ~exists().where(
                _Void.tenant_id == UsageEntry.tenant_id, _Void.reverses_id == UsageEntry.id
            ),
        )
        .group_by("group_key", UsageEntry.currency)
    )
    rows = await session.execute(_occurring(statement, filters))
    return {(row.group_key, row.currency): int(row.amount) for row in rows}


async def standing(
    session: TenantReadSession, among: Collection[UUID]
) -> Sequence[Mapping[str, Any]]:
    """Those of some units that are neither reversed, billed nor written off.

    By ``(decided, id)``.
    """
    statement = (
        _entries(session, PAGED, Filters())
        .where(
            UsageEntry.id == any_of(among),
            PAGED.void.c.id.is_(None),
            PAGED.line.c.id.is_(None),
            PAGED.last.c.decision.is_distinct_from(Decision.WRITTEN_OFF.value),
        )
        .order_by(PAGED.last.c.at, UsageEntry.id)
    )
    return [dict(row) for row in (await session.execute(statement)).mappings()]


def _entries(session: TenantReadSession, states: States, filters: Filters) -> Rows:
    """Qualified entries with state, last decision and lateness."""
    statement = select(
        *(getattr(UsageEntry, name) for name in CONTENT if name != "amount"),
        states.amount.label("amount"),
        UsageEntry.hash,
        states.state.label("state"),
        states.last.c.at.label("decided_at"),
        (UsageEntry.occurred_at < _starts_at).label("late"),
    )
    return _filtered(session, states, statement, filters)


def _filtered(
    session: TenantReadSession, states: States, statement: Rows, filters: Filters
) -> Rows:
    statement = states.join(statement).where(
        UsageEntry.tenant_id == session.tenant_id, UsageEntry.kind == QUALIFIED
    )
    if filters.state is not None:
        statement = statement.where(states.state == filters.state.value)
    return _occurring(statement, filters)


def _occurring(statement: Rows, filters: Filters) -> Rows:
    """The filters but the state."""
    if filters.occurred_from is not None:
        statement = statement.where(UsageEntry.occurred_at >= filters.occurred_from)
    if filters.occurred_to is not None:
        statement = statement.where(UsageEntry.occurred_at < filters.occurred_to)
    if filters.campaign_ref is not None:
        statement = statement.where(UsageEntry.campaign_ref == filters.campaign_ref)
    return statement


def _key(group_by: str, zone: str) -> ColumnElement[Any]:
    local = func.timezone(zone, UsageEntry.occurred_at)
    keys: dict[str, ColumnElement[Any]] = {
        "campaign": cast(UsageEntry.campaign_ref, Text),
        "programme": cast(UsageEntry.programme_ref, Text),
        "country": cast(UsageEntry.country, Text),
        "month": func.to_char(local, "YYYY-MM"),
        "day": func.to_char(local, "YYYY-MM-DD"),
        "hunter": cast(UsageEntry.agent_ref, Text),
    }
    return keys[group_by]


async def _ordered(
    session: TenantReadSession, entries: Rows, limit: int | BindParameter[int]
) -> Sequence[Mapping[str, Any]]:
    statement = entries.order_by(UsageEntry.occurred_at, UsageEntry.id).limit(limit)
    rows = (await session.execute(statement)).mappings().all()
    credited = await _credited(session, [row["id"] for row in rows])
    return [{**row, "credited": credited.get(row["id"], 0)} for row in rows]


async def _credited(session: TenantReadSession, entry_ids: Collection[UUID]) -> dict[UUID, int]:
    """What credits gave back of these units, in minor units."""
    statement = (
        select(UsageEntry.credits_id, func.sum(-UsageEntry.amount).label("amount"))
        .where(
            UsageEntry.tenant_id == session.tenant_id,
            UsageEntry.credits_id.is_not(None),
            UsageEntry.credits_id == any_of(entry_ids),
        )
        .group_by(UsageEntry.credits_id)
    )
    return {row.credits_id: int(row.amount) for row in await session.execute(statement)}
