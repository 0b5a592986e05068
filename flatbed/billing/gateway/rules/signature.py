"""The ``Stripe-Signature`` header: ``t=<seconds>,v1=<hex>[,v1=<hex>…]``, HMAC-SHA256.

The library's own check takes signatures from any time in the future, which turns a captured one
into a voucher for later, and fails with other errors on headers that are not ASCII.
"""

import hashlib
import hmac
from typing import Final

TOLERANCE_S: Final = 300
"""Seconds that a signature may be old, or ahead of our clock."""
LONGEST_HEADER: Final = 4_096


class Untrusted(Exception):
    """The signature does not hold; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def sign(payload: bytes, secret: str, at: int) -> str:
    """The header for a payload signed at a time in seconds since 1970."""
    return f"t={at},v1={_mac(payload, secret, at)}"


def verify(
    payload: bytes, header: str, secret: str, now: int, tolerance: int = TOLERANCE_S
) -> None:
    """Make sure that the holder of the secret signed this payload about now.

    While a secret is being rolled Stripe sends one signature for each; one is enough.

    Raises:
        Untrusted: ``malformed``, ``mismatch``, ``too-old`` or ``in-the-future``.
    """
    at, signatures = _parse(header)
    expected = _mac(payload, secret, at)
    if not any(hmac.compare_digest(expected, given) for given in signatures):
        raise Untrusted("mismatch")
    if at < now - tolerance:
        raise Untrusted("too-old")
    if at > now + tolerance:
        raise Untrusted("in-the-future")


def _parse(header: str) -> tuple[int, list[str]]:
    if not header.isascii() or len(header) > LONGEST_HEADER:
        raise Untrusted("malformed")
    fields = [field.partition("=") for field in header.split(",")]
    times = [value for name, _, value in fields if name.strip() == "t"]
    signatures = [value.strip() for name, _, value in fields if name.strip() == "v1"]
    # Two times would leave it to the reader which one is signed.
    if len(times) != 1 or not times[0].isdigit() or not signatures:
        raise Untrusted("malformed")
    return int(times[0]), signatures


def _mac(payload: bytes, secret: str, at: int) -> str:
    signed = b"%d." % at + payload
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
