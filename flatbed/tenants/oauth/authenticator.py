"""Binds the port ``Authenticator``: from a bearer token to the principal as it is now."""

from flatbed.tenants.access.principal import Claims, Principal
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import AgencyReadSession
from flatbed.tenants.kit.edge.addresses import Address
from flatbed.tenants.kit.realms import SANDBOX
from flatbed.tenants.oauth import repository
from flatbed.tenants.oauth.networks import admits
from flatbed.tenants.oauth.standing import Standings
from flatbed.tenants.oauth.tokens import Verifier, invalid_token


class TokenAuthenticator:
    """See :class:`flatbed.tenants.access.principal.Authenticator`."""

    def __init__(self, verifier: Verifier, standings: Standings) -> None:
        self._verifier = verifier
        self._standings = standings

    async def verify(self, token: str) -> Claims:
        """Check the token itself."""
        return await self._verifier.verify(token)

    async def principal(
        self, session: AgencyReadSession, claims: Claims, address: Address | None
    ) -> Principal:
        """Ask the database who that is now.

        A token says whose it was ten minutes ago at most; who is no longer active, no longer
        belongs there, or calls from where the client may not be, is refused at once.
        """
        owned = await repository.owned_in_realm(session, claims.client_id)
        standing = self._standings.of(owned)
        if owned is None or standing is None:
            raise invalid_token()
        client = standing.client
        if client.tenant_id != claims.tenant_id or client.staff_id != claims.staff_id:
            raise invalid_token()
        if not admits(client.allowed_cidrs, address):
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
