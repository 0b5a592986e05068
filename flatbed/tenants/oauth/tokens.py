"""Access tokens (RFC 9068): made with the active key, verified with nothing left to choose.

Authlib's own generator signs with any key of a set and its validator takes a token without
``typ``; both are written here on joserfc instead. Lifetimes use system time in every realm.
"""

import json
import secrets
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError

from flatbed.tenants.access.principal import Claims
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.ids import InvalidIdError, decode, encode
from flatbed.tenants.kit.problems import UnauthenticatedError
from flatbed.tenants.oauth.keys import ALGORITHM, Keys, LoadedKey
from flatbed.tenants.oauth.rules.rotation import LIFETIME, SKEW
from flatbed.tenants.oauth.standing import Standing

TYPE: Final = "at+jwt"
TYPES: Final = frozenset({TYPE, f"application/{TYPE}"})
HEADERS: Final = frozenset({"alg", "kid", "typ"})
"""All that may stand in a header: no ``jwk``, ``jku``, ``x5u``, ``x5c`` or ``crit``."""
LARGEST: Final = 8_192
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
        name = encode("client", client.id)
        issued = int(self.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.issuer,
            "iat": issued,
            "exp": issued + int(LIFETIME.total_seconds()),
            "jti": secrets.token_urlsafe(16),
            "client_id": name,
            "sub": f"client:{name}",
            "scope": " ".join(sorted(scopes)),
            "realm": encode("realm", client.realm_id),
            "role": standing.role.value,
        }
        if client.tenant_id is not None:
            claims["tid"] = encode("org", client.tenant_id)
        if client.staff_id is not None:
            claims["staff"] = encode("staff", client.staff_id)
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": key.kid}
        return jwt.encode(header, claims, key.key, algorithms=[ALGORITHM])


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
        if claims.get("sub") != f"client:{claims['client_id']}":
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
            ),
        )


def _kid(token: str) -> str:
    """The header's ``kid``, when the header is exactly as we make it."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        raise invalid_token()
    try:
        header = json.loads(urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (ValueError, RecursionError):
        raise invalid_token() from None
    if not isinstance(header, dict) or not header.keys() <= HEADERS:
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
