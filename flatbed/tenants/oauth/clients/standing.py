"""What a client is worth now: its role and scopes, or nothing when it or its owner is inactive.

An application of people (web, native) has no role of its own: it acts with theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flatbed.tenants.access.permissions import Permissions
from flatbed.tenants.access.principal import MEMBER_ROLES, STAFF_ROLES, Role
from flatbed.tenants.access.scopes import IDENTITY_SCOPES, SIGNALS
from flatbed.tenants.oauth.models import SERVICE, OAuthClient
from flatbed.tenants.oauth.repository import Owned

ISV: Final = "isv"
AGENCY: Final = "agency"
STAFF: Final = "staff"
ACTIVE: Final = "active"

_ROLES: Final[Mapping[str, Role]] = {ISV: Role.ISV_CLIENT, AGENCY: Role.AGENCY_CLIENT}
_PEOPLE: Final = STAFF_ROLES | MEMBER_ROLES


@dataclass(frozen=True, slots=True)
class Standing:
    """An active client of an active owner. Of an application ``role`` says only whose it is."""

    client: OAuthClient
    role: Role
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Standings:
    """Judges clients by the permission table."""

    permissions: Permissions

    def scopes_for(self, role: Role) -> frozenset[str]:
        """The scopes that a client of this role may hold: those of use to it.

        What ``signals:write`` delivers counts as ``system``; no person may say so of his own
        work.
        """
        scopes = self.permissions.scopes_of(role)
        return scopes - {SIGNALS} if role in _PEOPLE else scopes

    def scopes_for_application(self, owner_kind: str) -> frozenset[str]:
        """The scopes that an application of this owner may ask people for: those of use to one.

        The agency's serves its staff and the ISVs' members, an ISV's its own members.
        """
        roles = MEMBER_ROLES if owner_kind == ISV else _PEOPLE
        return IDENTITY_SCOPES.union(*(self.scopes_for(role) for role in roles))

    def of(self, owned: Owned | None) -> Standing | None:
        """The standing of a client, None when it may not act."""
        if owned is None or owned.client.deleted_at is not None or not owned.client.active:
            return None
        client = owned.client
        if client.owner_kind == ISV and owned.organization_status != ACTIVE:
            return None
        if client.owner_kind == STAFF:
            if not owned.staff_active or owned.staff_role is None:
                return None
            role = Role(owned.staff_role)
        else:
            role = _ROLES[client.owner_kind]
        if client.kind == SERVICE:
            useful = self.scopes_for(role)
        else:
            useful = self.scopes_for_application(client.owner_kind)
        return Standing(client, role, frozenset(client.scopes) & useful)
