"""Rules of the ledger: what is metered, once, under which caps, and what is decided of it.

Nothing here commits: an entry stands or falls with the transaction that qualified the unit.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.billing.usage import caps, chain
from flatbed.billing.usage.errors import AlreadyBilledError, CapReachedError, UsageStateError
from flatbed.billing.usage.periods import (
    first_period,
    month_of,
    next_period,
    periods_until,
)
from flatbed.billing.usage.records import RecordedUsage, UsageRequest
from flatbed.billing.usage.repository import ledger
from flatbed.billing.usage.states import FOLLOWS, Basis, Decision, UsageState, usage_state
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs.queue import enqueue
from flatbed.tenants.kit.problems import NotFoundError

ANCHOR_JOB: Final = "anchor"
"""The job that writes the new head to the anchor file (``tasks.anchor_ledger``)."""


async def record_usage(session: TenantSession, request: UsageRequest) -> RecordedUsage:
    """Meter one unit. The caller holds the candidate's lock and sets ``candidate.entry_id``.

    Raises:
        CapReachedError: a cap leaves no room; nothing was changed.
        AlreadyBilledError: an unreversed entry stands under one of the unit keys.
    """
    month = month_of(request.occurred_at, request.zone)
    counters = await ledger.lock_counters(session, request.campaign_ref, [caps.TOTAL, month])
    failpoint(Failpoint.CAPS_LOCKED)
    _refuse_over_cap(request, counters[caps.TOTAL], counters[month])
    head = await ledger.lock_head(session)
    failpoint(Failpoint.LEDGER_LOCKED)
    if await ledger.live(session, request.unit_keys):
        raise AlreadyBilledError
    generation = await ledger.last_generation(session, request.unit_keys) + 1
    await ledger.count(session, request.campaign_ref, counters, units=1, amount=request.unit_price)
    failpoint(Failpoint.CAPS_COUNTED)
    entry = await _append(
        session,
        head,
        request.zone,
        {
            "kind": ledger.QUALIFIED,
            "units": 1,
            "amount": request.unit_price,
            "currency": request.currency,
            "unit_key": request.unit_keys[0],
            "generation": generation,
            "source": request.source,
            "source_id": request.source_id,
            "reverses_id": None,
            "campaign_ref": request.campaign_ref,
            "programme_ref": request.programme_ref,
            "price_ref": request.price_ref,
            "evidence_hash": request.evidence_hash,
            "occurred_at": request.occurred_at,
            "month": month,
        },
    )
    _tell(session, "usage.recorded", entry.entry_id, {"generation": generation})
    return entry


async def reverse_usage(
    session: TenantSession, entry_id: UUID, *, reason: str, zone: ZoneInfo
) -> RecordedUsage:
    """Void an entry: a reversal of -1 unit; caps get back what the entry reserved.

    The reversal's money is what was billed; nothing is billed yet, so it is 0.

    Args:
        session: the transaction of the void.
        entry_id: the entry.
        reason: a code of the caller, kept in the audit.
        zone: the tenant's time zone, for the period.

    Raises:
        NotFoundError: no such qualified entry of this tenant.
        UsageStateError: it is reversed already.
    """
    entry = await _qualified(session, entry_id)
    buckets = [caps.TOTAL, str(entry["month"])]
    await ledger.lock_counters(session, entry["campaign_ref"], buckets)
    head = await ledger.lock_head(session)
    if await ledger.is_reversed(session, entry_id):
        raise _state(UsageState.REVERSED)
    await ledger.count(
        session, entry["campaign_ref"], buckets, units=-1, amount=-int(entry["amount"])
    )
    reversal = await _append(
        session,
        head,
        zone,
        {
            **entry,
            "kind": ledger.REVERSAL,
            "units": -1,
            "amount": 0,
            "reverses_id": entry_id,
            "occurred_at": session.now(),
        },
    )
    failpoint(Failpoint.USAGE_REVERSED)
    _tell(session, "usage.reversed", entry_id, {"reason": reason})
    return reversal


async def accept_usage(session: TenantSession, entry_id: UUID, *, basis: Basis, actor: str) -> None:
    """The ISV takes the unit, by a person or by silence: it is billable from now on.

    The caller of this and of the other decisions holds the candidate's lock.

    Raises:
        NotFoundError: no such qualified entry of this tenant.
        UsageStateError: the entry is not pending.
    """
    await _decide(session, entry_id, Decision.ACCEPTED, basis, actor)


async def dispute_usage(session: TenantSession, entry_id: UUID, *, actor: str) -> None:
    """The ISV objects: the unit is held until it is decided.

    Raises:
        NotFoundError: no such qualified entry of this tenant.
        UsageStateError: the entry is not pending.
    """
    await _decide(session, entry_id, Decision.DISPUTED, Basis.PERSON, actor)


async def confirm_usage(session: TenantSession, entry_id: UUID, *, actor: str) -> None:
    """The dispute is decided for the unit: it is accepted from now on.

    Raises:
        NotFoundError: no such qualified entry of this tenant.
        UsageStateError: the entry is not disputed.
    """
    await _decide(session, entry_id, Decision.CONFIRMED, Basis.DECISION, actor)


async def state_of(session: TenantReadSession, entry_id: UUID) -> UsageState:
    """The state of an entry.

    Raises:
        NotFoundError: no such qualified entry of this tenant.
    """
    await _qualified(session, entry_id)
    return usage_state(
        await ledger.decisions(session, entry_id),
        is_reversed=await ledger.is_reversed(session, entry_id),
    )


async def billed_before(session: TenantReadSession, unit_keys: tuple[str, ...]) -> bool:
    """Whether a live entry stands under one of these unit keys."""
    return await ledger.live(session, unit_keys)


def _refuse_over_cap(request: UsageRequest, total: caps.Used, month: caps.Used) -> None:
    met = caps.reached(request.caps, total=total, month=month, unit_price=request.unit_price)
    if met:
        raise CapReachedError(extra={"caps": [asdict(one) for one in met]})


async def _append(
    session: TenantSession, head: chain.Head, zone: ZoneInfo, values: Mapping[str, Any]
) -> RecordedUsage:
    """Write the next entry of the chain. The caller holds the head's lock."""
    content = {
        **values,
        "tenant_id": session.tenant_id,
        "id": uuid7(),
        "sequence": head.sequence + 1,
        "recorded_at": session.now(),
        "period_id": await period_for(session, values["occurred_at"], zone),
    }
    hash_ = chain.seal(head, content)
    await ledger.add_entry(session, content, head.hash, hash_)
    failpoint(Failpoint.LEDGER_INSERTED)
    await ledger.move_head(session, chain.Head(head.sequence + 1, hash_))
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


