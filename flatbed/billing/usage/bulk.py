"""Many units at once: for a realm that is filled in one go (``flatbed demo seed --scale``).

The same locks, caps, keys and chain as one at a time; only the statements are fewer. Nothing
here commits.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from flatbed.billing.usage import caps, chain
from flatbed.billing.usage.errors import AlreadyBilledError, CapReachedError
from flatbed.billing.usage.opening import period_for
from flatbed.billing.usage.periods import month_of
from flatbed.billing.usage.records import RecordedUsage, UsageRequest
from flatbed.billing.usage.repository import ledger
from flatbed.billing.usage.service import anchor_later, content_of
from flatbed.billing.usage.states import Basis, Decision
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.ids import uuid7


async def record_all(
    session: TenantSession, requests: Sequence[UsageRequest]
) -> list[RecordedUsage]:
    """Meter units that were never metered before; the ledger takes them in the order given.

    For campaigns of which nothing was billed yet: no tier but the first is passed.

    Raises:
        CapReachedError: a cap leaves no room for all of them.
        AlreadyBilledError: one of the unit keys is in the ledger, reversed or not, or given twice.
    """
    await _reserve(session, requests)
    head: chain.Head = await ledger.lock_head(session)
    keys = [key for one in requests for key in one.unit_keys]
    if len(set(keys)) < len(keys) or (await ledger.known(session, keys)).generation:
        raise AlreadyBilledError
    periods: dict[str, UUID] = {}
    entries, recorded = list[dict[str, Any]](), list[RecordedUsage]()
    for one in requests:
        month = month_of(one.occurred_at, one.zone)
        if month not in periods:
            periods[month] = await period_for(session, one.occurred_at, one.zone)
        content = {
            **content_of(one, generation=1, amount=one.price.highest(1), month=month),
            "tenant_id": session.tenant_id,
            "id": uuid7(),
            "sequence": head.sequence + 1,
            "recorded_at": session.now(),
            "period_id": periods[month],
        }
        hash_ = chain.seal(head, content)
        entries.append({**content, "previous_hash": head.hash, "hash": hash_})
        head = chain.Head(head.sequence + 1, hash_)
        recorded.append(
            RecordedUsage(
                entry_id=content["id"],
                sequence=head.sequence,
                generation=1,
                period_id=periods[month],
                hash=hash_,
                amount=content["amount"],
                currency=one.currency,
            )
        )
        mutation(session, "usage.recorded", "use", content["id"], {"generation": 1})
    if entries:
        await ledger.add_entries(session, entries)
        await ledger.move_head(session, head)
        await anchor_later(session)
    return recorded


async def accept_all(
    session: TenantSession, accepted: Sequence[tuple[UUID, datetime]], *, basis: Basis, actor: str
) -> None:
    """The ISV takes units that :func:`record_all` has just metered, each at its instant."""
    if accepted:
        await ledger.add_decisions(session, accepted, Decision.ACCEPTED, basis, actor)
    for entry_id, _ in accepted:
        mutation(session, f"usage.{Decision.ACCEPTED}", "use", entry_id, {"basis": basis.value})


async def _reserve(session: TenantSession, requests: Sequence[UsageRequest]) -> None:
    """Lock the counters of all months and count, unless a cap is met."""
    buckets = [(one, month_of(one.occurred_at, one.zone)) for one in requests]
    used = await ledger.lock_all_counters(
        session,
        {(one.campaign_ref, bucket) for one, month in buckets for bucket in (caps.TOTAL, month)},
    )
    for one, month in buckets:
        total, monthly = used[one.campaign_ref, caps.TOTAL], used[one.campaign_ref, month]
        amount = one.price.highest(1)
        if caps.reached(one.caps, total=total, month=monthly, unit_price=amount):
            raise CapReachedError
        for bucket, before in ((caps.TOTAL, total), (month, monthly)):
            after = caps.Used(before.units + 1, before.amount + amount)
            used[one.campaign_ref, bucket] = after
    await ledger.set_counters(session, used)
