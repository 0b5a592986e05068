"""Binds the port ``Authenticator``: from a bearer token to the principal as it is now."""

from flatbed.tenants.access.principal import Claims, Person, Principal
from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.session import AgencyReadSession
from flatbed.tenants.kit.edge.addresses import Address
from flatbed.tenants.kit.realms import SANDBOX
from flatbed.tenants.oauth import repository
from flatbed.tenants.oauth.clients.networks import admits
from flatbed.tenants.oauth.clients.standing import Standing, Standings
from flatbed.tenants.oauth.grants import repository as grants
from flatbed.tenants.oauth.grants.standing import Lendings, Lent
from flatbed.tenants.oauth.models import SERVICE
from flatbed.tenants.oauth.repository import Owned
from flatbed.tenants.oauth.tokens import Verifier, invalid_token


class TokenAuthenticator:
    """See :class:`flatbed.tenants.access.principal.Authenticator`."""

    def __init__(self, verifier: Verifier, standings: Standings, resource_metadata: str) -> None:
        self.resource_metadata = resource_metadata
        self._verifier = verifier
        self._standings = standings
        self._lendings = Lendings(standings)

    async def verify(self, token: str) -> Claims:
        """Check the token itself."""
        return await self._verifier.verify(token)

    async def principal(
        self, session: AgencyReadSession, claims: Claims, address: Address | None
    ) -> Principal:
        """Ask the database who that is now.

        A token says whose it was ten minutes ago at most; who is no longer active, no longer
        belongs there, or calls from where the client may not be, is refused at once. So is a
        token whose grant ended, in every process: there is nothing that it could have missed.
        """
        owned = await repository.owned_in_realm(session, claims.client_id)
        standing = self._standings.of(owned)
        if owned is None or standing is None or not admits(standing.client.allowed_cidrs, address):
            raise invalid_token()
        if claims.grant_id is None:
            return _machine(claims, owned, standing)
        placed = await grants.placed_in_realm(session, claims.grant_id)
        lent = None if placed is None else self._lendings.of(placed, standing, system_now())
        if lent is None:
            raise invalid_token()
        return _person(claims, owned, lent)


def _machine(claims: Claims, owned: Owned, standing: Standing) -> Principal:
    client = standing.client
    if client.kind != SERVICE:
        raise invalid_token()
    if client.tenant_id != claims.tenant_id or client.staff_id != claims.staff_id:
        raise invalid_token()
    return Principal(
        role=standing.role,
        client_id=client.id,
        realm_id=client.realm_id,
        tenant_id=client.tenant_id,
        staff_id=client.staff_id,
        scopes=claims.scopes & standing.scopes,
        clock=Clock(owned.clock_offset).frozen(),
        sandbox=owned.realm_kind == SANDBOX,
    )


def _person(claims: Claims, owned: Owned, lent: Lent) -> Principal:
    grant = lent.grant
    if (grant.user_id, grant.tenant_id, grant.staff_id) != (
        claims.user_id,
        claims.tenant_id,
        claims.staff_id,
    ):
        raise invalid_token()
    return Principal(
        role=lent.role,
        client_id=grant.oauth_client_id,
        realm_id=grant.realm_id,
        tenant_id=grant.tenant_id,
        staff_id=grant.staff_id,
        scopes=claims.scopes & lent.scopes,
        clock=Clock(owned.clock_offset).frozen(),
        sandbox=owned.realm_kind == SANDBOX,
        person=Person(grant.user_id, grant.id, grant.membership_id, grant.auth_at),
    )
