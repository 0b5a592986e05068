"""SQL that writes the ledger, and what a writer must read under its locks.

Statements name columns instead of loading rows: a row read before its lock would be stale.
Lock order: candidate (the caller's) → cap counters by bucket → ledger head.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Text,
    Uuid,
    cast,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import aliased

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
from flatbed.billing.usage.states import Decision
from flatbed.tenants.kit.database.columns import word
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import uuid7

QUALIFIED: Final = "qualified"
REVERSAL: Final = "reversal"
CREDIT: Final = "credit"
CONTENT: Final = tuple(
    column.key for column in UsageEntry.__table__.columns if column.key not in OUTSIDE
)
"""The columns that an entry's hash covers: all but the hashes themselves."""
CHAIN: Final = ("sequence", "previous_hash", "hash", *CONTENT)
"""What a link of the chain is made of."""
_INSTANT: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'
PART: Final = 250
"""Entries that are in memory at once while a whole ledger is read."""
_Reversal = aliased(UsageEntry, name="reversal")
"""Made once: an alias of so many columns costs more than the query."""


async def lock_counters(
    session: TenantSession, campaign_ref: UUID, buckets: Iterable[str]
) -> dict[str, Used]:
    """The counters of these buckets, made if missing, locked until the transaction ends."""
    wanted = sorted(buckets)
    await session.execute(
        upsert(CapCounter)
        .values(
            [
                {
                    "tenant_id": session.tenant_id,
                    "campaign_ref": campaign_ref,
                    "bucket": bucket,
                    "units": 0,
                    "amount": 0,
                }
                for bucket in wanted
            ]
        )
        .on_conflict_do_nothing()
    )
    rows = await session.execute(
        select(CapCounter.bucket, CapCounter.units, CapCounter.amount)
        .where(
            CapCounter.tenant_id == session.tenant_id,
            CapCounter.campaign_ref == campaign_ref,
            CapCounter.bucket.in_(wanted),
        )
        .order_by(CapCounter.bucket)
        .with_for_update(key_share=True)
    )
    return {row.bucket: Used(row.units, row.amount) for row in rows}


async def count(
    session: TenantSession, campaign_ref: UUID, buckets: Iterable[str], *, units: int, amount: int
) -> None:
    """Add to locked counters; negative to release."""
    await session.execute(
        update(CapCounter)
        .where(
            CapCounter.tenant_id == session.tenant_id,
            CapCounter.campaign_ref == campaign_ref,
            CapCounter.bucket.in_(sorted(buckets)),
        )
        .values(units=CapCounter.units + units, amount=CapCounter.amount + amount)
        .execution_options(synchronize_session=False)
    )


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
    await session.execute(upsert(CapCounter).values(fresh).on_conflict_do_nothing())
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


async def lock_head(session: TenantSession) -> Head:
    """The ledger's head, made if missing, locked: from here on this writer is alone."""
    await session.execute(
        upsert(LedgerHead)
        .values(
            tenant_id=session.tenant_id,
            sequence=EMPTY.sequence,
            hash=EMPTY.hash,
            open_period_id=None,
        )
        .on_conflict_do_nothing()
    )
    found = await find_head(session, lock=True)
    return found or EMPTY


async def find_head(session: TenantReadSession, *, lock: bool = False) -> Head | None:
    """The ledger's head, None before its first entry."""
    statement = select(LedgerHead.sequence, LedgerHead.hash).where(
        LedgerHead.tenant_id == session.tenant_id
    )
    if lock:
        statement = statement.with_for_update(key_share=True)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else Head(row.sequence, row.hash)


async def move_head(session: TenantSession, head: Head) -> None:
    """Point the locked head at the entry just written."""
    await session.execute(
        update(LedgerHead)
        .where(LedgerHead.tenant_id == session.tenant_id)
        .values(sequence=head.sequence, hash=head.hash)
        .execution_options(synchronize_session=False)
    )


async def add_entry(
    session: TenantSession, content: Mapping[str, Any], previous_hash: str, hash_: str
) -> None:
    """Append an entry."""
    await session.execute(
        insert(UsageEntry).values(**content, previous_hash=previous_hash, hash=hash_)
    )


async def add_entries(session: TenantSession, entries: Sequence[Mapping[str, Any]]) -> None:
    """Append entries with their hashes, in the order given."""
    await session.execute(insert(UsageEntry), [dict(one) for one in entries])


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


