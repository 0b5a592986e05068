"""The two ends of a qualification: accepted or voided. Everything that follows from them.

The caller holds the candidate's lock.
"""

from typing import Any
from uuid import UUID

from flatbed.app.campaigns.orders.progress import note_acceptance, note_void_of_accepted
from flatbed.app.campaigns.orders.room import look_for_room
from flatbed.app.candidates.models import Candidate
from flatbed.app.candidates.pipeline.cases import case_of
from flatbed.app.candidates.pipeline.moves import move
from flatbed.app.candidates.records.service import candidate_to_write
from flatbed.app.candidates.rules.pipeline import voided
from flatbed.app.qualifications import cards, clocks, repository
from flatbed.app.qualifications.errors import QualificationStateError
from flatbed.app.qualifications.guarantee import cases
from flatbed.app.qualifications.models import Dispute, Qualification, QualificationReview
from flatbed.app.qualifications.rules.cases import CaseState
from flatbed.app.qualifications.rules.states import Act, Basis, CaseStatus, Status, Verdict, after
from flatbed.billing import facade
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.problems import NotFoundError

VOIDED = "qualification voided"
"""The reason of the candidate's backward move."""


async def locked(
    session: TenantSession, qualification_id: UUID, version: int | None = None
) -> tuple[Candidate, Qualification]:
    """The qualification with its candidate, under the candidate's lock.

    Raises:
        NotFoundError: no such qualification for this caller.
        PreconditionFailedError: another version is stored.
    """
    found = await repository.find(session, qualification_id)
    if found is None:
        raise NotFoundError
    candidate = await candidate_to_write(session, found.candidate_id)
    # Read again: whoever held the lock before may have decided it.
    qualification = await repository.find(session, qualification_id)
    if qualification is None:
        raise NotFoundError
    match(qualification.version, version)
    return candidate, qualification


def following(qualification: Qualification, act: Act) -> Status:
    """The state after the act.

    Raises:
        QualificationStateError: the present one does not allow it.
    """
    state = after(Status(qualification.status), act)
    if state is None:
        raise QualificationStateError(extra={"state": qualification.status})
    return state


def touch(session: TenantSession, row: Qualification | Dispute) -> None:
    """Let `updated_after` find the row. A sweep's clock may stand before its last change."""
    row.updated_at = max(row.updated_at, session.now())


async def is_given_up(session: TenantSession, qualification: Qualification) -> bool:
    """Whether the agency wrote the unit off: nothing is decided of its money any more."""
    state = await facade.state_of(session, qualification.entry_id)
    return state is facade.UsageState.WRITTEN_OFF


async def accept(session: TenantSession, qualification: Qualification, basis: Basis) -> None:
    """The unit is billable from now on; the campaign counts it and may be filled by it."""
    actor, entry_id = session.caller.actor, qualification.entry_id
    if await is_given_up(session, qualification):
        pass  # the unit counts as any other, but nobody will be asked for its money
    elif basis is Basis.DECISION:
        await facade.confirm_usage(session, entry_id, actor=actor)
    else:
        spoken = facade.Basis(basis.value)
        await facade.accept_usage(session, entry_id, basis=spoken, actor=actor)
    qualification.status = Status.ACCEPTED.value
    qualification.accepted_at = session.now()
    qualification.accepted_by = actor
    qualification.accepted_basis = basis.value
    touch(session, qualification)
    await clocks.stop_acceptance(session, qualification)
    detail = {**of(qualification), "basis": basis.value}
    mutation(session, "qualification.accepted", "qual", qualification.id, detail)
    await session.flush()
    failpoint(Failpoint.QUALIFICATION_ACCEPTED)
    await note_acceptance(session, qualification.campaign_id)


async def void(
    session: TenantSession,
    candidate: Candidate,
    qualification: Qualification,
    why: str,
    reason: str | None = None,
) -> None:
    """Reverse the unit, give the cap its room back and put the candidate back to planning.

    Args:
        session: the transaction.
        candidate: locked.
        qualification: not voided yet.
        why: the code of the void: ``dispute``, ``fraud``, ``unanswered``, ``review`` or
            ``replaced``.
        reason: the decider's words for the cases that end with it, None without a decider.
    """
    following(qualification, Act.VOID)
    was_accepted = qualification.status == Status.ACCEPTED.value
    case = await case_of(session, candidate)
    # Before the ledger: a submission holds the case when it asks for that.
    undone = await cases.void(session, qualification)
    await facade.reverse_usage(
        session, qualification.entry_id, reason=why, zone=case.organization.zone
    )
    qualification.status = Status.VOIDED.value
    qualification.voided_at = session.now()
    qualification.void_reason = why
    touch(session, qualification)
    await clocks.stop_acceptance(session, qualification)
    candidate.entry_id = None
    moved = voided(case.snapshot, case.rubric, VOIDED, session.now())
    if moved is None:
        candidate.updated_at = max(candidate.updated_at, session.now())
    else:
        await move(session, case, moved)
    detail = {**of(qualification), "reason": why, "generation": qualification.generation}
    mutation(session, "qualification.voided", "qual", qualification.id, detail)
    await session.flush()
    failpoint(Failpoint.QUALIFICATION_VOIDED)
    for one in await repository.disputes(session, [qualification]):
        if one.is_open:
            await close(session, one, "voided", reason)
    for review in await repository.reviews(session, [qualification]):
        if review.decided_at is None:
            await close(session, review, "voided", reason)
    if undone is not None and undone.was is CaseState.REPORTED:
        await cards.show_claim(session, undone.case, CaseStatus.VOIDED)
    if was_accepted and not (undone is not None and undone.was_out):
        await note_void_of_accepted(session, qualification.campaign_id)
    await look_for_room(session, qualification.campaign_id)


async def close(
    session: TenantSession,
    case: Dispute | QualificationReview,
    verdict: Verdict,
    reason: str | None,
) -> None:
    """Write the decision of a dispute or a review, and stop its clocks."""
    case.status = CaseStatus(verdict).value
    case.decision_reason = reason
    case.decided_by = session.caller.actor
    case.decided_at = session.now()
    detail = {
        "candidate_id": encode("cand", case.candidate_id),
        "qualification_id": encode("qual", case.qualification_id),
    }
    if isinstance(case, Dispute):
        case.decision = verdict
        touch(session, case)
        await clocks.stop_case(session, case)
        mutation(session, f"dispute.{verdict}", "disp", case.id, detail)
    else:
        mutation(session, f"review.{verdict}", "rev", case.id, detail)
    await session.flush()
    failpoint(Failpoint.DISPUTE_CLOSED)
    await cards.show(session, case)


def of(qualification: Qualification) -> dict[str, Any]:
    """What every event of a qualification names."""
    return {
        "candidate_id": encode("cand", qualification.candidate_id),
        "campaign_id": encode("camp", qualification.campaign_id),
    }
