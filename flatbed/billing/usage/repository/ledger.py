"""SQL that writes the ledger, and what a writer must read under its locks.

Statements name columns instead of loading rows: a row read before its lock would be stale.
Lock order: candidate (the caller's) → cap counters by bucket → ledger head.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import exists, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from flatbed.billing.usage.caps import Used
from flatbed.billing.usage.chain import EMPTY, OUTSIDE, Head
from flatbed.billing.usage.models import (
    CapCounter,
    LedgerHead,
    Period,
    UsageDecision,
    UsageEntry,
)
from flatbed.billing.usage.periods import Span
from flatbed.billing.usage.repository import fixed
from flatbed.billing.usage.states import Decision
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import uuid7

QUALIFIED: Final = fixed.QUALIFIED
REVERSAL: Final = "reversal"
CREDIT: Final = "credit"
CONTENT: Final = tuple(
    column.key for column in UsageEntry.__table__.columns if column.key not in OUTSIDE
)
"""The columns that an entry's hash covers: all but the hashes themselves."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger holds under some unit keys.

    Args:
        generation: the highest; 0 if there is none.
        is_live: whether an unreversed entry stands under one of them.
    """

    generation: int
    is_live: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """One unit that locked counters take up, and what it costs at most in minor units."""

    campaign_ref: UUID
    buckets: Collection[str]
    amount: int


@dataclass(frozen=True, slots=True)
class Open:
    """An open period."""

    id: UUID
    span: Span


@dataclass(frozen=True, slots=True)
class Locked(Head):
    """The head under its lock.

    ``period`` is the open one that it names: None where there is none, and where another writer
    opened it while this one waited.
    """

    period: Open | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry belongs.

    Args:
        last_end: where the tenant's last period ends, None before its first.
        period_id: the open period to write to, None where none is open.
    """

    last_end: datetime | None
    period_id: UUID | None


async def lock_counters(
    session: TenantSession, campaign_ref: UUID, buckets: Iterable[str]
) -> dict[str, Used]:
    """The counters of these buckets, made if missing, locked until the transaction ends."""
    wanted = sorted(buckets)
    asked = {"tenant": session.tenant_id, "campaign": campaign_ref, "buckets": wanted}
    rows = (await session.execute(fixed.LOCK_COUNTERS, asked)).all()
    if len(rows) < len(wanted):
        same = {"tenant_id": session.tenant_id, "campaign_ref": campaign_ref}
        fresh = [{**same, "bucket": one, "units": 0, "amount": 0} for one in wanted]
        await session.execute(fixed.ADD_COUNTERS, fresh)
        rows = (await session.execute(fixed.LOCK_COUNTERS, asked)).all()
    return {row.bucket: Used(row.units, row.amount) for row in rows}


async def count(
    session: TenantSession, campaign_ref: UUID, buckets: Iterable[str], *, units: int, amount: int
) -> None:
    """Add to locked counters; negative to release."""
    counted = {"tenant": session.tenant_id, "campaign": campaign_ref, "buckets": sorted(buckets)}
    await session.execute(fixed.COUNT, {**counted, "more_units": units, "more_amount": amount})


