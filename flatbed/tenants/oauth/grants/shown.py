"""Tokens that a client shows us to end them (RFC 7009) or to learn of them (RFC 7662).

Who may learn of a token: the client that it was issued to, and the service clients of that
client's owner, so that an ISV's own services can check what its own applications hand on. An
agency's service client learns of the agency's own applications' tokens, never of an ISV's, not
even where the ISV belongs to its realm. Of all else nothing is said but that it is not active.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import InvalidClientError, UnsupportedTokenTypeError
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from flatbed.tenants.access.scopes import OFFLINE
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.oauth import repository as clients
from flatbed.tenants.oauth.clients.standing import STAFF, Standing
from flatbed.tenants.oauth.grants.ending.ended import BY_CLIENT
from flatbed.tenants.oauth.grants.ending.repository import end
from flatbed.tenants.oauth.grants.exchange import Client, ReadToken, current
from flatbed.tenants.oauth.grants.models import RefreshToken
from flatbed.tenants.oauth.grants.redeeming.grants import redeemer_of
from flatbed.tenants.oauth.grants.redeeming.lending import lent_by
from flatbed.tenants.oauth.grants.redeeming.service import Redeemer
from flatbed.tenants.oauth.grants.standing import Lent
from flatbed.tenants.oauth.models import SERVICE

REVOCATION: Final = "revocation"
INTROSPECTION: Final = "introspection"
INACTIVE: Final[Mapping[str, Any]] = {"active": False}


@dataclass(frozen=True, slots=True)
class Shown:
    """A token of ours: whose it is, and the grant that it hangs on (None: a machine's)."""

    client_id: UUID
    grant_id: UUID | None
    access: ReadToken | None = None
    refresh: RefreshToken | None = None


def _shown(redeemer: Redeemer, text: str) -> Shown | None:
    """The token, whatever kind the client says that it is."""
    exchange = current()
    if exchange.token is not None:
        claims = exchange.token.claims
        return Shown(claims.client_id, claims.grant_id, access=exchange.token)
    row = redeemer.find_refresh_token(exchange, text)
    return None if row is None else Shown(row.oauth_client_id, row.grant_id, refresh=row)


class Revocation(RevocationEndpoint):
    """``/oauth/revoke``: ends the grant of a token, and so every other token of it."""

    ENDPOINT_NAME = REVOCATION

    def authenticate_token(self, request: OAuth2Request, client: Client) -> Shown | None:
        """The client's own token.

        Of another client's nothing is said, as of one that does not exist (Authlib would tell).
        """
        shown = _shown(redeemer_of(self), request.form["token"])
        return shown if shown and shown.client_id == client.standing.client.id else None

    def revoke_token(self, token: Shown, request: OAuth2Request) -> None:
        """End the grant.

        Raises:
            UnsupportedTokenTypeError: a machine's own token hangs on no grant. To answer that it
                is revoked would be untrue.
        """
        del request
        if token.grant_id is None:
            raise UnsupportedTokenTypeError
        exchange = current()
        exchange.ended.extend(end(exchange.database, token.grant_id, exchange.now, BY_CLIENT))


class Introspection(IntrospectionEndpoint):
    """``/oauth/introspect``: says whether a token is good now, and for what."""

    ENDPOINT_NAME = INTROSPECTION

    def authenticate_token(self, request: OAuth2Request, client: Client) -> Shown | None:
        """The token that this client may learn of.

        Raises:
            InvalidClientError: the client proved nothing.
        """
        if client.is_public:
            raise InvalidClientError
        shown = _shown(redeemer_of(self), request.form["token"])
        return shown if shown and self._may_learn(client.standing, shown) else None

    @staticmethod
    def _may_learn(asking: Standing, shown: Shown) -> bool:
        mine = asking.client
        if mine.id == shown.client_id:
            return True
        owned = clients.find_owned(current().database, shown.client_id)
        if owned is None or mine.kind != SERVICE or mine.owner_kind == STAFF:
            return False
        theirs = owned.client
        return (mine.realm_id, mine.owner_kind, mine.tenant_id) == (
            theirs.realm_id,
            theirs.owner_kind,
            theirs.tenant_id,
        )

    def create_introspection_payload(self, token: Shown | None) -> Mapping[str, Any]:
        """What is told: of a token that is not good now, or not the client's, only that."""
        if token is None:
            return INACTIVE
        exchange, redeemer = current(), redeemer_of(self)
        standings = redeemer.lendings.standings
        standing = standings.of(clients.find_owned(exchange.database, token.client_id))
        if standing is None:
            return INACTIVE
        if token.grant_id is None:
            return self._of_machine(standing, token)
        lent = lent_by(exchange.database, redeemer.lendings, token.grant_id, standing, exchange.now)
        if lent is None:
            return INACTIVE
        if token.refresh is not None:
            return self._of_refresh_token(redeemer, standing, lent, token.refresh)
        return self._of_person(lent, token)

    @staticmethod
    def _of_machine(standing: Standing, token: Shown) -> Mapping[str, Any]:
        if token.access is None or standing.client.kind != SERVICE:
            return INACTIVE
        return _told(token.access, token.access.claims.scopes & standing.scopes)

    @staticmethod
    def _of_person(lent: Lent, token: Shown) -> Mapping[str, Any]:
        if token.access is None:
            return INACTIVE
        return _told(token.access, token.access.claims.scopes & lent.scopes)

    @staticmethod
    def _of_refresh_token(
        redeemer: Redeemer, standing: Standing, lent: Lent, row: RefreshToken
    ) -> Mapping[str, Any]:
        if OFFLINE not in lent.scopes or not redeemer.is_good(current(), Client(standing), row):
            return INACTIVE
        return {
            "active": True,
            "iss": redeemer.issuer,
            "client_id": encode("client", row.oauth_client_id),
            "sub": encode("usr", lent.grant.user_id),
            "scope": " ".join(sorted(lent.scopes)),
            "iat": int(row.issued_at.timestamp()),
            "exp": int(row.idle_until.timestamp()),
        }


def _told(token: ReadToken, scopes: frozenset[str]) -> Mapping[str, Any]:
    """What the token says, with the scopes that are of use now."""
    scope = " ".join(sorted(scopes))
    return {**token.payload, "active": True, "token_type": "Bearer", "scope": scope}
