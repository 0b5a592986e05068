"""One spelling of a value: the fast writer gives what the plain rule gives, byte for byte."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from asyncpg.pgproto.pgproto import UUID as DRIVER_UUID
from hypothesis import given
from hypothesis import strategies as st

from flatbed.tenants.kit.canonical import Shape, canonical


class Word(StrEnum):
    ONE = "one"


class Number(IntEnum):
    TWO = 2


class Kept(Enum):
    THREE = "three"


class Text(str):
    __slots__ = ()


def plain(value: object) -> Any:  # noqa: PLR0911 - one line a type
    """The rule in words: every value as the JSON value that stands for it."""
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | str():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case date():
            return value.isoformat()
        case UUID() | Decimal():
            return str(value)
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case float():
            return format(Decimal(repr(value)).normalize(), "f")
        case _:
            raise AssertionError(value)


def by_rule(value: object) -> str:
    return json.dumps(
        plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


zones = st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(timezone)
texts = st.text() | st.sampled_from(["%s", "100%", '"\\\x00\x1f\x7f\u2028', "\ud800", "ä"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    texts,
    texts.map(Text),
    st.sampled_from([Word.ONE, Number.TWO, Kept.THREE]),
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC) | zones),  # noqa: DTZ001 - the strategy wants bounds without a zone
    st.dates(),
    st.uuids(),
    st.uuids().map(lambda one: DRIVER_UUID(one.bytes)),
    st.decimals(allow_nan=False),
    st.floats(allow_nan=False),
)
keys = texts | st.integers() | st.uuids() | st.just(Word.ONE)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=12,
)


class TestCanonical:
    @given(values)
    def test_a_value_is_written_as_the_rule_says(self, value: object) -> None:
        assert canonical(value) == by_rule(value)

    @given(st.dictionaries(texts, values, max_size=30))
    def test_an_object_of_a_known_shape_is_written_the_same(self, content: dict[str, Any]) -> None:
        assert Shape(content).text(content) == by_rule(content)

    def test_the_spelling_of_each_type_is_fixed(self) -> None:
        """What is in ledgers already must give its hash for ever."""
        value = {
            "b": [None, True, 12, "ü\n"],
            "a": datetime(2026, 3, 10, 13, 0, tzinfo=timezone(timedelta(hours=1))),
            "c": (UUID(int=1), Decimal("1.50"), 0.5, date(2026, 3, 10), Word.ONE),
        }
        assert canonical(value) == (
            '{"a":"2026-03-10T12:00:00.000000+00:00","b":[null,true,12,"ü\\n"],'
            '"c":["00000000-0000-0000-0000-000000000001","1.50","0.5","2026-03-10","one"]}'
        )

    @pytest.mark.parametrize("value", [object(), {1, 2}, b"x", [object()], {"a": {1}}])
    def test_what_is_no_plain_data_is_refused(self, value: object) -> None:
        with pytest.raises(TypeError):
            canonical(value)

    def test_a_shape_takes_no_object_that_lacks_a_member(self) -> None:
        with pytest.raises(KeyError):
            Shape(["a", "b"]).text({"a": 1})
