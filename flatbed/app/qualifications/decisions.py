"""Decisions of disputes and reviews: by a lead who had no hand in it, else by compliance."""

from uuid import UUID

from flatbed.app.candidates.models import Candidate
from flatbed.app.qualifications import clocks, outcome, reading, repository
from flatbed.app.qualifications.disputes import go_on, last_dispute
from flatbed.app.qualifications.errors import (
    DecisionNotDueError,
    DecisionOverdueError,
    DisputeStateError,
)
from flatbed.app.qualifications.guarantee import cases
from flatbed.app.qualifications.involvement import check_uninvolved
from flatbed.app.qualifications.models import Dispute, Qualification, QualificationReview
from flatbed.app.qualifications.rules.states import Act, Basis, CaseStatus, Status
from flatbed.app.qualifications.rules.terms import resumed_term
from flatbed.app.qualifications.schemas import DecisionCreate, QualificationRead
from flatbed.tenants.access.principal import Principal, Role
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.problems import InvalidError

CONFIRMED = "confirmed"
REPLACED = "replaced"


async def decide(
    session: TenantSession,
    principal: Principal,
    qualification_id: UUID,
    body: DecisionCreate,
    version: int | None,
) -> tuple[QualificationRead, int]:
    """Decide the dispute that was answered, or the open review where no dispute waits.

    Raises:
        NotFoundError: no such qualification of this tenant.
        PreconditionFailedError: another version is stored.
        DisputeStateError: nothing waits for a decision, or the dispute for its answer.
        InvalidError: a review is not decided to be `replaced`.
        DeciderInvolvedError: the decider had a hand in the candidate.
        DecisionOverdueError: the leads' term has ended.
        DecisionNotDueError: compliance comes after the leads.
    """
    candidate, row = await outcome.locked(session, qualification_id, version)
    dispute = await last_dispute(session, row)
    review = await repository.open_review(session, row)
    if dispute is not None and dispute.is_open:
        await _check_dispute(session, principal, candidate, dispute)
        await _decide_dispute(session, candidate, row, dispute, body)
    elif review is not None:
        # A review has no term: compliance may decide it where every lead had a hand in it.
        await check_uninvolved(session, principal, candidate)
        await _decide_review(session, candidate, row, review, body)
    else:
        raise DisputeStateError(extra={"state": None if dispute is None else dispute.status})
    return await reading.read(session, principal, row), row.version


async def _check_dispute(
    session: TenantReadSession, principal: Principal, candidate: Candidate, dispute: Dispute
) -> None:
    if dispute.status != CaseStatus.ANSWERED.value or dispute.decide_by is None:
        raise DisputeStateError(extra={"state": dispute.status})
    over = session.now() >= dispute.decide_by
    if principal.role is Role.COMPLIANCE and not over:
        raise DecisionNotDueError
    if principal.role is not Role.COMPLIANCE and over:
        raise DecisionOverdueError
    await check_uninvolved(session, principal, candidate)


async def _decide_dispute(
    session: TenantSession,
    candidate: Candidate,
    row: Qualification,
    dispute: Dispute,
    body: DecisionCreate,
) -> None:
    if body.decision == REPLACED:
        # Nothing stays paid for the voided unit, so that its replacement has the frozen price.
        is_owed = await cases.makes_good(session, row)
        await outcome.close(session, dispute, REPLACED, body.reason)
        await outcome.void(session, candidate, row, REPLACED, body.reason)
        if not is_owed:  # else the case that it had made good is open again: one partner is due
            await cases.owe(session, row, body.reason)
        return
    if body.decision != CONFIRMED:
        why = "fraud" if dispute.fraud else "dispute"
        await outcome.void(session, candidate, row, why, body.reason)
        return
    outcome.following(row, Act.CONFIRM)
    await outcome.close(session, dispute, CONFIRMED, body.reason)
    if row.status == Status.DISPUTED.value:
        await outcome.accept(session, row, Basis.DECISION)
    else:
        # Fraud was brought against an accepted unit: its acceptance stands as it was.
        await _touched(session, row)
        await go_on(session, row)


async def _decide_review(
    session: TenantSession,
    candidate: Candidate,
    row: Qualification,
    review: QualificationReview,
    body: DecisionCreate,
) -> None:
    if body.decision == REPLACED:
        message = "A review is confirmed or voided."
        raise InvalidError.at("/decision", "not-applicable", message)
    if body.decision != CONFIRMED:
        await outcome.void(session, candidate, row, "review", body.reason)
        return
    outcome.following(row, Act.CONFIRM)
    await outcome.close(session, review, CONFIRMED, body.reason)
    if row.status == Status.PENDING.value:
        await _resume(session, row, review)
    else:
        await _touched(session, row)
        await go_on(session, row)


async def _resume(session: TenantSession, row: Qualification, review: QualificationReview) -> None:
    """Let the ISV's term run on: silence waited for the decision."""
    calendar = await clocks.calendar_of(session)
    stood = [review.opened_at]
    # A dispute that was withdrawn meanwhile has set the term anew.
    stood += [
        one.withdrawn_at
        for one in await repository.disputes(session, [row])
        if one.withdrawn_at is not None
    ]
    term = resumed_term(max(stood), session.now(), row.accept_by, calendar)
    row.accept_by = term.accept_by
    detail = {**outcome.of(row), "accept_by": row.accept_by.isoformat()}
    mutation(session, "qualification.resumed", "qual", row.id, detail)
    await _touched(session, row)
    await clocks.start_acceptance(session, row, term)


async def _touched(session: TenantSession, row: Qualification) -> None:
    outcome.touch(session, row)
    await session.flush()
