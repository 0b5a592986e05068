"""What becomes of a guarantee case: opened, held, made good by a replacement, cancelled.

The caller holds a candidate's lock. A case is locked after it and before the line's successors:
candidate → line → case → cap counters → ledger head → campaign.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from flatbed.app.campaigns.orders.progress import note_void_of_accepted
from flatbed.app.campaigns.orders.room import look_for_room
from flatbed.app.qualifications.guarantee import repository
from flatbed.app.qualifications.guarantee.models import GuaranteeCase
from flatbed.app.qualifications.models import Qualification
from flatbed.app.qualifications.rules.cases import OUT, UNDONE, CaseState, Cause
from flatbed.app.qualifications.rules.guarantee import REPLACEMENT, percent
from flatbed.billing.facade import UsageState, state_of
from flatbed.tenants.kit import deadlines
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode, uuid7

REMEDY: Final = "guarantee.remedy"
"""The deadline at which a case is credited; its subject is the case."""
PAYABLE: Final = frozenset({UsageState.ACCEPTED, UsageState.BILLED})


async def confirm(session: TenantSession, case: GuaranteeCase, day: int, *, is_held: bool) -> None:
    """A lead found that the partner withdrew: the day is frozen, a replacement is owed.

    The campaign counts the unit no more and runs again if it was filled by it; whoever waits
    there over a cap may be the replacement.

    Args:
        session: the transaction.
        case: reported.
        day: of the guarantee, on which the partner withdrew.
        is_held: a dispute or a review of the unit comes first.
    """
    case.status = (CaseState.HELD if is_held else CaseState.OPEN).value
    case.day, case.percent = day, percent(day)
    case.replace_by = session.now() + REPLACEMENT
    await tell(session, case, "opened", {"day": case.day, "percent": case.percent})
    failpoint(Failpoint.GUARANTEE_OPENED)
    await note_void_of_accepted(session, case.campaign_id)
    await _expect_remedy(session, case)
    await look_for_room(session, case.campaign_id)


async def owe(session: TenantSession, qualification: Qualification, reason: str) -> None:
    """A dispute was decided to be `replaced`: the next unit takes the voided one's place."""
    now = session.now()
    case = GuaranteeCase(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=qualification.candidate_id,
        campaign_id=qualification.campaign_id,
        qualification_id=qualification.id,
        cause=Cause.DISPUTE.value,
        status=CaseState.OPEN.value,
        entry_id=qualification.entry_id,
        paid_entry_id=qualification.entry_id,
        reported_by=session.caller.actor,
        reported_at=now,
        decided_by=session.caller.actor,
        decided_at=now,
        decision_reason=reason,
        replace_by=now + REPLACEMENT,
        currency=qualification.currency,
        created_at=now,
        updated_at=now,
    )
    session.add(case)
    await tell(session, case, "opened")
    await _expect_remedy(session, case)


async def next_owed(
    session: TenantSession, campaign_id: UUID, candidate_id: UUID
) -> GuaranteeCase | None:
    """The case that the campaign's next unit makes good, under its lock.

    One whose unit was written off is passed by: it was never paid, so that nothing is owed.
    """
    passed: list[UUID] = []
    while True:
        case = await repository.lock_owed(session, campaign_id, candidate_id, without=passed)
        if case is None or case.cause == Cause.DISPUTE.value:
            return case
        if await state_of(session, case.entry_id) in PAYABLE:
            return case
        passed.append(case.id)


async def make_good(
    session: TenantSession, case: GuaranteeCase, qualification: Qualification
) -> None:
    """The unit that was just metered is the replacement."""
    case.status = CaseState.REPLACED.value
    case.replacement_id = qualification.id
    case.ended_at = session.now()
    # Its deadline stays: a hunter does not see another candidate's, and it finds nothing to do.
    await tell(session, case, "replaced", {"replacement_id": encode("qual", qualification.id)})


async def hold(session: TenantSession, qualification: Qualification) -> None:
    """A dispute or a review of the unit was opened: no replacement is given before it is over."""
    case = await repository.of_unit(session, qualification.id, lock=True)
    if case is not None and case.status == CaseState.OPEN.value:
        case.status = CaseState.HELD.value
        await tell(session, case, "held")


async def release(session: TenantSession, qualification: Qualification) -> None:
    """Dispute and review are over and the unit stands: its case goes on."""
    case = await repository.of_unit(session, qualification.id, lock=True)
    if case is not None and case.status == CaseState.HELD.value:
        case.status = CaseState.OPEN.value
        await tell(session, case, "released")
        await _expect_remedy(session, case)
        await look_for_room(session, case.campaign_id)


@dataclass(frozen=True, slots=True)
class Undone:
    """A case that ended with the void of its unit, and how it stood before."""

    case: GuaranteeCase
    was: CaseState

    @property
    def was_out(self) -> bool:
        """Whether the campaign counted the unit as accepted no more."""
        return self.was in OUT


async def void(session: TenantSession, qualification: Qualification) -> Undone | None:
    """The unit is being voided: its own case ends, the one that it made good is open again.

    Call it before the ledger is locked. Returns its own case, None where none was undone.
    """
    undone = None
    for case in await repository.concerning(session, qualification.id):
        state = CaseState(case.status)
        if case.replacement_id == qualification.id:
            case.status = CaseState.OPEN.value
            case.replacement_id, case.ended_at = None, None
            await tell(session, case, "reopened")
            await _expect_remedy(session, case)
        elif state in UNDONE:
            undone = Undone(case, state)
            case.status = CaseState.CANCELLED.value
            case.ended_at = session.now()
            await deadlines.cancel(
                session, candidate_id=case.candidate_id, kind=REMEDY, subject_id=case.id
            )
            await tell(session, case, "cancelled")
    return undone


async def is_made_good(session: TenantSession, qualification: Qualification) -> bool:
    """Whether a replacement stands for the unit."""
    case = await repository.of_unit(session, qualification.id, lock=True)
    return case is not None and case.status == CaseState.REPLACED.value


async def makes_good(session: TenantReadSession, qualification: Qualification) -> bool:
    """Whether the unit is the replacement of another."""
    return await repository.answered_by(session, qualification.id) is not None


async def tell(
    session: TenantSession,
    case: GuaranteeCase,
    verb: str,
    more: dict[str, Any] | None = None,
) -> None:
    """Write the case's change, with its audit row and event."""
    # A sweep's clock may stand before the row's last change.
    case.updated_at = max(case.updated_at, session.now())
    detail = {
        "candidate_id": encode("cand", case.candidate_id),
        "campaign_id": encode("camp", case.campaign_id),
        "qualification_id": encode("qual", case.qualification_id),
        "cause": case.cause,
        **(more or {}),
    }
    mutation(session, f"guarantee_case.{verb}", "gcase", case.id, detail)
    await session.flush()


async def _expect_remedy(session: TenantSession, case: GuaranteeCase) -> None:
    if case.replace_by is not None:
        await deadlines.schedule(
            session,
            candidate_id=case.candidate_id,
            kind=REMEDY,
            subject_id=case.id,
            due_at=max(case.replace_by, session.now()),
        )
