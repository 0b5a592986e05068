"""Codes and refresh tokens: 256 random bits, kept as HMAC. The table gives none of them away."""

import secrets
from typing import Final

from flatbed.tenants.kit.crypto import Keyring

CODE: Final = "authorization-code"
REFRESH: Final = "refresh-token"
_BYTES: Final = 32


def make() -> str:
    """A new one: 43 characters of base64url."""
    return secrets.token_urlsafe(_BYTES)


def digest(keyring: Keyring, use: str, text: str) -> bytes:
    """What is kept of it; ``use`` is one of the two above, so that neither passes for the other."""
    return keyring.mac(use, text.encode())
