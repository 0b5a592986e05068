"""How the values of the corpus are written: as the bytes of JSON tokens."""

import json
from uuid import UUID

from flatbed.tenants.kit.ids import encode

LARGE = 900_000
"""Characters of a long text: the whole body stays just below the limit of a body."""


def texts(*found: str) -> list[bytes]:
    """JSON strings, with nothing escaped that need not be."""
    return [json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass") for text in found]


def raw(*inside: bytes) -> list[bytes]:
    """Strings whose bytes are not text."""
    return [b'"' + one + b'"' for one in inside]


def nested(depth: int, opening: str, closing: str) -> bytes:
    """One thing inside another."""
    return (opening * depth + closing * depth).encode()


def missing(prefix: str, number: int) -> str:
    """A good id that nobody has."""
    return encode(prefix, UUID(int=(0x0192E4C2_0000_7000_8000 << 48) + number))
