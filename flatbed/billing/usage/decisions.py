"""What is decided of a metered unit: taken, disputed, confirmed, written off."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flatbed.billing.usage.errors import UsageStateError
from flatbed.billing.usage.opening import period_for
from flatbed.billing.usage.repository import ledger, lines
from flatbed.billing.usage.states import FOLLOWS, Basis, Decision, UsageState, usage_state
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.organizations.service import organization_of


async def accept_usage(session: TenantSession, entry_id: UUID, *, basis: Basis, actor: str) -> None:
    """The ISV takes the unit, by a person, by silence or by signing: it is billable from now on.

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


async def withdraw_usage_dispute(session: TenantSession, entry_id: UUID, *, actor: str) -> None:
    """The ISV takes its objection back: the unit is pending again.

    Raises:
        NotFoundError: no such qualified entry of this tenant.
        UsageStateError: the entry is not disputed.
    """
    await _decide(session, entry_id, Decision.WITHDRAWN, Basis.PERSON, actor)


async def confirm_usage(session: TenantSession, entry_id: UUID, *, actor: str) -> None:
    """The dispute is decided for the unit: it is accepted from now on.

    Raises:
        NotFoundError: no such qualified entry of this tenant.
        UsageStateError: the entry is not disputed.
    """
    await _decide(session, entry_id, Decision.CONFIRMED, Basis.DECISION, actor)


async def write_off(session: TenantSession, entry_id: UUID, *, actor: str, reason: str) -> None:
    """The agency gives up the money for a unit that is not billed, by name and with a reason.

    The unit stays qualified and keeps its room under the caps.

    Raises:
        NotFoundError: no such qualified entry of this tenant.
        UsageStateError: the entry is billed, reversed or written off already.
    """
    await _decide(session, entry_id, Decision.WRITTEN_OFF, Basis.PERSON, actor, reason)


async def state_of(session: TenantReadSession, entry_id: UUID) -> UsageState:
    """The state of an entry.

    Raises:
        NotFoundError: no such qualified entry of this tenant.
    """
    await qualified(session, entry_id)
    return usage_state(
        await ledger.decisions(session, entry_id),
        is_reversed=await ledger.is_reversed(session, entry_id),
        is_billed=await lines.billed(session, entry_id) is not None,
    )


async def qualified(session: TenantReadSession, entry_id: UUID) -> Mapping[str, Any]:
    """The content of a unit's entry.

    Raises:
        NotFoundError: no such qualified entry of this tenant.
    """
    entry = await ledger.find_entry(session, entry_id)
    if entry is None or entry["kind"] != ledger.QUALIFIED:
        raise NotFoundError
    return entry


def refused(state: UsageState) -> UsageStateError:
    """The refusal that names the entry's state."""
    return UsageStateError(extra={"state": state.value})


def tell(session: TenantSession, action: str, entry_id: UUID, detail: dict[str, Any]) -> None:
    """Audit row and event of a change of an entry."""
    mutation(session, action, "use", entry_id, detail)


async def _decide(
    session: TenantSession,
    entry_id: UUID,
    decision: Decision,
    basis: Basis,
    actor: str,
    reason: str | None = None,
) -> None:
    # Under the head, as every closing: what is decided is billed by it or by a later one.
    await ledger.lock_head(session)
    state = await state_of(session, entry_id)
    if state not in FOLLOWS[decision]:
        raise refused(state)
    await ledger.add_decision(session, entry_id, decision, basis, actor, reason)
    failpoint(Failpoint.USAGE_DECIDED)
    if decision in {Decision.ACCEPTED, Decision.CONFIRMED}:
        # Its own period may be closed, and nobody may have needed the next one yet.
        await period_for(session, session.now(), (await organization_of(session)).zone)
    tell(session, f"usage.{decision}", entry_id, {"basis": basis.value})
