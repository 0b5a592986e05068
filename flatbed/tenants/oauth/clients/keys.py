"""The public keys of a client that signs in with ``private_key_jwt``."""

from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from flatbed.tenants.kit.problems import FieldError
from flatbed.tenants.oauth.clients.schemas_keys import ClientKeys

ALGORITHMS: Final[Mapping[str, str]] = {"EC": "ES256", "RSA": "RS256"}
"""A key of this type signs with this algorithm and no other."""
SMALLEST_MODULUS: Final = 2048
LARGEST_MODULUS: Final = 4096
"""Bits; a larger one would have us work for whoever sends rubbish."""


def wrong(keys: ClientKeys) -> list[FieldError]:
    """What is wrong with the keys themselves, beyond their form."""
    return [
        FieldError(f"/jwks/keys/{index}", "key-not-usable", message)
        for index, jwk in enumerate(keys.model_dump()["keys"])
        if (message := _fault(jwk)) is not None
    ]


def imported(jwk: Mapping[str, Any]) -> ECKey | RSAKey:
    """The key, for verifying.

    Raises:
        ValueError: its numbers are no key.
        JoseError: likewise.
    """
    return ECKey.import_key(dict(jwk)) if jwk["kty"] == "EC" else RSAKey.import_key(dict(jwk))


def chosen(keys: Sequence[Mapping[str, Any]], kid: str | None) -> Mapping[str, Any] | None:
    """The key of this name; a client with one key alone need not name it."""
    if kid is None:
        return keys[0] if len(keys) == 1 else None
    return next((jwk for jwk in keys if jwk["kid"] == kid), None)


def _fault(jwk: Mapping[str, Any]) -> str | None:
    if jwk["kty"] == "RSA":
        modulus = int.from_bytes(urlsafe_b64decode(jwk["n"] + "=" * (-len(jwk["n"]) % 4)))
        if not SMALLEST_MODULUS <= modulus.bit_length() <= LARGEST_MODULUS:
            return "An RSA key has 2048 to 4096 bits."
    try:
        imported(jwk)
    except (JoseError, ValueError):
        return "These numbers are no key."
    return None