async def lock_all_counters(
    session: TenantSession, wanted: Collection[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Used]:
    """As :func:`lock_counters`, for counters of several campaigns."""
    if not wanted:
        return {}
    fresh = [
        {
            "tenant_id": session.tenant_id,
            "campaign_ref": campaign,
            "bucket": bucket,
            "units": 0,
            "amount": 0,
        }
        for campaign, bucket in sorted(wanted)
    ]
    await session.execute(fixed.ADD_COUNTERS, fresh)
    rows = await session.execute(
        select(CapCounter.campaign_ref, CapCounter.bucket, CapCounter.units, CapCounter.amount)
        .where(
            CapCounter.tenant_id == session.tenant_id,
            CapCounter.campaign_ref.in_({campaign for campaign, _ in wanted}),
            CapCounter.bucket.in_({bucket for _, bucket in wanted}),
        )
        .order_by(CapCounter.campaign_ref, CapCounter.bucket)
        .with_for_update(key_share=True)
    )
    found = {(row.campaign_ref, row.bucket): Used(row.units, row.amount) for row in rows}
    return {key: found[key] for key in wanted}


async def set_counters(session: TenantSession, used: Mapping[tuple[UUID, str], Used]) -> None:
    """Write locked counters anew."""
    if not used:
        return
    fresh = upsert(CapCounter).values(
        [
            {
                "tenant_id": session.tenant_id,
                "campaign_ref": campaign,
                "bucket": bucket,
                "units": now.units,
                "amount": now.amount,
            }
            for (campaign, bucket), now in sorted(used.items())
        ]
    )
    await session.execute(
        fresh.on_conflict_do_update(
            index_elements=["tenant_id", "campaign_ref", "bucket"],
            set_={"units": fresh.excluded.units, "amount": fresh.excluded.amount},
        )
    )


async def lock_head(session: TenantSession) -> Locked:
    """The ledger's head, made if missing, locked: from here on this writer is alone."""
    asked = {"tenant": session.tenant_id}
    row = (await session.execute(fixed.LOCK_HEAD, asked)).one_or_none()
    if row is None:
        await session.execute(
            fixed.ADD_HEAD,
            {"tenant_id": session.tenant_id, "sequence": EMPTY.sequence, "hash": EMPTY.hash},
        )
        row = (await session.execute(fixed.LOCK_HEAD, asked)).one()
    named = None
    if row.period_id is not None:
        named = Open(row.period_id, Span(row.starts_at, row.ends_at))
    return Locked(row.sequence, row.hash, named)


async def find_head(session: TenantReadSession, *, lock: bool = False) -> Head | None:
    """The ledger's head, None before its first entry."""
    statement = fixed.LOCK_HEAD if lock else fixed.HEAD
    row = (await session.execute(statement, {"tenant": session.tenant_id})).one_or_none()
    return None if row is None else Head(row.sequence, row.hash)


async def move_head(session: TenantSession, head: Head, counted: Counted | None = None) -> None:
    """Point the locked head at the entry just written; with it, count the entry."""
    moved = {"tenant": session.tenant_id, "to_sequence": head.sequence, "to_hash": head.hash}
    if counted is None:
        await session.execute(fixed.MOVE_HEAD, moved)
        return
    more = {
        "campaign": counted.campaign_ref,
        "buckets": sorted(counted.buckets),
        "more_units": 1,
        "more_amount": counted.amount,
    }
    await session.execute(fixed.COUNT_AND_MOVE_HEAD, {**moved, **more})


async def add_entry(
    session: TenantSession, content: Mapping[str, Any], previous_hash: str, hash_: str
) -> None:
    """Append an entry."""
    await session.execute(
        fixed.ADD_ENTRIES, {**content, "previous_hash": previous_hash, "hash": hash_}
    )


async def add_entries(session: TenantSession, entries: Sequence[Mapping[str, Any]]) -> None:
    """Append entries with their hashes, in the order given."""
    await session.execute(fixed.ADD_ENTRIES, [dict(one) for one in entries])


async def find_entry(session: TenantReadSession, entry_id: UUID) -> Mapping[str, Any] | None:
    """The content of an entry."""
    statement = select(*(getattr(UsageEntry, name) for name in CONTENT)).where(
        UsageEntry.tenant_id == session.tenant_id, UsageEntry.id == entry_id
    )
    row = (await session.execute(statement)).mappings().one_or_none()
    return None if row is None else dict(row)


async def is_reversed(session: TenantReadSession, entry_id: UUID) -> bool:
    """Whether a reversal points at the entry."""
    statement = select(
        exists().where(
            UsageEntry.tenant_id == session.tenant_id, UsageEntry.reverses_id == entry_id
        )
    )
    return bool(await session.scalar(statement))


async def known(session: TenantReadSession, unit_keys: Sequence[str]) -> Known:
    """What stands under these keys, taken together."""
    asked = {"tenant": session.tenant_id, "keys": list(unit_keys)}
    row = (await session.execute(fixed.KNOWN, asked)).one()
    return Known(row.generation, row.is_live)


async def decisions(session: TenantReadSession, entry_id: UUID) -> list[Decision]:
    """What was decided of an entry, in order."""
    statement = (
        select(UsageDecision.decision)
        .where(UsageDecision.tenant_id == session.tenant_id, UsageDecision.entry_id == entry_id)
        .order_by(UsageDecision.at, UsageDecision.id)
    )
    return [Decision(word) for word in await session.scalars(statement)]


async def place(session: TenantReadSession, instant: datetime) -> Place:
    """Where an entry of this instant belongs.

    Open is the period that holds the instant, else the oldest open one: there a late entry
    belongs, whose period is closed or lies before the first.
    """
    asked = {"tenant": session.tenant_id, "instant": instant}
    row = (await session.execute(fixed.PLACE, asked)).one()
    return Place(row.last_end, row.open)


async def add_period(session: TenantSession, span: Span, previous_ends_at: datetime | None) -> UUID:
    """Append a period and let the head name it."""
    period_id = uuid7()
    await session.execute(
        insert(Period).values(
            tenant_id=session.tenant_id,
            id=period_id,
            starts_at=span.starts_at,
            ends_at=span.ends_at,
            previous_ends_at=previous_ends_at,
            status="open",
        )
    )
    await session.execute(
        update(LedgerHead)
        .where(LedgerHead.tenant_id == session.tenant_id)
        .values(open_period_id=period_id)
        .execution_options(synchronize_session=False)
    )
    return period_id


async def add_decision(
    session: TenantSession,
    entry_id: UUID,
    decision: str,
    basis: str,
    actor: str,
    reason: str | None = None,
) -> None:
    """Append a decision."""
    await session.execute(
        insert(UsageDecision).values(
            tenant_id=session.tenant_id,
            id=uuid7(),
            entry_id=entry_id,
            decision=decision,
            basis=basis,
            actor=actor,
            at=session.now(),
            reason=reason,
        )
    )


async def add_decisions(
    session: TenantSession,
    decided: Sequence[tuple[UUID, datetime]],
    decision: str,
    basis: str,
    actor: str,
) -> None:
    """Append the same decision for many entries, each at its instant."""
    same = {"decision": decision, "basis": basis, "actor": actor, "tenant_id": session.tenant_id}
    rows = [{**same, "id": uuid7(), "entry_id": entry, "at": at} for entry, at in decided]
    await session.execute(insert(UsageDecision), rows)


async def all_counters(session: TenantReadSession) -> dict[tuple[UUID, str], Used]:
    """Every cap counter of the tenant by campaign and bucket."""
    rows = await session.execute(
        select(
            CapCounter.campaign_ref, CapCounter.bucket, CapCounter.units, CapCounter.amount
        ).where(CapCounter.tenant_id == session.tenant_id)
    )
    return {(row.campaign_ref, row.bucket): Used(row.units, row.amount) for row in rows}
