"""Cursors: opaque, bound to tenant, filters and sort, and not for ever."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import column, select

from flatbed.tenants.kit import cursors as module
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.cursors import LARGEST_SIZE, STEPS, Cursors, Position, Window
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import ExpiredCursorError, InvalidCursorError

TENANT = uuid7()
KEYRING = Keyring(b"k" * 32)


@dataclass(frozen=True)
class Row:
    at: datetime
    id: UUID


def cursors(
    owner: UUID = TENANT, keyring: Keyring = KEYRING, operation: str = "list", **filters: object
) -> Cursors:
    return Cursors(keyring, {"owner": owner, "operation": operation, "filters": filters})


def rows(count: int) -> list[Row]:
    start = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)
    return [Row(start + timedelta(microseconds=n), uuid7()) for n in range(count)]


def next_cursor(of: Cursors) -> str:
    window = of.window(None, 2)
    _, page = of.page(window, rows(3), lambda row: Position(row.at, row.id))
    assert page.next_cursor is not None
    return page.next_cursor


class TestPage:
    def test_the_next_page_begins_after_the_last_row_to_the_microsecond(self) -> None:
        found = rows(3)
        made = cursors()
        shown, page = made.page(made.window(None, 2), found, lambda r: Position(r.at, r.id))
        assert list(shown) == found[:2]
        assert page.has_more
        window = made.window(page.next_cursor, 2)
        assert window.after == Position(found[1].at, found[1].id)

    def test_an_integer_is_a_position_too(self) -> None:
        made, found = cursors(), rows(2)
        _, page = made.page(made.window(None, 1), found, lambda r: Position(2**53, r.id))
        assert made.window(page.next_cursor, 1).after == Position(2**53, found[0].id)

    def test_the_last_page_has_no_cursor(self) -> None:
        made = cursors()
        _, page = made.page(made.window(None, 2), rows(2), lambda r: Position(r.at, r.id))
        assert (page.next_cursor, page.has_more) == (None, False)

    def test_a_page_is_never_larger_than_the_largest(self) -> None:
        assert cursors().window(None, 10_000) == Window(None, LARGEST_SIZE)

    def test_the_rows_to_read_stand_in_the_statement_and_make_few_statements(self) -> None:
        """A prepared statement that is told its limit later is planned for nobody's page."""
        texts = {}
        for size in range(1, LARGEST_SIZE + 1):
            compiled = select(column("id")).limit(Window(None, size).limit).compile()
            given = compiled.construct_expanded_state({})
            assert given.parameters == {}
            texts[size] = int(given.statement.rsplit("LIMIT ", 1)[1])
            assert texts[size] > size
        assert len(set(texts.values())) == len(STEPS) == 3

    def test_rows_beyond_those_wanted_are_not_shown(self) -> None:
        made, found = cursors(), rows(9)
        shown, page = made.page(made.window(None, 2), found, lambda r: Position(r.at, r.id))
        assert (list(shown), page.has_more) == (found[:2], True)


class TestBinding:
    def test_the_same_list_reads_its_own_cursor(self) -> None:
        cursor = next_cursor(cursors(sort="created_at", status="open"))
        assert cursors(status="open", sort="created_at").window(cursor, 2).after is not None

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(cursors(uuid7(), sort="created_at"), id="another tenant"),
            pytest.param(cursors(sort="updated_at"), id="another sort"),
            pytest.param(cursors(sort="created_at", status="open"), id="another filter"),
            pytest.param(cursors(operation="others", sort="created_at"), id="another list"),
            pytest.param(cursors(keyring=Keyring(b"x" * 32), sort="created_at"), id="another key"),
        ],
    )
    def test_a_cursor_of_something_else_is_refused(self, other: Cursors) -> None:
        with pytest.raises(InvalidCursorError):
            other.window(next_cursor(cursors(sort="created_at")), 2)


class TestTampering:
    def test_every_changed_byte_is_found(self) -> None:
        cursor = next_cursor(cursors())
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        for place in range(len(raw)):
            changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            with pytest.raises(InvalidCursorError):
                cursors().window(urlsafe_b64encode(changed).decode().rstrip("="), 2)

    @pytest.mark.parametrize("text", ["", "a", "ä", "null", "=" * 40, "A" * 500, "{}", "\x00"])
    def test_what_is_no_cursor_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidCursorError):
            cursors().window(text, 2)


class TestExpiry:
    def test_a_cursor_lives_seven_days(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cursor, now = next_cursor(cursors()), system_now()
        monkeypatch.setattr(module, "system_now", lambda: now + timedelta(days=6, hours=23))
        assert cursors().window(cursor, 2).after is not None
        monkeypatch.setattr(module, "system_now", lambda: now + timedelta(days=7, seconds=2))
        with pytest.raises(ExpiredCursorError):
            cursors().window(cursor, 2)
