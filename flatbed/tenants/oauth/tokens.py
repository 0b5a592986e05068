"""Access tokens (RFC 9068) and ID tokens: made with the active key; access tokens verified.

Of an access token nothing is left to choose: algorithm, type, issuer and audience are fixed.
Authlib's own generator signs with any key of a set and its validator takes a token without
``typ``; both are written here on joserfc instead. Lifetimes use system time in every realm.
"""

import secrets
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError

from flatbed.tenants.access.principal import Claims, Role
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.ids import InvalidIdError, decode, encode
from flatbed.tenants.kit.problems import UnauthenticatedError
from flatbed.tenants.oauth.clients.standing import Standing
from flatbed.tenants.oauth.grants.standing import Lent
from flatbed.tenants.oauth.jws import HEADERS, LARGEST, header_of
from flatbed.tenants.oauth.keys.keyset import ALGORITHM, Keys, LoadedKey
from flatbed.tenants.oauth.rules.rotation import LIFETIME, SKEW

TYPE: Final = "at+jwt"
ID_TYPE: Final = "JWT"
TYPES: Final = frozenset({TYPE, f"application/{TYPE}"})
CACHED: Final = 4_096
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


def invalid_token() -> UnauthenticatedError:
    """The one answer to every bad token; the reason is not told."""
    return UnauthenticatedError(headers=CHALLENGE)


@dataclass(frozen=True, slots=True)
class Minter:
    """Makes tokens for this issuer, which is also their one audience."""

    issuer: str
    now: Callable[[], datetime] = system_now

    def mint(self, key: LoadedKey, standing: Standing, scopes: frozenset[str]) -> str:
        """A token of the client with these scopes.

        ``role`` is a hint for clients and logs; every request asks the database for the role.
        """
        client = standing.client
        claims = self._claims(client.id, client.realm_id, standing.role, scopes)
        claims["sub"] = f"client:{claims['client_id']}"
        return self._signed(key, claims | _place(client.tenant_id, client.staff_id))

    def mint_for(self, key: LoadedKey, lent: Lent, scopes: frozenset[str]) -> str:
        """A token of the person who lent a client his authority, with these scopes.

        ``acr`` and ``auth_time`` say how and when he proved who he is.
        """
        grant = lent.grant
        claims = self._claims(grant.oauth_client_id, grant.realm_id, lent.role, scopes)
        claims |= {
            "sub": encode("usr", grant.user_id),
            "gid": encode("grant", grant.id),
            "acr": grant.acr,
            "auth_time": int(grant.auth_at.timestamp()),
        }
        return self._signed(key, claims | _place(grant.tenant_id, grant.staff_id))

    def mint_id(self, key: LoadedKey, lent: Lent, nonce: str | None, access_token: str) -> str:
        """An ID token for the client: who signed in, how and when.

        Its type and audience say that it is none for the API. What ``profile`` and ``email``
        allow is told at ``/oauth/userinfo``.
        """
        grant = lent.grant
        issued = int(self.now().timestamp())
        half = sha256(access_token.encode()).digest()[:16]
        claims = {
            "iss": self.issuer,
            "sub": encode("usr", grant.user_id),
            "aud": encode("client", grant.oauth_client_id),
            "iat": issued,
            "exp": issued + int(LIFETIME.total_seconds()),
            "auth_time": int(grant.auth_at.timestamp()),
            "acr": grant.acr,
            "at_hash": urlsafe_b64encode(half).decode().rstrip("="),
        }
        return self._signed(key, claims | ({"nonce": nonce} if nonce else {}), ID_TYPE)

    def _claims(
        self, client_id: UUID, realm_id: UUID, role: Role, scopes: frozenset[str]
    ) -> dict[str, Any]:
        issued = int(self.now().timestamp())
        return {
            "iss": self.issuer,
            "aud": self.issuer,
            "iat": issued,
            "exp": issued + int(LIFETIME.total_seconds()),
            "jti": secrets.token_urlsafe(16),
            "client_id": encode("client", client_id),
            "scope": " ".join(sorted(scopes)),
            "realm": encode("realm", realm_id),
            "role": role.value,
        }

    @staticmethod
    def _signed(key: LoadedKey, claims: dict[str, Any], kind: str = TYPE) -> str:
        header = {"alg": ALGORITHM, "typ": kind, "kid": key.kid}
        return jwt.encode(header, claims, key.key, algorithms=[ALGORITHM])


