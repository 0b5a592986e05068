"""The ISV takes a dispute back: it has what was left of its term to accept, and no second one."""

from uuid import UUID

from flatbed.app.qualifications import cards, clocks, outcome, reading, repository
from flatbed.app.qualifications.disputes import go_on, last_dispute
from flatbed.app.qualifications.errors import DisputeStateError
from flatbed.app.qualifications.models import Dispute, Qualification
from flatbed.app.qualifications.rules.states import Act, CaseStatus, Status
from flatbed.app.qualifications.rules.terms import WITHDRAWN_DAYS, resumed_term
from flatbed.app.qualifications.schemas import QualificationRead
from flatbed.billing.facade import withdraw_usage_dispute
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode

OVER = "The agency's term has ended: the unit is being voided."


async def withdraw(
    session: TenantSession, principal: Principal, qualification_id: UUID, version: int | None
) -> tuple[QualificationRead, int]:
    """Take the open dispute of a qualification back. Returns the qualification with its ETag.

    Raises:
        NotFoundError: no such qualification of this tenant.
        PreconditionFailedError: another version is stored.
        DisputeStateError: no dispute waits, or the agency was silent until its term ended.
    """
    _, row = await outcome.locked(session, qualification_id, version)
    dispute = await last_dispute(session, row)
    if dispute is None or not dispute.is_open:
        raise DisputeStateError(extra={"state": None if dispute is None else dispute.status})
    if dispute.status == CaseStatus.OPEN.value and session.now() >= dispute.answer_by:
        raise DisputeStateError(OVER, extra={"state": dispute.status})
    state = outcome.following(row, Act.WITHDRAW)
    dispute.status = CaseStatus.WITHDRAWN.value
    dispute.withdrawn_by = session.caller.actor
    dispute.withdrawn_at = session.now()
    outcome.touch(session, dispute)
    await clocks.stop_case(session, dispute)
    detail = {
        "candidate_id": encode("cand", row.candidate_id),
        "qualification_id": encode("qual", row.id),
    }
    if state is Status.PENDING:
        if not await outcome.is_given_up(session, row):
            await withdraw_usage_dispute(session, row.entry_id, actor=session.caller.actor)
        row.status = state.value
        failpoint(Failpoint.DISPUTE_WITHDRAWN)
        await _resume(session, row, dispute)
        detail["accept_by"] = row.accept_by.isoformat()
    mutation(session, "dispute.withdrawn", "disp", dispute.id, detail)
    outcome.touch(session, row)
    await session.flush()
    await cards.show(session, dispute)
    if state is Status.ACCEPTED:
        await go_on(session, row)
    return await reading.read(session, principal, row), row.version


async def _resume(session: TenantSession, row: Qualification, dispute: Dispute) -> None:
    """Let the term run on from where it stood; while a review is open it waits for that."""
    review = await repository.open_review(session, row)
    stood = dispute.opened_at if review is None else min(dispute.opened_at, review.opened_at)
    calendar = await clocks.calendar_of(session)
    term = resumed_term(stood, session.now(), row.accept_by, calendar, WITHDRAWN_DAYS)
    row.accept_by = term.accept_by
    if review is None:
        await clocks.start_acceptance(session, row, term)
