"""The request that Authlib's synchronous classes work on, and its parts as Authlib sees them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import ClientMixin, InvalidScopeError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from sqlalchemy.orm import Session

from flatbed.tenants.access.principal import Claims
from flatbed.tenants.oauth.clients.standing import Standing
from flatbed.tenants.oauth.grants.ending.ended import Ended
from flatbed.tenants.oauth.grants.standing import Lent
from flatbed.tenants.oauth.keys.keyset import LoadedKey
from flatbed.tenants.oauth.models import NATIVE, SERVICE, WEB

CLIENT_CREDENTIALS: Final = "client_credentials"
AUTHORIZATION_CODE: Final = "authorization_code"
REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105 - the name of a grant
GRANT_TYPES: Final[Mapping[str, frozenset[str]]] = {
    SERVICE: frozenset({CLIENT_CREDENTIALS}),
    WEB: frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
    NATIVE: frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
}
"""By kind of client."""

# Authlib reads the URI only to refuse plain HTTP; where TLS ends is the deployment's matter, and
# a request's own URI must never find its way into an answer.
_URI: Final = "https://authorization.server/"


class NoDatabaseError(RuntimeError):
    """A grant that needs the database was to be answered without one."""


@dataclass(frozen=True, slots=True)
class ReadToken:
    """An access token that was sent as a parameter and is ours, and all that it says."""

    claims: Claims
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request of a client.

    Args:
        client: authenticates who sent it.
        key: signs what is issued.
        now: the system's time.
        session: the login transaction; None where the client is all that is needed.
        token: the access token that the request is about.
        ended: grants that this request ended, for the audit.
        proved: the client, once it has authenticated.
    """

    client: Callable[[], Standing]
    key: LoadedKey
    now: datetime
    session: Session | None = None
    token: ReadToken | None = None
    ended: list[Ended] = field(default_factory=list)
    proved: list[Standing] = field(default_factory=list)

    def authenticated(self) -> Standing:
        """The client that sent the request."""
        standing = self.client()
        self.proved.append(standing)
        return standing

    @property
    def has_proof(self) -> bool:
        """Whether the client has proved who it is: one on a person's device only says so."""
        return any(standing.client.kind != NATIVE for standing in self.proved)

    @property
    def database(self) -> Session:
        """The login transaction."""
        if self.session is None:
            raise NoDatabaseError
        return self.session


_exchange: ContextVar[Exchange] = ContextVar("oauth_exchange")


@contextmanager
def working(exchange: Exchange) -> Iterator[None]:
    """Let Authlib's classes find the exchange."""
    token = _exchange.set(exchange)
    try:
        yield
    finally:
        _exchange.reset(token)


def current() -> Exchange:
    """The exchange that the current context works on."""
    return _exchange.get()


class StrictRequest(OAuth2Request):
    """Parameters that were read strictly, each once, and nothing else of the request."""

    def __init__(self, method: str, parameters: Mapping[str, str]) -> None:
        super().__init__(method, _URI)
        self._parameters = dict(parameters)
        self.payload = BasicOAuth2Payload(self._parameters)

    @property
    def form(self) -> dict[str, str]:
        """The parameters, where Authlib reads them from the body."""
        return self._parameters


class Client(ClientMixin):
    """A client as Authlib's grants want to see it; its authorization endpoint is not used."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing

    @property
    def is_public(self) -> bool:
        """Whether it has nothing to prove itself by."""
        return self.standing.client.kind == NATIVE

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the kind of client may use the grant."""
        return grant_type in GRANT_TYPES[self.standing.client.kind]

    def granted(self, asked: str | None) -> frozenset[str]:
        """The scopes asked for, all of the client's when none is.

        Authlib's own mixins narrow an excess silently; a client that asked for more must know.
        """
        scopes = frozenset(asked.split(" ")) if asked else self.standing.scopes
        if not scopes or not scopes <= self.standing.scopes:
            raise InvalidScopeError
        return scopes


def ours(client: object) -> Client:
    """The client of a request, which is always one of ours.

    Raises:
        TypeError: it is not, or there is none yet.
    """
    if not isinstance(client, Client):
        raise TypeError(type(client).__name__)
    return client


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Whose code or refresh token was redeemed, as Authlib's "user".

    ``nonce`` and ``with_id`` are of a code alone: an ID token tells of a sign-in, not of a
    refresh.
    """

    lent: Lent
    nonce: str | None = None
    with_id: bool = False
