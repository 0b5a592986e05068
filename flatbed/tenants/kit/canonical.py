"""Canonical JSON and hashes: one spelling of a value, so that equal content has an equal hash.

Objects sorted by key, no white space, UTF-8, no floats: instants as ISO 8601 in UTC with
microseconds, ids as uuid text, exact numbers as text.
"""

import hashlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID


def canonical(value: object) -> str:
    """The canonical JSON text of plain data."""
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(value: object) -> str:
    """The SHA-256 of the canonical text, as 64 hex digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def chained(previous: str, value: object) -> str:
    """The hash of an entry in a chain: SHA-256 over the previous hash and the entry's content."""
    return hashlib.sha256(f"{previous}\n{canonical(value)}".encode()).hexdigest()


GENESIS = "0" * 64
"""The previous hash of a chain's first entry."""


def _plain(value: object) -> Any:  # noqa: ANN401, PLR0911 - JSON's own type; one line a type
    match value:
        case None | bool() | int() | str() if not isinstance(value, Enum):
            return value
        case Enum():
            return value.value
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case date():
            return value.isoformat()
        case UUID() | Decimal():
            return str(value)
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float():
            # A score in a dossier: a decimal text cannot differ between platforms' printers.
            return format(Decimal(repr(value)).normalize(), "f")
        case _:
            raise TypeError(type(value).__name__)
