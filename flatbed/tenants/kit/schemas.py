"""Field types that all request models share: bounded, and free of what a database cannot store."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

import pycountry
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    EmailStr,
    Field,
    GetCoreSchemaHandler,
    JsonValue,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from flatbed.tenants.kit.canonical import canonical

LARGEST_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exact."""
METADATA_BYTES = 8_192
LONGEST_EMAIL = 254
"""Characters of an e-mail address: the longest path of RFC 5321, without its brackets."""
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Refuse NUL and lone surrogates, which PostgreSQL cannot store as text."""
    if UNSTORABLE.search(text):
        raise ValueError("NUL and lone surrogates are not allowed.")
    return text


def _visible(text: str) -> str:
    if not text.strip():
        raise ValueError("The text is blank.")
    return storable(text)


def _country(code: str) -> str:
    if pycountry.countries.get(alpha_2=code) is None:
        raise ValueError("Not an ISO 3166-1 alpha-2 country code.")
    return code


def _currency(code: str) -> str:
    if pycountry.currencies.get(alpha_3=code) is None:
        raise ValueError("Not an ISO 4217 currency code.")
    return code


def _zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("Not an IANA time zone.")
    return name


@cache
def _zones() -> frozenset[str]:
    # Names of this machine's own files mean something else on the next machine.
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    storable_json(value)
    if len(canonical(value).encode()) > METADATA_BYTES:
        raise ValueError("metadata is larger than 8192 bytes.")
    return value


def storable_json(value: object) -> None:
    """Refuse unstorable text and numbers anywhere inside plain JSON."""
    if isinstance(value, str):
        storable(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("NaN and infinite numbers are not allowed.")
    elif isinstance(value, dict):
        for key, item in value.items():
            storable(str(key))
            storable_json(item)
    elif isinstance(value, list):
        for item in value:
            storable_json(item)


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_visible)]
Text = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_visible)]
Slug = Annotated[str, Field(pattern="^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$", examples=["acme"])]
Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
ExternalRef = Annotated[
    str,
    Field(min_length=1, max_length=200, description="Your own reference; we only keep it."),
    AfterValidator(_visible),
]
Metadata = Annotated[
    dict[str, JsonValue],
    Field(description="Your own data; we only keep it. At most 8192 bytes."),
    AfterValidator(_metadata),
]
CountryCode = Annotated[str, Field(pattern="^[A-Z]{2}$", examples=["DE"]), AfterValidator(_country)]
CurrencyCode = Annotated[
    str, Field(pattern="^[A-Z]{3}$", examples=["EUR"]), AfterValidator(_currency)
]
Email = Annotated[
    EmailStr,
    Field(max_length=LONGEST_EMAIL),
    AfterValidator(storable),
    AfterValidator(str.lower),
]
"""In the one spelling that is stored and compared: an invitation is matched by equality."""
TimeZone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_zone)]
MoneyMinor = Annotated[
    int,
    Field(
        ge=0,
        le=LARGEST_INTEGER,
        description="Integer minor units of the currency.",
        examples=[450000],
    ),
]


_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ISO_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}.*", re.ASCII)


def _iso_day(value: object) -> object:
    return _written_as(_ISO_DAY, "date_parsing", value)


def _iso_instant(value: object) -> object:
    return _written_as(_ISO_INSTANT, "datetime_parsing", value)


def _written_as(form: re.Pattern[str], code: str, value: object) -> object:
    """Refuse the numbers that pydantic takes for seconds since 1970; RFC 3339 is what we say."""
    if isinstance(value, int | float) or (isinstance(value, str) and not form.fullmatch(value)):
        raise PydanticCustomError(code, "Input should be written as in RFC 3339")
    return value


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("The instant lies outside of the years 1 to 9999.") from None


UtcInstant = Annotated[
    AwareDatetime,
    BeforeValidator(_iso_instant),
    Field(description="With its offset from UTC.", examples=["2026-03-02T09:30:00+01:00"]),
    AfterValidator(_utc),
]


def unset() -> Any:  # noqa: ANN401 - stands in for a value of any type, and is never read
    """The default of a member that may be left out and may not be null.

    Whether it was sent stands in ``model_fields_set``; null itself fails the member's type.
    """
    return None


def _exact(schema: Any) -> Any:  # noqa: ANN401 - pydantic's description of any type
    """The same core schema; numbers, booleans, days and instants are taken as such only."""
    if isinstance(schema, list | tuple):
        return type(schema)(_exact(item) for item in schema)
    if not isinstance(schema, dict):
        return schema
    found = {name: _exact(member) for name, member in schema.items()}
    # A model's own member may be called `type`: its schema stands there instead of a word.
    kind = found.get("type", "")
    exact = _EXACT.get(kind) if isinstance(kind, str) else None
    if exact is not None:
        return core_schema.no_info_before_validator_function(exact, found)
    return {**found, "strict": True} if found.get("type") == "bool" else found


def _number(value: object) -> object:
    # 5.0 is a whole number in JSON, "5" and true are none.
    if isinstance(value, bool | str):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


_EXACT: Mapping[str, Callable[[object], object]] = {
    "int": _number,
    "date": _iso_day,
    "datetime": _iso_instant,
}


class Input(BaseModel):
    """A request body: unknown members are refused, so that a typing error is not lost.

    ``"5"`` is no number, ``1`` no truth value and no instant: the document says what is taken, and
    a sum of money that came as text came by mistake.
    """

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler, /
    ) -> CoreSchema:
        """Make these exact; everything else keeps its readings."""
        found: CoreSchema = _exact(handler(source))
        return found


class Output(BaseModel):
    """A reply: read from rows, no defaults, so that every member is documented as present."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)
