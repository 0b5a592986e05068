"""What whoever manages clients may give away with one.

What the caller's own token holds and no more, or `clients:manage` alone would be every other
scope. Who governs the people of the place besides (an ISV's owner, the agency's admin or its own
client, whose token holds the scope for that) gives whatever is of use: he could make himself
anybody there.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from flatbed.tenants.access.principal import Principal, Role
from flatbed.tenants.access.scopes import IDENTITY_SCOPES
from flatbed.tenants.oauth.clients.errors import ClientBeyondCallerError

_GOVERNING: Final[Mapping[Role, str]] = {
    Role.ISV_OWNER: "members:manage",
    Role.AGENCY_CLIENT: "tenants:manage",
    Role.ADMIN: "tenants:manage",
}


@dataclass(frozen=True, slots=True)
class Authority:
    """Who manages clients: by which client he calls, and the scopes he may give (None: any)."""

    client_id: UUID | None
    scopes: frozenset[str] | None

    @classmethod
    def of(cls, principal: Principal) -> Self:
        """The authority of a request."""
        if _GOVERNING.get(principal.role) in principal.scopes:
            return cls(principal.client_id, None)
        # What an application learns of a person is that person's to give, and asked of him.
        return cls(principal.client_id, principal.scopes | IDENTITY_SCOPES)

    def covers(self, scopes: Collection[str]) -> bool:
        """Whether a client of these scopes can do nothing that its manager could not."""
        return self.scopes is None or self.scopes.issuperset(scopes)

    def check(self, scopes: Collection[str]) -> None:
        """Refuse to hand out a client of these scopes.

        Raises:
            ClientBeyondCallerError: it could do more than its manager.
        """
        if not self.covers(scopes):
            raise ClientBeyondCallerError


OPERATOR: Final = Authority(None, None)
"""Whoever works at the deployment's own command line."""
