"""What organizations need of the people above them."""

from typing import Protocol, cast
from uuid import UUID

from fastapi import Request

from flatbed.tenants.kit.database.session import AgencySession


class Departures(Protocol):
    """Ends what a staff member has that outlives a change of his row (bound to ``people``)."""

    async def switched(self, session: AgencySession, staff_id: UUID) -> None:
        """He was switched off, or on again: what he lent to clients ends for good."""
        ...

    async def moved(self, session: AgencySession, staff_id: UUID) -> None:
        """His address changed: what was sent to the one before opens nothing any more."""
        ...


async def departures(request: Request) -> Departures:
    """Dependency: the bound port."""
    return cast("Departures", request.app.state.people.departures)
