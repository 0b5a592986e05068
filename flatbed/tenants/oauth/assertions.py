"""Client assertions (``private_key_jwt``, RFC 7523): a JWT that the client signed to say who it is.

Authlib's own reader takes any algorithm of the key, a list of audiences, an ``exp`` of any day and
every header, and says what was wrong; it is written here on joserfc instead, as access tokens are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from flatbed.tenants.oauth.clients import keys as client_keys
from flatbed.tenants.oauth.clients.keys import ALGORITHMS, chosen
from flatbed.tenants.oauth.jws import HEADERS, LARGEST, claims_of, header_of

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TYPES: Final = frozenset({None, "JWT", "client-authentication+jwt"})
LONGEST: Final = 3_600
"""Seconds until it expires, at most: so long its ``jti`` is remembered."""
SKEW: Final = 60
"""Seconds by which the client's clock may be ahead."""
LONGEST_JTI: Final = 256

_EC: Final = ECKey.generate_key("P-256").as_dict(private=False)
_RSA: Final = {"kty": "RSA", "n": "_" * 341 + "w", "e": "AQAB"}
"""Keys that verify nothing: where no key of a client fits, the same work is done with these."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An assertion that is good once: how to know it again, and until when."""

    digest: bytes
    expires_at: datetime


def named_client(assertion: str) -> str:
    """The client that the assertion says it is of, empty where it says nothing that can be read."""
    claims = claims_of(assertion)
    subject = None if claims is None else claims.get("sub")
    return subject if isinstance(subject, str) else ""


def accepted(
    assertion: str, keys: Sequence[Mapping[str, Any]], client_id: str, issuer: str, now: datetime
) -> Accepted | None:
    """What the assertion is worth, None when it is not valid now.

    Args:
        assertion: as it was sent.
        keys: the client's public keys; none where it has none, or there is no such client.
        client_id: whose it must be.
        issuer: who it must be for.
        now: the system's time.
    """
    header = header_of(assertion)
    if header is None or len(assertion) > LARGEST:
        return None
    jwk = _key(header, keys)
    algorithm = "RS256" if header.get("alg") == "RS256" else "ES256"
    claims = _signed(assertion, jwk, algorithm)
    return None if claims is None else _judged(claims, client_id, issuer, int(now.timestamp()))


def _key(header: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The key that the header names, when the header is as it may be."""
    kid, kind = header.get("kid"), header.get("typ")
    if not header.keys() <= HEADERS or not isinstance(kid, str | None):
        return None
    if not isinstance(kind, str | None) or kind not in TYPES:
        return None
    jwk = chosen(keys, kid)
    return jwk if jwk is not None and ALGORITHMS[jwk["kty"]] == header.get("alg") else None


def _signed(
    assertion: str, jwk: Mapping[str, Any] | None, algorithm: str
) -> Mapping[str, Any] | None:
    """The claims under the key's signature."""
    stand_in = _RSA if algorithm == "RS256" else _EC
    key = client_keys.imported(stand_in if jwk is None else jwk)
    try:
        claims = jwt.decode(assertion, key, algorithms=[algorithm]).claims
    except (JoseError, ValueError, RecursionError):
        return None
    return None if jwk is None else claims


def _judged(claims: Mapping[str, Any], client_id: str, issuer: str, now: int) -> Accepted | None:
    expires, jti = claims.get("exp"), claims.get("jti")
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        return None
    if claims.get("aud") not in (issuer, [issuer]):
        return None
    if type(expires) is not int or not now < expires <= now + LONGEST + SKEW:
        return None
    if not _begun(claims, now, expires) or not isinstance(jti, str):
        return None
    if not 1 <= len(jti) <= LONGEST_JTI:
        return None
    digest = sha256(jti.encode("utf-8", "surrogatepass")).digest()
    return Accepted(digest, datetime.fromtimestamp(expires, UTC))


def _begun(claims: Mapping[str, Any], now: int, expires: int) -> bool:
    """Whether ``iat`` and ``nbf``, where they stand, are instants of now or before."""
    begins = [claims[name] for name in ("iat", "nbf") if name in claims]
    if not all(type(begin) is int and begin <= now + SKEW for begin in begins):
        return False
    issued: int = claims.get("iat", now)
    return expires - issued <= LONGEST + SKEW
