"""Rules of the ledger: what is metered, once, under which caps, and what goes back.

Nothing here commits: an entry stands or falls with the transaction that qualified the unit.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.billing.pricing.rules.tiers import schedule, share
from flatbed.billing.usage import caps, chain
from flatbed.billing.usage.decisions import qualified, refused, state_of, tell
from flatbed.billing.usage.errors import (
    AlreadyBilledError,
    AlreadyReplacedError,
    CapReachedError,
    NotBilledError,
)
from flatbed.billing.usage.opening import period_for
from flatbed.billing.usage.periods import month_of
from flatbed.billing.usage.records import RecordedUsage, UsageRequest
from flatbed.billing.usage.repository import ledger, lines
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs.queue import enqueue

ANCHOR_JOB: Final = "anchor"
"""The job that writes the new head to the anchor file (``tasks.anchor_ledger``)."""


async def record_usage(session: TenantSession, request: UsageRequest) -> RecordedUsage:
    """Meter one unit. The caller holds the candidate's lock and sets ``candidate.entry_id``.

    Caps reserve what the unit costs at most, since tiers fall by the order of acceptance.

    Raises:
        CapReachedError: a cap leaves no room; nothing was changed.
        AlreadyBilledError: an unreversed entry stands under one of the unit keys.
        NotFoundError: no such entry of this tenant to replace.
        UsageStateError: the entry to replace was reversed or never taken.
        AlreadyReplacedError: another live unit replaces it already.
    """
    # Before any lock: what the caller has pending may wait for others.
    await session.flush()
    month = month_of(request.occurred_at, request.zone)
    reserved = await _reserve(session, request, month)
    head = await ledger.lock_head(session)
    failpoint(Failpoint.LEDGER_LOCKED)
    known = await ledger.known(session, request.unit_keys)
    if known.is_live:
        raise AlreadyBilledError
    if request.replaces_id is not None:
        await _check_replaced(session, request.replaces_id)
    generation = known.generation + 1
    amount = request.price.of(1) if reserved is None else reserved.amount
    content = content_of(request, generation=generation, amount=amount, month=month)
    entry = await _append(session, head, request.zone, content, reserved)
    tell(session, "usage.recorded", entry.entry_id, {"generation": generation})
    return entry


def content_of(
    request: UsageRequest, *, generation: int, amount: int, month: str
) -> dict[str, Any]:
    """A unit's entry, without its place in the ledger."""
    return {
        "kind": ledger.QUALIFIED,
        "units": 1,
        "amount": amount,
        "currency": request.currency,
        "unit_key": request.unit_keys[0],
        "generation": generation,
        "source": request.source,
        "source_id": request.source_id,
        "reverses_id": None,
        "credits_id": None,
        "replaces_id": request.replaces_id,
        "campaign_ref": request.campaign_ref,
        "programme_ref": request.programme_ref,
        "price_ref": request.price_ref,
        "tiers": schedule(request.price),
        "evidence_hash": request.evidence_hash,
        "country": request.country,
        "agent_ref": request.agent_ref,
        "occurred_at": request.occurred_at,
        "month": month,
        "format": chain.FORMAT,
    }


async def reverse_usage(
    session: TenantSession, entry_id: UUID, *, reason: str, zone: ZoneInfo
) -> RecordedUsage:
    """Void an entry: a reversal of -1 unit; caps get back what the entry reserves.

    The reversal's money is what was billed and not yet credited, 0 if nothing was billed.

    Args:
        session: the transaction of the void.
        entry_id: the entry.
        reason: a code of the caller, kept in the audit.
        zone: the tenant's time zone, for the period.

    Raises:
        NotFoundError: no such qualified entry of this tenant.
        UsageStateError: it is reversed already.
    """
    entry = await qualified(session, entry_id)
    buckets = [caps.TOTAL, str(entry["month"])]
    await ledger.lock_counters(session, entry["campaign_ref"], buckets)
    head = await ledger.lock_head(session)
    if await ledger.is_reversed(session, entry_id):
        raise refused(await state_of(session, entry_id))
    billed = await lines.billed(session, entry_id)
    if entry["replaces_id"] is None:
        # What is billed is what the counters hold since the closing.
        reserved = int(entry["amount"]) if billed is None else billed
        await ledger.count(session, entry["campaign_ref"], buckets, units=-1, amount=-reserved)
    back = 0 if billed is None else billed - await lines.credited(session, entry_id)
    reversal = await _append(
        session,
        head,
        zone,
        {
            **entry,
            "kind": ledger.REVERSAL,
            "units": -1,
            "amount": -back,
            "reverses_id": entry_id,
            "replaces_id": None,
            "occurred_at": session.now(),
            "format": chain.FORMAT,
        },
    )
    failpoint(Failpoint.USAGE_REVERSED)
    tell(session, "usage.reversed", entry_id, {"reason": reason, "amount": -back})
    return reversal


