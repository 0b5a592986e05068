"""Canonical JSON and hashes: one spelling of a value, so that equal content has an equal hash.

Objects sorted by key, no white space, UTF-8, no floats: instants as ISO 8601 in UTC with
microseconds, ids as uuid text, exact numbers as text.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from json.encoder import encode_basestring
from typing import Any, TypeAlias
from uuid import UUID

Writer: TypeAlias = Callable[[Any], str]


def canonical(value: object) -> str:
    """The canonical JSON text of plain data.

    Raises:
        TypeError: a value that is no plain data; the text names its type.
    """
    return _WRITERS[type(value)](value)


def digest(value: object) -> str:
    """The SHA-256 of the canonical text, as 64 hex digits."""
    return digest_of_text(canonical(value))


def digest_of_text(text: str) -> str:
    """As :func:`digest`, of a value whose canonical text is known."""
    return hashlib.sha256(text.encode()).hexdigest()


def chained(previous: str, value: object) -> str:
    """The hash of an entry in a chain: SHA-256 over the previous hash and the entry's content."""
    return chained_text(previous, canonical(value))


def chained_text(previous: str, text: str) -> str:
    """As :func:`chained`, over a content whose canonical text is known."""
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


GENESIS = "0" * 64
"""The previous hash of a chain's first entry."""


class Shape:
    """Objects that all have the same members, written faster than one by one."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(names)
        keys = (encode_basestring(name).replace("%", "%%") for name in self._names)
        self._template = f"{{{','.join(f'{key}:%s' for key in keys)}}}"

    def text(self, content: Mapping[str, Any]) -> str:
        """The canonical text of an object of this shape.

        Raises:
            KeyError: it lacks a member.
            TypeError: as :func:`canonical`.
        """
        # Most values are texts: they are told apart here, without a look-up and a call.
        return self._template % tuple(
            [
                encode_basestring(value) if type(value) is str else _WRITERS[type(value)](value)
                for value in map(content.__getitem__, self._names)
            ]
        )


class _Writers(dict[type, Writer]):
    """How values of each type are written; found once a type, since drivers have their own."""

    def __missing__(self, kind: type) -> Writer:
        for known, writer in _KNOWN:
            if issubclass(kind, known):
                self[kind] = writer
                return writer
        raise TypeError(kind.__name__)


def _instant(value: datetime) -> str:
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return f'"{utc.isoformat(timespec="microseconds")}"'


def _float(value: float) -> str:
    # A score in a dossier: a decimal text cannot differ between platforms' printers.
    return f'"{format(Decimal(repr(value)).normalize(), "f")}"'


def _array(value: Iterable[object]) -> str:
    return f"[{','.join([_WRITERS[type(item)](item) for item in value])}]"


def _object(value: Mapping[object, object]) -> str:
    named = {str(key): item for key, item in value.items()}
    write = _WRITERS
    members = [
        f"{encode_basestring(key)}:{write[type(named[key])](named[key])}" for key in sorted(named)
    ]
    return f"{{{','.join(members)}}}"


# In this order: an Enum may be a str, a bool is an int, an instant is a date.
_KNOWN: tuple[tuple[type, Writer], ...] = (
    (Enum, lambda value: canonical(value.value)),
    (type(None), lambda _: "null"),
    (bool, lambda value: "true" if value else "false"),
    (int, int.__repr__),
    (str, encode_basestring),
    (datetime, _instant),
    (date, lambda value: f'"{value.isoformat()}"'),
    (UUID, lambda value: f'"{value}"'),
    (Decimal, lambda value: f'"{value}"'),
    (dict, _object),
    (list, _array),
    (tuple, _array),
    (float, _float),
)
_WRITERS = _Writers()