async def anchor_later(session: TenantSession) -> None:
    """Have the new head written outside the database once this is committed."""
    await enqueue(session, ANCHOR_JOB, realm_id=session.realm_id, tenant_id=session.tenant_id)


async def period_for(session: TenantSession, instant: datetime, zone: ZoneInfo) -> UUID:
    """The period that an entry of this instant belongs to; missing ones are made."""
    end = await ledger.last_period_end(session)
    if end is None:
        return await ledger.add_period(session, first_period(instant, zone), None)
    for span in periods_until(end, instant, zone):
        await ledger.add_period(session, span, end)
        end = span.ends_at
    found = await ledger.open_period(session, instant)
    if found is None:
        found = await ledger.add_period(session, next_period(end, zone), end)
    return found


async def _decide(
    session: TenantSession, entry_id: UUID, decision: Decision, basis: Basis, actor: str
) -> None:
    state = await state_of(session, entry_id)
    if state not in FOLLOWS[decision]:
        raise _state(state)
    await ledger.add_decision(session, entry_id, decision, basis, actor)
    failpoint(Failpoint.USAGE_DECIDED)
    _tell(session, f"usage.{decision}", entry_id, {"basis": basis.value})


async def _qualified(session: TenantReadSession, entry_id: UUID) -> Mapping[str, Any]:
    entry = await ledger.find_entry(session, entry_id)
    if entry is None or entry["kind"] != ledger.QUALIFIED:
        raise NotFoundError
    return entry


def _state(state: UsageState) -> UsageStateError:
    return UsageStateError(extra={"state": state.value})


def _tell(session: TenantSession, action: str, entry_id: UUID, detail: dict[str, Any]) -> None:
    mutation(session, action, "use", entry_id, detail)
