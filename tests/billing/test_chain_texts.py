"""The database writes an entry's canonical text as the rule does, whatever the entry holds."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.dialects import postgresql

from flatbed.billing.usage.chain import LATER, covered, text_of
from flatbed.billing.usage.models import UsageEntry
from flatbed.billing.usage.repository.chains import pieces
from flatbed.billing.usage.repository.ledger import CONTENT
from flatbed.billing.usage.verification import joined
from flatbed.tenants.kit.database.urls import Plain, connect
from tests.support.postgres import TestDatabase

COLUMNS = UsageEntry.__table__.columns
ID = UUID("0198c0de-0000-7000-8000-000000000001")
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
TEXTS = WORDS | st.sampled_from(["qualified", '"', "\\", "%s", "\x1f\x7f", "sha256", "\u2028"])
NUMBERS = st.integers(-(2**31), 2**31 - 1)
VALUES: Mapping[type, st.SearchStrategy[Any]] = {
    UUID: st.uuids(),
    str: TEXTS,
    int: NUMBERS,
    datetime: st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001 (the zone is added)
}
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


def value(name: str) -> st.SearchStrategy[Any]:
    if name == "tiers":
        return st.none() | st.lists(JSON, max_size=3)
    kind = VALUES[COLUMNS[name].type.python_type]
    return st.none() | kind if COLUMNS[name].nullable else kind


def sample(name: str, number: int) -> object:
    """One of two values that a column may have."""
    if name == "tiers":
        return [number]
    samples: Mapping[type, object] = {
        UUID: UUID(int=number),
        str: f"{number}",
        int: number,
        datetime: datetime(2026, 3, 1 + number, tzinfo=UTC),
    }
    return samples[COLUMNS[name].type.python_type]


ENTRIES = st.fixed_dictionaries({name: value(name) for name in CONTENT if name != "format"})
FILLED = st.sampled_from(sorted(LATER - {"format"}))
SQL = str(
    select(*pieces()).compile(
        dialect=postgresql.asyncpg.dialect(),  # type: ignore[no-untyped-call]  # SQLAlchemy's own signature
        compile_kwargs={"literal_binds": True},
    )
)


@dataclass
class Writer:
    """Writes an entry into a table without checks, and reads its text."""

    runner: asyncio.Runner
    connection: Plain

    def text(self, content: Mapping[str, Any]) -> str | None:
        return self.runner.run(self._text(content))

    def edited(self, content: Mapping[str, Any], change: str) -> str | None:
        """Its text after an UPDATE of it."""
        return self.runner.run(self._text(content, f"UPDATE usage_entry SET {change}"))

    async def _text(self, content: Mapping[str, Any], then: str = "SELECT") -> str | None:
        tiers = content["tiers"]
        row = {**content, "tiers": None if tiers is None else json.dumps(tiers)}
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        await self.connection.execute("DELETE FROM usage_entry")
        await self.connection.execute(
            f"INSERT INTO usage_entry ({', '.join(row)}) VALUES ({places})", *row.values()
        )
        await self.connection.execute(then)
        found = await self.connection.fetchrow(SQL)
        assert found is not None
        return joined(found[0], found[1], found[2])


@pytest.fixture(scope="module")
def writer(database: TestDatabase) -> Iterator[Writer]:
    with asyncio.Runner() as runner:
        made = Writer(runner, runner.run(connect(database.owner_url)))
        runner.run(
            made.connection.execute(
                "CREATE TEMP TABLE usage_entry (LIKE public.usage_entry);"
                "ALTER TABLE usage_entry ALTER previous_hash DROP NOT NULL,"
                " ALTER hash DROP NOT NULL"
            )
        )
        yield made
        runner.run(made.connection.close())


@settings(max_examples=300)
@given(ENTRIES)
def test_an_entry_of_today(writer: Writer, entry: dict[str, Any]) -> None:
    content = {**entry, "format": 2}
    assert writer.text(content) == text_of(content)


@pytest.mark.parametrize("changed", CONTENT)
@pytest.mark.parametrize("format_", [1, 2])
def test_no_column_is_outside_the_text(changed: str, format_: int) -> None:
    one, other = ({name: sample(name, n) for name in CONTENT} for n in (0, 1))
    one |= {"format": format_} | (dict.fromkeys(LATER - {"format"}) if format_ == 1 else {})
    assert text_of(one) != text_of({**one, changed: 3 if changed == "format" else other[changed]})


@pytest.mark.parametrize(
    "change",
    [
        "occurred_at = '2026-03-01 00:00:00+00 BC'",
        "recorded_at = '-infinity'",
        "recorded_at = 'infinity'",
        "occurred_at = '12026-03-01 00:00:00+00'",
        "tiers = ('[' || repeat('9', 5000) || ']')::jsonb",
        "tiers = (repeat('[', 1500) || repeat(']', 1500))::jsonb",
        "tiers = '[1.0]'",
        "tiers = 'null'",
        "unit_key = '{unit_key}'",
    ],
)
def test_no_edit_leaves_the_text_as_it_was(writer: Writer, change: str) -> None:
    """Not even one that the rule, in front of what it can hold, would not see."""
    content = {name: sample(name, 1) for name in CONTENT} | {"format": 2}
    content["occurred_at"] = content["recorded_at"] = datetime(2026, 3, 1, tzinfo=UTC)
    text = writer.text(content)
    assert text == text_of(content)
    assert writer.edited(content, change.format(**covered(content))) != text


def test_nothing_and_the_json_of_nothing_are_two(writer: Writer) -> None:
    content = {name: sample(name, 1) for name in CONTENT} | {"format": 2, "tiers": None}
    assert writer.text(content) == text_of(content)
    assert writer.edited(content, "tiers = 'null'") is None


def test_a_function_beside_the_servers_own_changes_nothing(writer: Writer) -> None:
    content = {name: sample(name, 1) for name in CONTENT} | {"format": 2}
    forger = (
        "CREATE FUNCTION public.to_json(text) RETURNS json LANGUAGE sql"
        " AS $$ SELECT '\"forged\"'::json $$"
    )
    writer.runner.run(writer.connection.execute(forger))
    try:
        assert writer.text(content) == text_of(content)
    finally:
        writer.runner.run(writer.connection.execute("DROP FUNCTION public.to_json(text)"))


@settings(max_examples=100)
@given(ENTRIES)
def test_an_entry_of_the_first_format(writer: Writer, entry: dict[str, Any]) -> None:
    content = {**entry, **dict.fromkeys(LATER), "format": 1}
    assert writer.text(content) == text_of(content)


@settings(max_examples=50)
@given(ENTRIES, FILLED)
def test_an_entry_of_the_first_format_that_holds_what_it_cannot_know(
    writer: Writer, entry: dict[str, Any], filled: str
) -> None:
    content = {**entry, **dict.fromkeys(LATER - {filled}), "format": 1}
    if content[filled] is None:
        content[filled] = {"country": "DE", "tiers": []}.get(filled, ID)
    assert writer.text(content) is None
    assert text_of(content) != text_of({**content, filled: None})
