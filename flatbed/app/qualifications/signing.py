"""Signing accepts: whoever contracts the partner has taken the unit."""

from uuid import UUID

from flatbed.app.qualifications import outcome, repository
from flatbed.app.qualifications.rules.states import Basis, Status
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint


class AcceptanceBySigning:
    """Binds ``candidates.pipeline.ports.Signings``."""

    async def signed(self, session: TenantSession, candidate_id: UUID) -> None:
        """Accept the candidate's unit if it still waits for the ISV.

        A dispute goes first: signing takes it not back. A term that has ended is silence's, which
        accepts at the term's own instant within moments, unless a review holds it up.
        """
        row = await repository.live(session, candidate_id)
        if row is None or row.status != Status.PENDING.value:
            return
        is_over = session.now() >= row.accept_by
        if is_over and await repository.open_review(session, row) is None:
            return
        failpoint(Failpoint.QUALIFICATION_SIGNED)
        await outcome.accept(session, row, Basis.SIGNING)
