"""Authlib's authorization server, on our tables and with our answers.

Authlib's grants are synchronous: they run inside ``AsyncSession.run_sync`` on the login
transaction of the request, which they find in a context variable. One server serves all requests.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    InvalidClientError,
    InvalidScopeError,
)
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from sqlalchemy.orm import Session

from flatbed.tenants.kit.ids import encode
from flatbed.tenants.oauth.authentication import Authentication
from flatbed.tenants.oauth.forms import Form
from flatbed.tenants.oauth.keys import LoadedKey
from flatbed.tenants.oauth.rules.rotation import LIFETIME
from flatbed.tenants.oauth.standing import Standing
from flatbed.tenants.oauth.tokens import Minter

CLIENT_CREDENTIALS: Final = "client_credentials"

# Authlib reads the URI only to refuse plain HTTP; where TLS ends is the deployment's matter, and
# a request's own URI must never find its way into an answer.
_URI: Final = "https://authorization.server/oauth/token"

_WORDS: Final[Mapping[str, str]] = {
    "invalid_request": (
        "Send one form-encoded body with each parameter once, nothing in the query, and one"
        " client authentication."
    ),
    "invalid_client": (
        "The client is unknown or not active, its secret or assertion is not good, or it may not"
        " call from here."
    ),
    "invalid_scope": "A scope is unknown, or this client may not have it.",
    "unauthorized_client": "This client may not use this grant.",
    "unsupported_grant_type": "The grant types are listed in the server's metadata.",
}
_UNAUTHORIZED: Final = 401
_BAD_REQUEST: Final = 400


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a JSON body, and for ``invalid_client`` its challenge."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Exchange:
    """The request that the current context works on."""

    session: Session
    form: Form
    key: LoadedKey


_exchange: ContextVar[_Exchange] = ContextVar("oauth_exchange")


@contextmanager
def _working(exchange: _Exchange) -> Iterator[None]:
    token = _exchange.set(exchange)
    try:
        yield
    finally:
        _exchange.reset(token)


def refusal(error: str) -> Reply:
    """An error of RFC 6749 5.2 in our own words; what was sent is never repeated."""
    body = {"error": error, "error_description": _WORDS[error]}
    if error == InvalidClientError.error:
        return Reply(_UNAUTHORIZED, body, {"WWW-Authenticate": 'Basic realm="flatbed"'})
    return Reply(_BAD_REQUEST, body, {})


class _Client(ClientMixin):
    """A client that authenticated, as Authlib wants to see it."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing

    def get_client_id(self) -> str:
        return encode("client", self.standing.client.id)

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == CLIENT_CREDENTIALS

    def granted(self, asked: str | None) -> frozenset[str]:
        """The scopes asked for, all of the client's when none is.

        Authlib's own mixins narrow an excess silently; a client that asked for more must know.
        """
        scopes = frozenset(asked.split(" ")) if asked else self.standing.scopes
        if not scopes or not scopes <= self.standing.scopes:
            raise InvalidScopeError
        return scopes


class _Grant(ClientCredentialsGrant):
    def validate_requested_scope(self) -> None:
        client, payload = self.request.client, self.request.payload
        if isinstance(client, _Client) and payload is not None:
            client.granted(payload.scope)


class Server(AuthorizationServer):
    """The token endpoint."""

    def __init__(
        self,
        authentication: Authentication,
        minter: Minter,
    ) -> None:
        super().__init__()
        self._authentication = authentication
        self._minter = minter
        self.register_grant(_Grant)

    def answer(self, session: Session, form: Form, key: LoadedKey) -> Reply:
        """Run the grant on this session; synchronous, inside ``run_sync``."""
        with _working(_Exchange(session, form, key)):
            reply: Any = self.create_token_response(form)
        if not isinstance(reply, Reply):
            raise TypeError(type(reply).__name__)
        return reply

    def create_oauth2_request(self, request: Form) -> OAuth2Request:
        """The request, with the parameters that were read strictly and nothing else."""
        made = OAuth2Request("POST", _URI)
        made.payload = BasicOAuth2Payload(dict(request.parameters))
        return made

    def authenticate_client(
        self, request: OAuth2Request, methods: Collection[str], endpoint: str = "token"
    ) -> ClientMixin:
        """The client that the form proves; Authlib's own methods are not used."""
        del request, methods, endpoint
        exchange = _exchange.get()
        return _Client(self._authentication.client(exchange.session, exchange.form))

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
        del grant_type, user, expires_in, include_refresh_token
        if not isinstance(client, _Client):
            raise TypeError(type(client).__name__)
        scopes = client.granted(scope)
        return {
            "access_token": self._minter.mint(_exchange.get().key, client.standing, scopes),
            "token_type": "Bearer",
            "expires_in": int(LIFETIME.total_seconds()),
            "scope": " ".join(sorted(scopes)),
        }

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
