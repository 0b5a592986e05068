"""What people need of the OAuth server, which knows them and not the other way round."""

from typing import Protocol
from uuid import UUID

from flatbed.tenants.kit.database.session import AgencySession, LoginSession, TenantSession


class GrantEnding(Protocol):
    """Ends what people lent to clients (bound to ``tenants/oauth``).

    A grant that ended comes back by nothing: its tokens stop at once, its refresh tokens for good.
    """

    async def of_membership(self, session: TenantSession, membership_id: UUID) -> None:
        """End every grant that was lent as this member of the transaction's ISV."""
        ...

    async def of_staff(self, session: AgencySession, staff_id: UUID) -> None:
        """End every grant that was lent as this staff member of the transaction's realm."""
        ...

    async def of_session(self, session: LoginSession, session_id: UUID) -> None:
        """End every grant that was lent from this browser."""
        ...

    async def of_presence(self, session: LoginSession, session_id: UUID) -> None:
        """End the grants that were lent from this browser for as long as the person is there."""
        ...

    async def of_user(
        self, session: LoginSession, user_id: UUID, *, kept: UUID | None = None
    ) -> None:
        """End every grant of the person, in every realm, but those lent from the browser ``kept``.

        Also what was lent from browsers that are signed out and forgotten long since.
        """
        ...

    async def personal_clients(self, session: LoginSession, user_id: UUID) -> None:
        """Switch off the clients that act as the person among the staff of any realm."""
        ...
