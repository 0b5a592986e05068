"""What a client is worth now: its role and scopes, or nothing when it or its owner is inactive."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flatbed.tenants.access.permissions import Permissions
from flatbed.tenants.access.principal import STAFF_ROLES, Role
from flatbed.tenants.access.scopes import SIGNALS
from flatbed.tenants.oauth.models import OAuthClient
from flatbed.tenants.oauth.repository import Owned

ISV: Final = "isv"
AGENCY: Final = "agency"
STAFF: Final = "staff"
ACTIVE: Final = "active"

_ROLES: Final[Mapping[str, Role]] = {ISV: Role.ISV_CLIENT, AGENCY: Role.AGENCY_CLIENT}


@dataclass(frozen=True, slots=True)
class Standing:
    """An active client of an active owner."""

    client: OAuthClient
    role: Role
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Standings:
    """Judges clients by the permission table."""

    permissions: Permissions

    def scopes_for(self, role: Role) -> frozenset[str]:
        """The scopes that a client of this role may hold: those of use to it.

        What ``signals:write`` delivers counts as ``system``; no staff member may say so of his
        own work.
        """
        scopes = self.permissions.scopes_of(role)
        return scopes - {SIGNALS} if role in STAFF_ROLES else scopes

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
        return Standing(client, role, frozenset(client.scopes) & self.scopes_for(role))
