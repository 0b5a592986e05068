"""Authlib's grants of people at the token endpoint: code with PKCE, and refresh.

A code is good once, for 60 s, for the client, redirect URI, challenge and browser session that it
was made for. A second use says that two hold it: the grant ends, and with it all that the first
one got.
"""

from typing import Any, Protocol, cast

from authlib.oauth2.rfc6749 import (
    ClientMixin,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    TokenEndpoint,
    TokenMixin,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, BaseGrant, RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from flatbed.tenants.access.scopes import OFFLINE
from flatbed.tenants.oauth.grants.exchange import Redeemed, current, ours
from flatbed.tenants.oauth.grants.models import AuthorizationCode
from flatbed.tenants.oauth.grants.redeeming import repository
from flatbed.tenants.oauth.grants.redeeming.service import HeldToken, Redeemer
from flatbed.tenants.oauth.rules.authorization import is_verifier, proves


class _Redeeming(Protocol):
    redeemer: Redeemer


def redeemer_of(part: BaseGrant | TokenEndpoint) -> Redeemer:
    """What redeems, of the server that a grant or an endpoint is registered with."""
    return cast("_Redeeming", part.server).redeemer


class HeldCode:
    """A locked code, as Authlib wants to see it."""

    def __init__(self, row: AuthorizationCode) -> None:
        self.row = row

    def get_redirect_uri(self) -> str:
        """Where it was sent: the token request must say the same."""
        return self.row.redirect_uri

    def get_scope(self) -> None:
        """None: the grant says what was granted."""


class ShownToken(TokenMixin):
    """A locked refresh token, as Authlib wants to see it."""

    def __init__(self, held: HeldToken) -> None:
        self.held = held

    def check_client(self, client: ClientMixin) -> bool:
        """Whether it is this client's."""
        return self.held.row.oauth_client_id == ours(client).standing.client.id

    def get_scope(self) -> str:
        """What was granted: a request may ask for less of it, never for more."""
        return " ".join(self.held.lent.grant.scopes)


class CodeGrant(AuthorizationCodeGrant):
    """The code's grant; the authorization endpoint's half is in ``authorizing``, without Authlib.

    Authlib would put the redirect URI together anew, and answers a quote in it with an error of
    its own: it writes what was sent into a description that may not hold one.
    """

    def query_authorization_code(self, code: str, client: ClientMixin) -> HeldCode | None:
        """The code of this client, if it is good."""
        row = redeemer_of(self).take_code(current(), ours(client), code)
        return None if row is None else HeldCode(row)

    def authenticate_user(self, authorization_code: HeldCode) -> Redeemed | None:
        """The person, as he is now."""
        client = ours(self.request.client)
        return redeemer_of(self).person_of(current(), client, authorization_code.row)

    def delete_authorization_code(self, authorization_code: HeldCode) -> None:
        """Note that it was used. The row stays, to know it again."""
        exchange = current()
        repository.use_code(exchange.database, authorization_code.row.digest, exchange.now)


class StrictChallenge(CodeChallenge):
    """PKCE for everybody, S256 alone; Authlib's own takes ``plain``, and a newline at the end.

    The challenge was read at the authorization endpoint.
    """

    def validate_code_verifier(self, grant: AuthorizationCodeGrant, result: object) -> None:
        """At the token endpoint."""
        del result
        verifier = grant.request.form.get("code_verifier", "")
        if not is_verifier(verifier):
            raise InvalidRequestError
        code = cast("HeldCode", grant.request.authorization_code)
        if not proves(verifier, code.row.challenge):
            raise InvalidGrantError


class RefreshGrant(RefreshTokenGrant):
    """The refresh token's grant: rotated for public clients, kept for confidential ones."""

    def authenticate_refresh_token(self, refresh_token: str) -> ShownToken:
        """The token of the request's client.

        Raises:
            InvalidGrantError: it is not good.
        """
        client = ours(self.request.client)
        held = redeemer_of(self).take_refresh_token(current(), client, refresh_token)
        if held is None:
            raise InvalidGrantError
        return ShownToken(held)

    def authenticate_user(self, refresh_token: TokenMixin) -> Redeemed:
        """The person, as he is now: found with the token."""
        return Redeemed(_shown(refresh_token).held.lent)

    def issue_token(self, user: object, refresh_token: TokenMixin) -> dict[str, Any]:
        """What the scopes asked for give, and for a public client the next refresh token."""
        del refresh_token
        client = ours(self.request.client)
        issued: dict[str, Any] = self.generate_token(
            user=user,
            scope=self.request.form.get("scope"),
            include_refresh_token=client.is_public,
        )
        return issued

    def revoke_old_credential(self, refresh_token: TokenMixin) -> None:
        """Note the use."""
        client = ours(self.request.client)
        redeemer_of(self).note_use(current(), client, _shown(refresh_token).held.row)


def _shown(token: TokenMixin) -> ShownToken:
    if not isinstance(token, ShownToken):
        raise TypeError(type(token).__name__)
    return token


def lent_scopes(user: Redeemed, asked: str | None) -> frozenset[str]:
    """What the token of this request holds: what was asked for, as far as it can be used now.

    Authlib reads any white space as one blank; here a scope is what stands between two.

    Raises:
        InvalidScopeError: more was asked for than was granted, or nothing is left of it.
    """
    scopes = user.lent.scopes
    if asked:
        wanted = frozenset(asked.split(" "))
        if not wanted.issubset(user.lent.grant.scopes):
            raise InvalidScopeError
        scopes &= wanted
    if not scopes - {OFFLINE}:
        raise InvalidScopeError
    return scopes
