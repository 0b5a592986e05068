"""Field types that bodies about a candidate share."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from flatbed.app.candidates.rules.fit import SOURCE_CONFIDENCE
from flatbed.app.candidates.rules.touches import MEETING_CHANNEL
from flatbed.tenants.kit.schemas import UtcInstant

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Channel(StrEnum):
    """The ways to reach a person, for which rights are kept and to which people object."""

    EMAIL = "email"
    PHONE = "phone"
    LINKEDIN = "linkedin"
    POST = "post"
    EVENT = "event"
    REFERRAL = "referral"


class TouchChannel(StrEnum):
    """Where a touch took place: a channel, a meeting that both agreed to, or the web."""

    EMAIL = "email"
    PHONE = "phone"
    LINKEDIN = "linkedin"
    POST = "post"
    EVENT = "event"
    REFERRAL = "referral"
    MEETING = MEETING_CHANNEL
    WEB = "web"


def _instant(moment: datetime) -> datetime:
    # Compared here: the bounds of a Field would be shown as texts in the OpenAPI document.
    if moment < EARLIEST:
        raise ValueError("The instant lies before the year 2000.")
    return moment


def _day(day: date) -> date:
    if day < EARLIEST.date():
        raise ValueError("The day lies before the year 2000.")
    return day


def _source_kind(kind: str) -> str:
    if kind not in SOURCE_CONFIDENCE.confidence:
        raise ValueError("The confidence table does not know this kind of source.")
    return kind


Instant = Annotated[UtcInstant, AfterValidator(_instant)]
Day = Annotated[date, AfterValidator(_day)]
Actor = Annotated[
    str | None, Field(description="Null for an ISV where somebody of the agency acted.")
]
SourceKind = Annotated[
    str,
    Field(
        max_length=40,
        description="How far it is believed stands in the confidence table: "
        + ", ".join(SOURCE_CONFIDENCE.confidence),
        json_schema_extra={"enum": list(SOURCE_CONFIDENCE.confidence)},
    ),
    AfterValidator(_source_kind),
]
