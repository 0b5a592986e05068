"""The OAuth server as one object, made once in the composition root (``app.state.oauth``)."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from authlib.oauth2 import OAuth2Error
from fastapi import Request

from flatbed.tenants.access.permissions import Permissions
from flatbed.tenants.access.require import bearer, challenged
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller, LoginSession
from flatbed.tenants.kit.edge.addresses import caller_address
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.problems import UnauthenticatedError
from flatbed.tenants.oauth.authentication import Authentication
from flatbed.tenants.oauth.authenticator import TokenAuthenticator
from flatbed.tenants.oauth.clients.secret_service import ClientSecrets
from flatbed.tenants.oauth.clients.service import Clients
from flatbed.tenants.oauth.clients.standing import Standings
from flatbed.tenants.oauth.forms import Form, read_form
from flatbed.tenants.oauth.grants.authorizing.service import Authorizer
from flatbed.tenants.oauth.grants.ending.service import tell_ended
from flatbed.tenants.oauth.grants.exchange import CLIENT_CREDENTIALS, Exchange, ReadToken
from flatbed.tenants.oauth.grants.redeeming.service import Redeemer
from flatbed.tenants.oauth.grants.shown import INTROSPECTION, REVOCATION
from flatbed.tenants.oauth.grants.standing import Lendings
from flatbed.tenants.oauth.grants.userinfo import userinfo
from flatbed.tenants.oauth.jws import claims_of
from flatbed.tenants.oauth.keys.keyset import Keys, SigningKeyUnreadableError, ensure_signing_key
from flatbed.tenants.oauth.metadata import resource_metadata_url
from flatbed.tenants.oauth.remembered import RememberedClients
from flatbed.tenants.oauth.replies import FAILURES, FAILURES_OF_PUBLIC, Reply, refusal, too_many
from flatbed.tenants.oauth.server import Server
from flatbed.tenants.oauth.tokens import Minter, Verifier, invalid_token
from flatbed.tenants.people.failures.counting import Failures
from flatbed.tenants.people.rules.failures import Subject


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
    issuer: str
    keys: Keys
    clients: Clients
    lendings: Lendings
    failures: Failures
    authorizer: Authorizer
    server: Server
    authenticator: TokenAuthenticator

    async def token(self, request: Request) -> Reply:
        """Answer a token request, in one login transaction or, who is remembered, in none."""
        try:
            form = await read_form(request)
        except OAuth2Error as error:
            return refusal(str(error.error))
        if form.parameters.get("resource", self.issuer) != self.issuer:
            return refusal("invalid_target")
        # Before the transaction: it may need a connection of its own.
        key = await self.keys.active()
        if (known := self.server.answer_at_once(form, key)) is not None:
            return known
        # A code or refresh token that was redeemed is used up: then nothing is run again.
        is_machine = form.parameters["grant_type"] == CLIENT_CREDENTIALS
        asked_at = self.server.remembered.now()
        async with self._login(form, repeatable=is_machine) as session:
            exchange = self.server.exchange(session.sync_session, form, key)
            answer = partial(self.server.answer, exchange, form)
            reply = await self._limited(session, form, exchange, answer)
            await tell_ended(session, exchange.ended)
            failpoint(Failpoint.GRANT_ANSWERED)
        self.server.remember(exchange, form, asked_at)
        return reply

    async def revoke(self, request: Request) -> Reply:
        """End the grant of a token (RFC 7009)."""
        return await self._about_token(request, REVOCATION)

    async def introspect(self, request: Request) -> Reply:
        """Say what a token is worth (RFC 7662)."""
        return await self._about_token(request, INTROSPECTION)

    async def _about_token(self, request: Request, endpoint: str) -> Reply:
        try:
            form = await read_form(request, "token")
        except OAuth2Error as error:
            return refusal(str(error.error))
        key = await self.keys.active()
        token = await self._read(form.parameters["token"])
        async with self._login(form) as session:
            exchange = self.server.exchange(session.sync_session, form, key, token)
            answer = partial(self.server.answer_about_token, exchange, form, endpoint)
            reply = await self._limited(session, form, exchange, answer)
            await tell_ended(session, exchange.ended, f"client:{form.proof.client_id}")
            return reply

    async def _limited(
        self, session: LoginSession, form: Form, exchange: Exchange, answer: Callable[[], Reply]
    ) -> Reply:
        """Answer a client that has not failed too often from its network, and count a failure.

        Never by the client's id alone: whoever knows it could lock the client out.
        """
        key = self.failures.key(Subject.CLIENT, form.proof.client_id, form.address)
        wait = await self.failures.wait(session, key)
        if wait is not None:
            return too_many(wait)
        reply = await session.run_sync(lambda _: answer())
        if reply.error in (FAILURES if exchange.has_proof else FAILURES_OF_PUBLIC):
            await self.failures.failed(session, key)
        return reply

    async def _read(self, text: str) -> ReadToken | None:
        """The access token, None when it is none of ours, or not valid now."""
        try:
            return ReadToken(await self.authenticator.verify(text), claims_of(text) or {})
        except UnauthenticatedError:
            return None

    async def userinfo(self, request: Request) -> Mapping[str, Any]:
        """What the token's person let its client learn of him.

        Raises:
            UnauthenticatedError: it is no token of a person that is good now.
            InsufficientScopeError: it lacks ``openid``.
        """
        with challenged(self.authenticator.resource_metadata):
            claims = await self.authenticator.verify(bearer(request))
            caller = Caller("system:oauth", request.state.request_id)
            async with self.database.login(caller=caller) as session:
                found = await session.run_sync(
                    userinfo, self.lendings, claims, caller_address(request), system_now()
                )
            if found is None:
                raise invalid_token()
            return found

    def _login(
        self, form: Form, *, repeatable: bool = True
    ) -> AbstractAsyncContextManager[LoginSession]:
        caller = Caller("system:oauth", form.request_id)
        return self.database.login(caller=caller, repeatable=repeatable)


def build_oauth(
    database: Database,
    keyring: Keyring,
    settings: IssuerSettings,
    permissions: Permissions,
    remembered: RememberedClients | None = None,
) -> OAuth:
    """Put the server together; nothing is asked of the database yet.

    ``ensure_signing_key`` must have run before the first token. ``remembered`` is this process's
    memory of clients, an empty one unless told.
    """
    issuer = settings.public_url.rstrip("/")
    keys, standings = Keys(database, keyring), Standings(permissions)
    remembered = RememberedClients(keyring) if remembered is None else remembered
    lendings = Lendings(standings)
    redeemer = Redeemer(keyring, lendings, issuer)
    authentication = Authentication(keyring, standings, issuer)
    return OAuth(
        database=database,
        issuer=issuer,
        keys=keys,
        clients=Clients(standings, ClientSecrets(keyring)),
        lendings=lendings,
        failures=Failures(database, keyring),
        authorizer=Authorizer(keyring, standings, issuer),
        server=Server(authentication, Minter(issuer), redeemer, remembered),
        authenticator=TokenAuthenticator(
            Verifier(issuer, keys), standings, resource_metadata_url(issuer)
        ),
    )


__all__ = ["OAuth", "SigningKeyUnreadableError", "build_oauth", "ensure_signing_key"]
