"""When the ISV may say that it knew the company already."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

ALREADY_KNOWN: Final = "already_known"
"""The ground of a dispute that is no criterion of the rubric and has a test of its own."""
LOOK_BACK: Final = timedelta(days=180)


class Direction(StrEnum):
    """Which way a contact went."""

    FROM_PARTNER = "from_partner"
    TO_PARTNER = "to_partner"


@dataclass(frozen=True, slots=True)
class KnownContact:
    """One contact between the ISV and the company, on a local date of the ISV."""

    on: date
    direction: Direction


def two_way(contacts: Iterable[KnownContact], identified_on: date) -> bool:
    """Say whether both sides were in contact in the 180 days before the company was identified.

    The day itself does not count: from then on it may have been our doing.
    """
    earliest = identified_on - LOOK_BACK
    seen = {one.direction for one in contacts if earliest <= one.on < identified_on}
    return seen == set(Direction)