async def credit_usage(
    session: TenantSession, entry_id: UUID, *, percent: int, reason: str, zone: ZoneInfo
) -> RecordedUsage | None:
    """Give back a share of what was billed for a unit that stands; together at most all of it.

    Args:
        session: the transaction of the guarantee case.
        entry_id: the unit's entry.
        percent: of what was billed, 1 to 100; rounded half to even.
        reason: a code of the caller, kept in the audit.
        zone: the tenant's time zone, for the period.

    Returns the credit, None where nothing is left to give back.

    Raises:
        NotFoundError: no such qualified entry of this tenant.
        UsageStateError: it is reversed or written off.
        NotBilledError: it stands on no statement yet; ask again after the next closing.
    """
    entry = await qualified(session, entry_id)
    head = await ledger.lock_head(session)
    state = await state_of(session, entry_id)
    if state in {UsageState.PENDING, UsageState.DISPUTED, UsageState.ACCEPTED}:
        raise NotBilledError(extra={"state": state.value})
    billed = await lines.billed(session, entry_id)
    if state is not UsageState.BILLED or billed is None:
        raise refused(state)
    back = min(share(billed, percent), billed - await lines.credited(session, entry_id))
    if back <= 0:
        return None
    credit = await _append(
        session,
        head,
        zone,
        {
            **entry,
            "kind": ledger.CREDIT,
            "units": 0,
            "amount": -back,
            "credits_id": entry_id,
            "replaces_id": None,
            "occurred_at": session.now(),
            "format": chain.FORMAT,
        },
    )
    tell(session, "usage.credited", entry_id, {"reason": reason, "amount": -back})
    return credit


async def billed_before(session: TenantReadSession, unit_keys: tuple[str, ...]) -> bool:
    """Whether a live entry stands under one of these unit keys."""
    return (await ledger.known(session, unit_keys)).is_live


async def anchor_later(session: TenantSession) -> None:
    """Have the new head written outside the database once this is committed."""
    await enqueue(session, ANCHOR_JOB, realm_id=session.realm_id, tenant_id=session.tenant_id)


async def _reserve(
    session: TenantSession, request: UsageRequest, month: str
) -> ledger.Counted | None:
    """Lock the counters and see that there is room. Returns what is counted with the entry."""
    if request.replaces_id is not None:
        return None
    counters = await ledger.lock_counters(session, request.campaign_ref, [caps.TOTAL, month])
    failpoint(Failpoint.CAPS_LOCKED)
    price, billed = request.price, 0
    if price.tiers:
        billed = await lines.last_rank(session, request.campaign_ref, request.currency)
    amount = price.highest(billed + 1)
    met = caps.reached(
        request.caps, total=counters[caps.TOTAL], month=counters[month], unit_price=amount
    )
    if met:
        problem = CapReachedError(extra={"caps": [asdict(one) for one in met]})
        problem.is_final = caps.holds_none(request.caps, unit_price=amount)
        raise problem
    return ledger.Counted(request.campaign_ref, counters.keys(), amount)


async def _check_replaced(session: TenantReadSession, entry_id: UUID) -> None:
    """Only a unit that was taken is replaced, and once."""
    state = await state_of(session, entry_id)
    if state not in {UsageState.ACCEPTED, UsageState.BILLED}:
        raise refused(state)
    if await lines.is_replaced(session, entry_id):
        raise AlreadyReplacedError


async def _append(
    session: TenantSession,
    head: ledger.Locked,
    zone: ZoneInfo,
    values: Mapping[str, Any],
    counted: ledger.Counted | None = None,
) -> RecordedUsage:
    """Write the next entry of the chain. The caller holds the locks of head and counters."""
    content = {
        **values,
        "tenant_id": session.tenant_id,
        "id": uuid7(),
        "sequence": head.sequence + 1,
        "recorded_at": session.now(),
        "period_id": await period_for(session, values["occurred_at"], zone, head.period),
    }
    hash_ = chain.seal(head, content)
    await ledger.add_entry(session, content, head.hash, hash_)
    failpoint(Failpoint.LEDGER_INSERTED)
    await ledger.move_head(session, chain.Head(head.sequence + 1, hash_), counted)
    failpoint(Failpoint.LEDGER_MOVED)
    await anchor_later(session)
    return RecordedUsage(
        entry_id=content["id"],
        sequence=content["sequence"],
        generation=content["generation"],
        period_id=content["period_id"],
        hash=hash_,
        amount=content["amount"],
        currency=content["currency"],
    )
