"""Request bodies take numbers and truth values as such; what the document says is what is taken."""

import json
from datetime import date, datetime
from typing import Annotated, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from flatbed.tenants.kit.schemas import Input, UtcInstant


class Inner(Input):
    """A member of its own, with bounds."""

    amount: Annotated[int, Field(ge=1, le=100)]


class First(Input):
    """One of two."""

    kind: Literal["first"]
    many: int


class Second(Input):
    """The other."""

    kind: Literal["second"]
    is_open: bool


class Outer(Input):
    """Everything that holds a number somewhere."""

    plain: int = 0
    maybe: int | None = None
    flag: bool = False
    perhaps: bool | None = None
    inner: Inner | None = None
    items: list[int] = Field(default=[], max_length=3)
    named: dict[str, int] = Field(default={})
    either: Annotated[First | Second, Field(discriminator="kind")] | None = None
    text: str = ""
    level: Literal[1, 2] = 1


class Dated(Input):
    """A day, an instant, and one in a list."""

    on: date | None = None
    at: datetime | None = None
    all: list[UtcInstant] = Field(default=[])


class TestTime:
    """What is no day and no instant in RFC 3339 is none here either."""

    @pytest.mark.parametrize(
        "body",
        [
            {"on": 0},
            {"on": 86_400.0},
            {"on": "0"},
            {"on": "86400"},
            {"on": "2026-11-29T00:00:00Z"},
            {"on": "2026-1-2"},
            {"on": "٢٠٢٦-11-29"},
            {"on": True},
            {"at": 0},
            {"at": 0.5},
            {"at": "0.5"},
            {"at": "1700000000"},
            {"at": "2026-11-29"},
            {"all": ["0"]},
            {"all": [1]},
        ],
    )
    def test_what_is_written_otherwise_is_refused(self, body: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            Dated.model_validate(body)
        with pytest.raises(ValidationError):
            Dated.model_validate_json(json.dumps(body))

    def test_what_is_written_so_is_taken(self) -> None:
        for at in ("2026-11-29T10:00:00+01:00", "2026-11-29 09:00Z", "2026-11-29t09:00:00.25z"):
            body = {"on": "2026-11-29", "at": at, "all": [at]}
            for taken in (Dated.model_validate(body), Dated.model_validate_json(json.dumps(body))):
                assert taken.on == date(2026, 11, 29)
                assert taken.all[0].hour == 9

    @pytest.mark.parametrize("text", ["0", "0.5", "1700000000", "2026-11-29"])
    def test_a_query_parameter_too(self, text: str) -> None:
        with pytest.raises(ValidationError):
            TypeAdapter(UtcInstant).validate_python(text)


class TestInput:
    """The body of every operation."""

    @pytest.mark.parametrize(
        "body",
        [
            {"plain": "5"},
            {"plain": True},
            {"plain": 5.5},
            {"maybe": "5"},
            {"maybe": False},
            {"flag": 1},
            {"flag": "true"},
            {"flag": 0.0},
            {"perhaps": "yes"},
            {"inner": {"amount": "5"}},
            {"inner": {"amount": True}},
            {"inner": {"amount": 0}},
            {"inner": {"amount": 101.0}},
            {"items": [1, "2"]},
            {"items": [True]},
            {"named": {"a": "1"}},
            {"either": {"kind": "first", "many": "1"}},
            {"either": {"kind": "second", "is_open": 1}},
            {"text": 5},
            {"level": "1"},
            {"more": 1},
            {"inner": {"amount": 1, "more": 1}},
        ],
    )
    def test_what_is_no_number_or_truth_value_is_refused(self, body: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            Outer.model_validate(body)

    def test_a_whole_number_may_come_with_a_point_and_becomes_one(self) -> None:
        body = {"inner": {"amount": 5.0}, "items": [1.0], "plain": 7.0, "maybe": None}
        for found in (Outer.model_validate(body), Outer.model_validate_json(json.dumps(body))):
            assert found.inner is not None
            numbers = [found.inner.amount, found.items[0], found.plain]
            assert [(number, type(number)) for number in numbers] == [(5, int), (1, int), (7, int)]

    def test_the_finding_names_the_type_and_never_the_value(self) -> None:
        with pytest.raises(ValidationError) as caught:
            Outer.model_validate({"plain": "canary", "flag": "canary"})
        found = [(finding["type"], finding["loc"]) for finding in caught.value.errors()]
        assert found == [("int_type", ("plain",)), ("bool_type", ("flag",))]
        assert not any("canary" in finding["msg"] for finding in caught.value.errors())

    def test_the_document_says_so(self) -> None:
        made = TypeAdapter(Outer).json_schema()["properties"]
        assert made["plain"]["type"] == "integer"
        assert made["flag"]["type"] == "boolean"
