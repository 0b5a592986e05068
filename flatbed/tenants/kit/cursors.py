"""Keyset pages: opaque cursors bound to the tenant, the filters and the sort.

A cursor holds the last row's sort value (an instant with microseconds, or an integer) and id. It
is authenticated, not encrypted: it holds nothing that the page did not show.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    SQLColumnExpression,
    literal,
    tuple_,
)

from flatbed.tenants.kit.canonical import digest
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring, same
from flatbed.tenants.kit.problems import ExpiredCursorError, InvalidCursorError

LIFETIME = timedelta(days=7)
DEFAULT_SIZE = 50
LARGEST_SIZE = 200
STEPS = (11, DEFAULT_SIZE + 1, LARGEST_SIZE + 1)
MAC_BYTES = 32

T = TypeVar("T")
R = TypeVar("R", bound=BaseModel)


class Page(BaseModel):
    """The envelope of every list."""

    next_cursor: Annotated[
        str | None, Field(description="Pass it as `cursor` for the next page; null on the last.")
    ]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Position:
    """The last row of a page."""

    value: datetime | int
    id: UUID


@dataclass(frozen=True, slots=True)
class Window:
    """What a repository needs to read one page: where to begin, and how many rows.

    ``size`` rows are wanted; one more says whether there are more.
    """

    after: Position | None
    size: int

    @property
    def limit(self) -> BindParameter[int]:
        """Rows to read: at least one more than are wanted.

        Rendered into the statement: of a number that it is told later the planner knows nothing,
        and a plan for all callers then collects and sorts every row of the largest tenant. In
        steps, so that callers' sizes make few statements, each prepared once a connection.
        """
        steps = (one for one in STEPS if one > self.size)
        return literal(next(steps, self.size + 1), Integer(), literal_execute=True)

    def beyond(
        self,
        value: SQLColumnExpression[datetime] | SQLColumnExpression[int],
        id_: SQLColumnExpression[UUID],
    ) -> ColumnElement[bool] | None:
        """The keyset predicate for an ascending list, None on the first page."""
        if self.after is None:
            return None
        return tuple_(value, id_) > tuple_(self.after.value, self.after.id)


@dataclass(frozen=True, slots=True)
class Cursors:
    """Makes and reads the cursors of one list as one principal sees it.

    Args:
        binding: everything that the cursor must not outlive: tenant or realm, operation, filters,
            sort. Compared by hash.
    """

    keyring: Keyring
    binding: Mapping[str, object]

    def window(self, cursor: str | None, size: int) -> Window:
        """The page to read.

        Raises:
            InvalidCursorError: not ours, tampered with, or of another list, filter or tenant.
            ExpiredCursorError: older than seven days.
        """
        return Window(None if cursor is None else self._read(cursor), min(size, LARGEST_SIZE))

    def page(
        self, window: Window, rows: Sequence[T], position: Callable[[T], Position]
    ) -> tuple[Sequence[T], Page]:
        """The rows to show and the envelope, from up to ``window.limit`` rows."""
        more = len(rows) > window.size
        shown = rows[: window.size]
        cursor = self._write(position(shown[-1])) if more else None
        return shown, Page(next_cursor=cursor, has_more=more)

    def _write(self, position: Position) -> str:
        value = position.value
        number = _microseconds(value) if isinstance(value, datetime) else value
        kind = "t" if isinstance(value, datetime) else "n"
        body = json.dumps([kind, number, position.id.hex, int(system_now().timestamp())]).encode()
        return urlsafe_b64encode(self._mac(body) + body).decode().rstrip("=")

    def _read(self, cursor: str) -> Position:
        try:
            raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            mac, body = raw[:MAC_BYTES], raw[MAC_BYTES:]
            if not same(mac, self._mac(body)):
                raise InvalidCursorError
            kind, number, hexadecimal, made = json.loads(body)
        except ValueError:
            raise InvalidCursorError from None
        if system_now() - datetime.fromtimestamp(made, UTC) > LIFETIME:
            raise ExpiredCursorError
        value = _instant(number) if kind == "t" else number
        return Position(value, UUID(hexadecimal))

    def _mac(self, body: bytes) -> bytes:
        return self.keyring.mac("cursor", digest(dict(self.binding)).encode() + b"\n" + body)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


def _instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
