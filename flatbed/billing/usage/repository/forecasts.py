"""SQL for what is not billed yet, and for the history that a forecast is made of."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from sqlalchemy import Text, and_, case, cast, func, select, true
from sqlalchemy.orm import aliased

from flatbed.billing.pricing.rules.tiers import Price, price_from
from flatbed.billing.usage.caps import TOTAL, Used
from flatbed.billing.usage.models import CapCounter, Period, StatementLine, UsageEntry
from flatbed.billing.usage.periods import Span
from flatbed.billing.usage.repository.ledger import QUALIFIED
from flatbed.billing.usage.repository.states import SUMMED
from flatbed.billing.usage.rules.forecast import HISTORY, WINDOW, Past
from flatbed.billing.usage.rules.ranking import CampaignKey, Unbilled
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.kit.database.session import TenantReadSession

_Void: Final = aliased(UsageEntry, name="reversal")


async def unbilled(session: TenantReadSession, campaign_ref: UUID | None) -> list[Unbilled]:
    """Units that are neither billed nor reversed, of all periods."""
    statement = SUMMED.join(
        select(
            UsageEntry.id,
            UsageEntry.campaign_ref,
            UsageEntry.currency,
            UsageEntry.amount,
            cast(UsageEntry.tiers, Text).label("tiers"),
            UsageEntry.replaces_id,
            UsageEntry.occurred_at,
            SUMMED.state.label("state"),
            SUMMED.last.c.at.label("decided_at"),
        )
    ).where(
        UsageEntry.tenant_id == session.tenant_id,
        UsageEntry.kind == QUALIFIED,
        SUMMED.void.c.id.is_(None),
        SUMMED.line.c.id.is_(None),
    )
    if campaign_ref is not None:
        statement = statement.where(UsageEntry.campaign_ref == campaign_ref)
    rows = await session.execute(statement)
    return [
        Unbilled(
            entry_id=row.id,
            key=(row.campaign_ref, row.currency),
            state=UsageState(row.state),
            occurred_at=row.occurred_at,
            at=row.decided_at if row.state == UsageState.ACCEPTED else row.occurred_at,
            price=_price(row.tiers, row.amount),
            free=row.replaces_id is not None,
        )
        for row in rows
    ]


async def pasts(session: TenantReadSession, now: datetime) -> dict[CampaignKey, Past]:
    """The history of each campaign and currency up to an instant, replacements left out."""
    statement = (
        select(
            UsageEntry.campaign_ref,
            UsageEntry.currency,
            func.count().label("units"),
            func.min(UsageEntry.occurred_at).label("first_at"),
            func.count(case((UsageEntry.occurred_at > now - WINDOW, 1))).label("recent"),
        )
        .where(
            UsageEntry.tenant_id == session.tenant_id,
            UsageEntry.kind == QUALIFIED,
            UsageEntry.replaces_id.is_(None),
            UsageEntry.occurred_at > now - HISTORY,
            UsageEntry.occurred_at <= now,
        )
        .group_by(UsageEntry.campaign_ref, UsageEntry.currency)
    )
    return {
        (row.campaign_ref, row.currency): Past(row.units, row.first_at, row.recent)
        for row in await session.execute(statement)
    }


async def voided(session: TenantReadSession, now: datetime) -> dict[str, int]:
    """How many units of that history are reversed or cancelled, by currency."""
    statement = (
        select(UsageEntry.currency, func.count().label("units"))
        .join(
            _Void,
            and_(_Void.tenant_id == UsageEntry.tenant_id, _Void.reverses_id == UsageEntry.id),
        )
        .where(
            UsageEntry.tenant_id == session.tenant_id,
            _Void.reverses_id.is_not(None),
            UsageEntry.kind == QUALIFIED,
            UsageEntry.replaces_id.is_(None),
            UsageEntry.occurred_at > now - HISTORY,
            UsageEntry.occurred_at <= now,
        )
        .group_by(UsageEntry.currency)
    )
    return {row.currency: row.units for row in await session.execute(statement)}


async def ranks(session: TenantReadSession) -> dict[CampaignKey, int]:
    """How many units of each campaign were billed so far, those that were reversed later too."""
    statement = (
        select(
            StatementLine.campaign_ref,
            StatementLine.currency,
            func.max(StatementLine.rank).label("rank"),
        )
        .where(StatementLine.tenant_id == session.tenant_id, StatementLine.rank.is_not(None))
        .group_by(StatementLine.campaign_ref, StatementLine.currency)
    )
    return {(row.campaign_ref, row.currency): row.rank for row in await session.execute(statement)}


async def prices(session: TenantReadSession, campaign_ref: UUID | None) -> dict[CampaignKey, Price]:
    """The price of the newest unit of each campaign that has units, replacements left out."""
    newest = (
        select(UsageEntry.currency, UsageEntry.tiers, UsageEntry.amount)
        .where(
            UsageEntry.tenant_id == CapCounter.tenant_id,
            UsageEntry.campaign_ref == CapCounter.campaign_ref,
            UsageEntry.kind == QUALIFIED,
            UsageEntry.replaces_id.is_(None),
        )
        .order_by(UsageEntry.occurred_at.desc())
        .limit(1)
        .correlate(CapCounter)
        .lateral("newest")
    )
    # Each campaign has its counter of everything: they are few, and its units need not be read.
    statement = (
        select(CapCounter.campaign_ref, newest.c.currency, newest.c.tiers, newest.c.amount)
        .join(newest, true())
        .where(CapCounter.tenant_id == session.tenant_id, CapCounter.bucket == TOTAL)
    )
    if campaign_ref is not None:
        statement = statement.where(CapCounter.campaign_ref == campaign_ref)
    return {
        (row.campaign_ref, row.currency): price_from(row.tiers, row.amount)
        for row in await session.execute(statement)
    }


async def used(
    session: TenantReadSession, buckets: Collection[str]
) -> Mapping[tuple[UUID, str], Used]:
    """What campaigns have used in these buckets, by campaign and bucket."""
    statement = select(
        CapCounter.campaign_ref, CapCounter.bucket, CapCounter.units, CapCounter.amount
    ).where(CapCounter.tenant_id == session.tenant_id, CapCounter.bucket.in_(buckets))
    return {
        (row.campaign_ref, row.bucket): Used(row.units, row.amount)
        for row in await session.execute(statement)
    }


async def period_at(session: TenantReadSession, instant: datetime) -> Span | None:
    """The period that holds the instant, None if nobody has needed it yet."""
    statement = select(Period.starts_at, Period.ends_at).where(
        Period.tenant_id == session.tenant_id,
        Period.starts_at <= instant,
        Period.ends_at > instant,
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else Span(row.starts_at, row.ends_at)


@lru_cache(maxsize=1_024)
def _price(tiers: str | None, amount: int) -> Price:
    """A campaign's units all have the same price: it is read once."""
    return price_from(None if tiers is None else json.loads(tiers), amount)
