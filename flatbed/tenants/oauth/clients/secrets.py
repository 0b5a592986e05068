"""Client secrets: made, recognised and compared. None is ever stored, logged or shown again.

``flatbed_`` + 43 base 62 digits (256 bits) + 6 base 62 digits (CRC-32 of what stands before).
The prefix and the checksum let a secret scanner find a leaked one without asking us.
"""

import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from flatbed.tenants.kit.crypto import Keyring, same

PREFIX: Final = "flatbed_"
LIFETIME: Final = timedelta(days=365)
MOST_LIVE: Final = 2
PEPPER_VERSION: Final = 1

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BITS: Final = 256
_RANDOM_LENGTH: Final = 43
_CHECK_LENGTH: Final = 6
_NOTHING: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept of a secret: its HMAC, and which pepper made it."""

    digest: bytes
    pepper_version: int


def make_secret() -> str:
    """A new secret."""
    body = PREFIX + _base62(secrets.randbits(_BITS), _RANDOM_LENGTH)
    return body + _check(body)


def well_formed(secret: str) -> bool:
    """Whether the text can be a secret of ours: prefix, length and checksum."""
    body, check = secret[:-_CHECK_LENGTH], secret[-_CHECK_LENGTH:]
    return (
        secret.isascii()
        and len(body) == len(PREFIX) + _RANDOM_LENGTH
        and body.startswith(PREFIX)
        and same(check.encode(), _check(body).encode())
    )


def conceal(keyring: Keyring, secret: str) -> Stored:
    """What to store of a new secret."""
    return Stored(_digest(keyring, secret, PEPPER_VERSION), PEPPER_VERSION)


def matching(keyring: Keyring, secret: str, stored: Sequence[Stored]) -> int | None:
    """The index of the stored secret that this one is, else None.

    As many comparisons are made for no stored secret as for the most there can be, so that the
    time tells nothing of the client; no HMAC is all zeros. What is not of our making, and may be
    weak, never matches, whoever stored it.
    """
    padded = [*stored, *([Stored(_NOTHING, PEPPER_VERSION)] * (MOST_LIVE - len(stored)))]
    digests = {
        version: _digest(keyring, secret, version)
        for version in {PEPPER_VERSION, *(item.pepper_version for item in padded)}
    }
    found: int | None = None
    for index, item in enumerate(padded):
        if same(item.digest, digests[item.pepper_version]):
            found = index
    return found if well_formed(secret) else None


def _digest(keyring: Keyring, secret: str, version: int) -> bytes:
    return keyring.mac(f"client-secret:{version}", secret.encode("utf-8", "replace"))


def _check(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
