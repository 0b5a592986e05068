"""What may stand in an authorization request beside the redirect URI (``redirects``). Pure."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Final

CODE_LIFETIME: Final = timedelta(seconds=60)
METHOD: Final = "S256"
PROMPTS: Final = ("none", "login", "consent", "select_account")
LONGEST_NONCE: Final = 512
LONGEST_AGE: Final = 10**9
"""Seconds, of ``max_age``."""
DIGITS: Final = len(str(LONGEST_AGE))

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def is_challenge(text: str) -> bool:
    """Whether it can be the SHA-256 of a verifier: 43 characters of base64url."""
    return _CHALLENGE.fullmatch(text) is not None


def is_verifier(text: str) -> bool:
    """Whether it is a verifier of RFC 7636: 43 to 128 unreserved characters, and no more."""
    return _VERIFIER.fullmatch(text) is not None


def proves(verifier: str, challenge: str) -> bool:
    """Whether the verifier is the one that the challenge was made of, in constant time."""
    made = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(made, challenge.encode())


def is_nonce(text: str) -> bool:
    """Whether it can be kept and repeated in an ID token."""
    return 1 <= len(text) <= LONGEST_NONCE and text.isascii() and text.isprintable()


def read_prompt(text: str | None) -> frozenset[str] | None:
    """The words of ``prompt``; None: there is another, one twice, or another beside ``none``."""
    words = text.split(" ") if text else []
    if len(set(words)) != len(words) or not set(words) <= set(PROMPTS):
        return None
    return None if "none" in words and len(words) > 1 else frozenset(words)


def read_max_age(text: str | None) -> timedelta | None:
    """``max_age`` in seconds.

    Raises:
        ValueError: it is no number of seconds.
    """
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > DIGITS or int(text) > LONGEST_AGE:
        raise ValueError
    return timedelta(seconds=int(text))


def is_too_old(auth_at: datetime, now: datetime, max_age: timedelta | None) -> bool:
    """Whether the person proved who he is longer ago than the client accepts."""
    return max_age is not None and now - auth_at > max_age