def _place(tenant_id: UUID | None, staff_id: UUID | None) -> dict[str, str]:
    place = {}
    if tenant_id is not None:
        place["tid"] = encode("org", tenant_id)
    if staff_id is not None:
        place["staff"] = encode("staff", staff_id)
    return place


@dataclass(frozen=True, slots=True)
class _Verified:
    kid: str
    expires: int
    claims: Claims


class Verifier:
    """Checks tokens; remembers the last few thousand good ones by their hash."""

    def __init__(self, issuer: str, keys: Keys, now: Callable[[], datetime] = system_now) -> None:
        self._issuer = issuer
        self._keys = keys
        self._now = now
        self._good: OrderedDict[bytes, _Verified] = OrderedDict()

    async def verify(self, token: str) -> Claims:
        """What the token says.

        Raises:
            UnauthenticatedError: it is not a token of ours, or not valid now.
        """
        if len(token) > LARGEST or not token.isascii():
            raise invalid_token()
        now = int(self._now().timestamp())
        known = sha256(token.encode()).digest()
        found = self._good.get(known)
        if found is None:
            found = await self._check(token, now)
            self._good[known] = found
            if len(self._good) > CACHED:
                self._good.popitem(last=False)
        elif not self._keys.has(found.kid) and await self._keys.by_kid(found.kid) is None:
            # Who had the private part says himself when his tokens expire.
            self._good.pop(known, None)
            raise invalid_token()
        if found.expires <= now:
            self._good.pop(known, None)
            raise invalid_token()
        return found.claims

    async def _check(self, token: str, now: int) -> _Verified:
        key = await self._keys.by_kid(_kid(token))
        if key is None:
            raise invalid_token()
        try:
            claims = jwt.decode(token, key.key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            raise invalid_token() from None
        return self._read(key.kid, claims, now)

    def _read(self, kid: str, claims: Mapping[str, Any], now: int) -> _Verified:
        expires, issued, scope = claims.get("exp"), claims.get("iat"), claims.get("scope")
        if (
            claims.get("iss") != self._issuer
            or claims.get("aud") != self._issuer
            or type(expires) is not int
            or type(issued) is not int
            or not isinstance(scope, str)
            or not issued - SKEW.total_seconds() <= now < expires
        ):
            raise invalid_token()
        client_id = _id(claims, "client_id", "client")
        realm_id = _id(claims, "realm", "realm")
        if client_id is None or realm_id is None:
            raise invalid_token()
        grant_id = _id(claims, "gid", "grant")
        if grant_id is None:
            user_id = None
            if claims.get("sub") != f"client:{claims['client_id']}":
                raise invalid_token()
        else:
            user_id = _id(claims, "sub", "usr")
            if user_id is None:
                raise invalid_token()
        return _Verified(
            kid,
            expires,
            Claims(
                client_id=client_id,
                realm_id=realm_id,
                tenant_id=_id(claims, "tid", "org"),
                staff_id=_id(claims, "staff", "staff"),
                scopes=frozenset(scope.split()),
                user_id=user_id,
                grant_id=grant_id,
            ),
        )


def _kid(token: str) -> str:
    """The header's ``kid``, when the header is exactly as we make it."""
    header = header_of(token)
    if header is None or not header.keys() <= HEADERS:
        raise invalid_token()
    kid, type_ = header.get("kid"), header.get("typ")
    if header.get("alg") != ALGORITHM or not isinstance(kid, str) or not isinstance(type_, str):
        raise invalid_token()
    if type_ not in TYPES:
        raise invalid_token()
    return kid


def _id(claims: Mapping[str, Any], name: str, prefix: str) -> UUID | None:
    value = claims.get(name)
    if value is None:
        return None
    try:
        return decode(prefix, value)
    except (InvalidIdError, AttributeError):
        raise invalid_token() from None
