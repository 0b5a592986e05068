"""What logging a touch must tell slices that come later in a candidate's life."""

from typing import Protocol, cast

from fastapi import Request

from flatbed.app.candidates.models import Candidate, Touchpoint
from flatbed.tenants.kit.database.session import TenantSession


class LatePushes(Protocol):
    """Hears of every push of the agency (bound to ``app/qualifications``).

    A push said later to have been left out opens a review by an uninvolved lead: it is for the
    listener to see whether a live qualification rests on a time that the push falls into.
    """

    async def said(
        self, session: TenantSession, candidate: Candidate, touchpoint: Touchpoint
    ) -> None:
        """Look at a push that has just been logged, or at an answer that turned out to be one.

        Called inside the transaction, under the candidate's lock, with the touch flushed.
        """
        ...


def late_pushes(request: Request) -> LatePushes:
    """The listener of the running program."""
    return cast("LatePushes", request.app.state.program.late_pushes)
