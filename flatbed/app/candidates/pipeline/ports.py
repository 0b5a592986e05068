"""What a move must tell slices that come later in a candidate's life."""

from typing import Protocol, cast
from uuid import UUID

from fastapi import Request

from flatbed.tenants.kit.database.session import TenantSession


class Signings(Protocol):
    """Hears that a candidate was contracted (bound to ``app/qualifications``)."""

    async def signed(self, session: TenantSession, candidate_id: UUID) -> None:
        """Look at the unit of a candidate that has just moved to `contracted`.

        Called inside the move's transaction, under the candidate's lock, with the move flushed.
        """
        ...


def signings(request: Request) -> Signings:
    """The listener of the running program."""
    return cast("Signings", request.app.state.program.signings)