async def live(session: TenantReadSession, unit_keys: Sequence[str]) -> bool:
    """Whether an unreversed entry stands under one of these keys."""
    statement = select(
        exists().where(
            UsageEntry.tenant_id == session.tenant_id,
            UsageEntry.kind == word(QUALIFIED),
            UsageEntry.unit_key.in_(unit_keys),
            ~exists().where(
                _Reversal.tenant_id == session.tenant_id, _Reversal.reverses_id == UsageEntry.id
            ),
        )
    )
    return bool(await session.scalar(statement))


async def last_generation(session: TenantReadSession, unit_keys: Sequence[str]) -> int:
    """The highest generation under these keys, 0 if there is none."""
    statement = select(func.coalesce(func.max(UsageEntry.generation), 0)).where(
        UsageEntry.tenant_id == session.tenant_id,
        UsageEntry.kind == word(QUALIFIED),
        UsageEntry.unit_key.in_(unit_keys),
    )
    return int(await session.scalar(statement) or 0)


async def decisions(session: TenantReadSession, entry_id: UUID) -> list[Decision]:
    """What was decided of an entry, in order."""
    statement = (
        select(UsageDecision.decision)
        .where(UsageDecision.tenant_id == session.tenant_id, UsageDecision.entry_id == entry_id)
        .order_by(UsageDecision.at, UsageDecision.id)
    )
    return [Decision(word) for word in await session.scalars(statement)]


async def open_period(session: TenantReadSession, instant: datetime) -> UUID | None:
    """The open period that holds the instant, else the oldest open one.

    The latter is where a late entry belongs: its period is closed, or lies before the first.
    """
    holds = (Period.starts_at <= instant) & (Period.ends_at > instant)
    statement = (
        select(Period.id)
        .where(Period.tenant_id == session.tenant_id, Period.status == "open")
        .order_by(holds.desc(), Period.starts_at)
        .limit(1)
    )
    return await session.scalar(statement)


async def last_period_end(session: TenantReadSession) -> datetime | None:
    """Where the tenant's last period ends, None before its first."""
    statement = select(func.max(Period.ends_at)).where(Period.tenant_id == session.tenant_id)
    return await session.scalar(statement)


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


async def chain_parts(session: TenantReadSession) -> AsyncGenerator[Sequence[Sequence[Any]]]:
    """Every entry of the tenant in the order of the chain: ``CHAIN`` of each, a part at a time.

    Ids and instants come as the texts that hashes are made over, JSON as text: objects of theirs
    would take most of the time of reading. The next part is read while the caller works on one;
    close the iterator (``aclosing``) before anything else is asked of the session.
    """
    statement = (
        select(*(_as_hashed(UsageEntry.__table__.columns[name]) for name in CHAIN))
        .where(UsageEntry.tenant_id == session.tenant_id)
        .order_by(UsageEntry.sequence)
        .execution_options(yield_per=PART)
    )
    result = await (await session.connection()).stream(statement)
    parts = result.partitions()
    coming = asyncio.ensure_future(anext(parts, None))
    try:
        while (rows := await coming) is not None:
            coming = asyncio.ensure_future(anext(parts, None))
            await asyncio.sleep(0)  # it is asked for before the caller computes
            yield rows
    finally:
        # Nobody may use the transaction while a part is under way.
        await asyncio.wait([coming])


async def all_voided(session: TenantReadSession) -> set[UUID]:
    """The entries of the tenant that a reversal points at."""
    statement = select(UsageEntry.reverses_id).where(
        UsageEntry.tenant_id == session.tenant_id, UsageEntry.reverses_id.is_not(None)
    )
    return {one for one in await session.scalars(statement) if one is not None}


async def all_counters(session: TenantReadSession) -> dict[tuple[UUID, str], Used]:
    """Every cap counter of the tenant by campaign and bucket."""
    rows = await session.execute(
        select(
            CapCounter.campaign_ref, CapCounter.bucket, CapCounter.units, CapCounter.amount
        ).where(CapCounter.tenant_id == session.tenant_id)
    )
    return {(row.campaign_ref, row.bucket): Used(row.units, row.amount) for row in rows}


def _as_hashed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    match column.type:
        case Uuid() | JSONB():
            return cast(column, Text)
        case DateTime():
            return func.to_char(func.timezone("UTC", column), _INSTANT)
        case _:
            return column
