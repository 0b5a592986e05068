"""What a grant is worth now: the person's place and role, and what of the scopes they can use."""

from dataclasses import dataclass
from datetime import datetime

from flatbed.tenants.access.principal import Role, member_role
from flatbed.tenants.access.scopes import IDENTITY_SCOPES
from flatbed.tenants.oauth.clients.standing import ACTIVE, Standing, Standings
from flatbed.tenants.oauth.grants.models import Grant
from flatbed.tenants.oauth.grants.repository import Placed
from flatbed.tenants.oauth.models import SERVICE
from flatbed.tenants.people.models import ONE_FACTOR


@dataclass(frozen=True, slots=True)
class Lent:
    """A grant that holds now: the person's role, and the scopes that the client may use for him."""

    grant: Grant
    role: Role
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lendings:
    """Judges grants; ``standings`` judges their clients."""

    standings: Standings

    def of(self, placed: Placed, client: Standing, now: datetime) -> Lent | None:
        """The grant as it is worth now, None when it ended or one of its ends is not active.

        Args:
            placed: the grant with what the person's place is now.
            client: the standing of the grant's client, already judged.
            now: the system's time.
        """
        grant = placed.grant
        if grant.revoked_at is not None or grant.ends_at <= now:
            return None
        if client.client.kind == SERVICE or client.client.id != grant.oauth_client_id:
            return None
        role = role_of(placed)
        if role is None or (grant.acr == ONE_FACTOR and _needs_second_factor(role, placed)):
            return None
        useful = (self.standings.scopes_for(role) | IDENTITY_SCOPES) & client.scopes
        return Lent(grant, role, frozenset(grant.scopes) & useful)


def _needs_second_factor(role: Role, placed: Placed) -> bool:
    """Who has become an admin, or an owner of whom it is asked, since he let the client in."""
    return role is Role.ADMIN or (role is Role.ISV_OWNER and bool(placed.owners_need_totp))


def role_of(placed: Placed) -> Role | None:
    """The role of the person's place, None when it, or its ISV, is no longer active.

    A place that was given to another person since is not his.
    """
    grant = placed.grant
    if not placed.active or placed.role is None or placed.user_id != grant.user_id:
        return None
    if grant.tenant_id is None:
        return Role(placed.role)
    return member_role(placed.role) if placed.organization_status == ACTIVE else None
