"""The parts of a signed token (a compact JWS), as they stand there: nothing is verified yet."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final

HEADERS: Final = frozenset({"alg", "kid", "typ"})
"""All that may stand in a header: no ``jwk``, ``jku``, ``x5u``, ``x5c`` or ``crit``."""
LARGEST: Final = 8_192
"""Characters of a token; a longer one is none."""


def header_of(token: str) -> Mapping[str, Any] | None:
    """The header, None where none can be read."""
    return _part(token, 0)


def claims_of(token: str) -> Mapping[str, Any] | None:
    """The claims, None where none can be read."""
    return _part(token, 1)


def _part(token: str, index: int) -> Mapping[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():  # noqa: PLR2004 - header, claims, signature
        return None
    try:
        found = json.loads(urlsafe_b64decode(parts[index] + "=" * (-len(parts[index]) % 4)))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
