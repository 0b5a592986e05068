"""Authlib's authorization server, on our tables and with our answers.

Authlib's grants are synchronous: they run inside ``AsyncSession.run_sync`` on the login
transaction of the request, which they find in a context variable. One server serves all requests.
"""

from collections.abc import Collection, Mapping

from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from sqlalchemy.orm import Session

from flatbed.tenants.access.scopes import OFFLINE, OPENID
from flatbed.tenants.oauth.authentication import Authentication
from flatbed.tenants.oauth.forms import Form
from flatbed.tenants.oauth.grants.exchange import (
    CLIENT_CREDENTIALS,
    Client,
    Exchange,
    ReadToken,
    Redeemed,
    StrictRequest,
    current,
    ours,
    working,
)
from flatbed.tenants.oauth.grants.redeeming.grants import (
    CodeGrant,
    RefreshGrant,
    StrictChallenge,
    lent_scopes,
)
from flatbed.tenants.oauth.grants.redeeming.service import Redeemer
from flatbed.tenants.oauth.grants.shown import Introspection, Revocation
from flatbed.tenants.oauth.keys.keyset import LoadedKey
from flatbed.tenants.oauth.remembered import RememberedClients
from flatbed.tenants.oauth.replies import Reply, refusal
from flatbed.tenants.oauth.rules.rotation import LIFETIME
from flatbed.tenants.oauth.tokens import Minter


class _MachineGrant(ClientCredentialsGrant):
    def validate_requested_scope(self) -> None:
        client, payload = self.request.client, self.request.payload
        if isinstance(client, Client) and payload is not None:
            client.granted(payload.scope)


class Server(AuthorizationServer):
    """The endpoints that clients call."""

    def __init__(
        self,
        authentication: Authentication,
        minter: Minter,
        redeemer: Redeemer,
        remembered: RememberedClients,
    ) -> None:
        super().__init__()
        self.remembered = remembered
        self._authentication = authentication
        self._minter = minter
        self.redeemer = redeemer
        self.register_grant(_MachineGrant)
        self.register_grant(CodeGrant, [StrictChallenge()])
        self.register_grant(RefreshGrant)
        self.register_endpoint(Revocation)
        self.register_endpoint(Introspection)

    def exchange(
        self, session: Session, form: Form, key: LoadedKey, token: ReadToken | None = None
    ) -> Exchange:
        """What answering the form on this session needs; ``token``: the one that stands in it."""
        return Exchange(
            client=lambda: self._authentication.client(session, form),
            key=key,
            now=self._authentication.now(),
            session=session,
            token=token,
        )

    def answer_at_once(self, form: Form, key: LoadedKey) -> Reply | None:
        """A machine's token request without a database, for a client that proved itself just now.

        None: the database must be asked.
        """
        if form.parameters["grant_type"] != CLIENT_CREDENTIALS:
            return None
        standing = self.remembered.recall(form)
        if standing is None:
            return None
        return self.answer(Exchange(lambda: standing, key, self._authentication.now()), form)

    def remember(self, exchange: Exchange, form: Form, asked_at: float) -> None:
        """Remember the client of a request whose transaction was committed.

        Not sooner: a rollback takes what was read of the client out of its object, and whoever is
        then answered from memory would find nothing there.

        Args:
            exchange: of the request.
            form: the request.
            asked_at: the memory's time before the database was asked.
        """
        for standing in exchange.proved:
            self.remembered.remember(form, standing, asked_at)

    def answer(self, exchange: Exchange, form: Form) -> Reply:
        """A token request; synchronous, inside ``run_sync``."""
        with working(exchange):
            return _reply(self.create_token_response(form))

    def answer_about_token(self, exchange: Exchange, form: Form, endpoint: str) -> Reply:
        """A request of RFC 7009 or 7662, as :meth:`answer`."""
        with working(exchange):
            found: object = self.create_endpoint_response(endpoint, form)  # type: ignore[no-untyped-call] # the stubs say nothing of it
            return _reply(found)

    def create_oauth2_request(self, request: Form) -> OAuth2Request:
        """The request, with the parameters that were read strictly and nothing else."""
        return StrictRequest("POST", request.parameters)

    def authenticate_client(
        self, request: OAuth2Request, methods: Collection[str], endpoint: str = "token"
    ) -> ClientMixin:
        """The client that the form proves; Authlib's own methods are not used."""
        del request, methods, endpoint
        return Client(current().authenticated())

    def generate_token(
        self,
        grant_type: str,
        client: ClientMixin,
        user: object = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,  # noqa: FBT001, FBT002 - Authlib's own signature
    ) -> dict[str, str | int]:
        """The body of a success."""
        del grant_type, expires_in
        if isinstance(user, Redeemed):
            return self._for_person(user, scope, refreshable=include_refresh_token)
        found = ours(client)
        scopes = found.granted(scope)
        return _body(self._minter.mint(current().key, found.standing, scopes), scopes)

    def _for_person(
        self, user: Redeemed, scope: str | None, *, refreshable: bool
    ) -> dict[str, str | int]:
        exchange, lent = current(), user.lent
        scopes = lent_scopes(user, scope)
        token = self._minter.mint_for(exchange.key, lent, scopes)
        body = _body(token, scopes)
        if refreshable and OFFLINE in lent.scopes:
            body["refresh_token"] = self.redeemer.new_refresh_token(exchange, lent)
        if user.with_id and OPENID in scopes:
            body["id_token"] = self._minter.mint_id(exchange.key, lent, user.nonce, token)
        return body

    def save_token(self, token: dict[str, str | int], request: OAuth2Request) -> None:
        """Nothing: an access token says all by itself and is kept nowhere."""

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nothing listens."""

    def handle_response(self, status: int, body: Mapping[str, object], headers: object) -> Reply:
        """The body as it is; the endpoint sets the headers."""
        del headers
        return Reply(status, dict(body), {})

    def handle_error_response(self, request: OAuth2Request, error: OAuth2Error) -> Reply:
        """Our words instead of Authlib's, which repeat the input and tell causes apart."""
        del request
        return refusal(str(error.error))


def _reply(answer: object) -> Reply:
    if not isinstance(answer, Reply):
        raise TypeError(type(answer).__name__)
    return answer


def _body(token: str, scopes: frozenset[str]) -> dict[str, str | int]:
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(LIFETIME.total_seconds()),
        "scope": " ".join(sorted(scopes)),
    }
