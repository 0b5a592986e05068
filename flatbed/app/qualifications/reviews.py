"""A push said later to have been left out opens a review by an uninvolved lead."""

from uuid import UUID

from flatbed.app.candidates.models import Candidate, Touchpoint
from flatbed.app.qualifications import cards, clocks, outcome, repository
from flatbed.app.qualifications.dossier import judged_at
from flatbed.app.qualifications.guarantee import cases
from flatbed.app.qualifications.models import Qualification, QualificationReview
from flatbed.app.qualifications.rules.states import CaseStatus, Origin, Status
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.ids import encode, uuid7

LATE_PUSH = "late_push"


class ReviewsOfLatePushes:
    """Binds ``candidates.touchpoints.ports.LatePushes``."""

    async def said(
        self, session: TenantSession, candidate: Candidate, touchpoint: Touchpoint
    ) -> None:
        """Open a review where a live qualification rests on a time that the push falls into.

        One is open at a time: its decider sees every touch of the candidate. While it is open,
        silence does not accept.
        """
        row = await repository.live(session, candidate.id)
        if row is None:
            return
        if touchpoint.occurred_at <= (judged_at(row.dossier) or row.qualified_at):
            await review(session, row, touchpoint.id)


async def review(session: TenantSession, row: Qualification, touchpoint_id: UUID) -> None:
    """Open the review of a push that was left out, unless one is open.

    Not of a free ride, which rests on no touch, and not of a unit for which a replacement stands.
    """
    if await repository.open_review(session, row) is not None:
        return
    if row.origin == Origin.FREE_RIDE.value or await cases.is_made_good(session, row):
        return
    made = QualificationReview(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=row.candidate_id,
        qualification_id=row.id,
        touchpoint_id=touchpoint_id,
        reason=LATE_PUSH,
        status=CaseStatus.OPEN.value,
        opened_at=session.now(),
    )
    session.add(made)
    if row.status == Status.PENDING.value:
        await clocks.stop_acceptance(session, row)
    elif row.status == Status.ACCEPTED.value:
        await cases.hold(session, row)
    outcome.touch(session, row)
    detail = {
        "candidate_id": encode("cand", row.candidate_id),
        "qualification_id": encode("qual", row.id),
        "touchpoint_id": encode("touch", touchpoint_id),
        "reason": LATE_PUSH,
    }
    mutation(session, "review.opened", "rev", made.id, detail)
    await session.flush()
    await cards.show(session, made)
