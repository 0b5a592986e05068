"""The OAuth server as one object, made once in the composition root (``app.state.oauth``)."""

from dataclasses import dataclass
from typing import Any, Protocol

from authlib.oauth2 import OAuth2Error
from fastapi import Request

from flatbed.tenants.access.permissions import Permissions
from flatbed.tenants.access.scopes import SCOPES
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.oauth.authentication import Authentication
from flatbed.tenants.oauth.authenticator import TokenAuthenticator
from flatbed.tenants.oauth.client_keys import ALGORITHMS
from flatbed.tenants.oauth.forms import read_form
from flatbed.tenants.oauth.keys import Keys, SigningKeyUnreadableError, ensure_signing_key
from flatbed.tenants.oauth.models import AUTH_METHODS
from flatbed.tenants.oauth.secret_service import ClientSecrets
from flatbed.tenants.oauth.server import CLIENT_CREDENTIALS, Reply, Server, refusal
from flatbed.tenants.oauth.service import Clients
from flatbed.tenants.oauth.standing import Standings
from flatbed.tenants.oauth.tokens import Minter, Verifier


class IssuerSettings(Protocol):
    """What the server must know of the deployment."""

    @property
    def public_url(self) -> str:
        """The URL that clients use; the token issuer and the one audience."""
        ...


@dataclass(frozen=True, slots=True)
class OAuth:
    """All parts, for the router and for the gate (``authenticator``)."""

    database: Database
    keyring: Keyring
    issuer: str
    keys: Keys
    standings: Standings
    clients: Clients
    server: Server
    authenticator: TokenAuthenticator

    async def token(self, request: Request) -> Reply:
        """Answer a token request, in one login transaction."""
        try:
            form = await read_form(request)
        except OAuth2Error as error:
            return refusal(str(error.error))
        # Before the transaction: it may need a connection of its own.
        key = await self.keys.active()
        caller = Caller("system:oauth", form.request_id)
        async with self.database.login(caller=caller) as session:
            reply = await session.run_sync(self.server.answer, form, key)
            failpoint(Failpoint.GRANT_ANSWERED)
            return reply

    def metadata(self) -> dict[str, Any]:
        """RFC 8414, from the configured issuer; it names what exists and nothing else."""
        return {
            "issuer": self.issuer,
            "token_endpoint": f"{self.issuer}/oauth/token",
            "jwks_uri": f"{self.issuer}/oauth/jwks",
            "scopes_supported": sorted(SCOPES),
            "response_types_supported": [],
            "grant_types_supported": [CLIENT_CREDENTIALS],
            "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
            "token_endpoint_auth_signing_alg_values_supported": sorted(ALGORITHMS.values()),
        }


def build_oauth(
    database: Database, keyring: Keyring, settings: IssuerSettings, permissions: Permissions
) -> OAuth:
    """Put the server together; nothing is asked of the database yet.

    ``ensure_signing_key`` must have run before the first token.
    """
    issuer = settings.public_url.rstrip("/")
    keys, standings = Keys(database, keyring), Standings(permissions)
    return OAuth(
        database=database,
        keyring=keyring,
        issuer=issuer,
        keys=keys,
        standings=standings,
        clients=Clients(standings, ClientSecrets(keyring)),
        server=Server(Authentication(keyring, standings, issuer), Minter(issuer)),
        authenticator=TokenAuthenticator(Verifier(issuer, keys), standings),
    )


__all__ = ["OAuth", "SigningKeyUnreadableError", "build_oauth", "ensure_signing_key"]
