"""The clocks of acceptance and dispute: business days of the ISV's country, in its zone.

A business day N after an instant is the N-th one after that instant's local date; a term ends
with the end of its last day (exclusive midnight). Results are in UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from flatbed.tenants.kit.workdays import add_business_days, business_days_between

ACCEPTANCE_DAYS: Final = 10
REMINDER_DAYS: Final = (5, 8)
ANSWER_DAYS: Final = 5
DECISION_DAYS: Final = 5
WITHDRAWN_DAYS: Final = 2
"""What the ISV has at least to decide after it took a dispute back."""
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Whose business days count, and where a day ends."""

    country: str
    zone: ZoneInfo

    def end_of(self, days: int, after: datetime) -> datetime:
        """The end of the N-th business day after an instant."""
        return add_business_days(after, days, self.country, self.zone)

    def begin_of(self, days: int, after: datetime) -> datetime:
        """The local midnight with which the N-th business day after an instant begins."""
        day = (self.end_of(days, after) - _TICK).astimezone(self.zone).date()
        return datetime.combine(day, time.min, self.zone).astimezone(UTC)

    def left(self, at: datetime, end: datetime) -> int:
        """The business days after an instant's date, up to the last day of a term."""
        return business_days_between(at, max(at, end - _TICK), self.country, self.zone)


@dataclass(frozen=True, slots=True)
class AcceptanceTerm:
    """Until when the ISV may accept or dispute, and when it is reminded, by day of the term."""

    accept_by: datetime
    reminders: Mapping[int, datetime]


def acceptance_term(start: datetime, calendar: Calendar) -> AcceptanceTerm:
    """Ten business days from the qualification, with reminders on day 5 and day 8."""
    return _term(start, ACCEPTANCE_DAYS, calendar)


def resumed_term(
    stopped_at: datetime,
    resumed_at: datetime,
    accept_by: datetime,
    calendar: Calendar,
    least: int = 1,
) -> AcceptanceTerm:
    """The term after a review or a withdrawn dispute: what was left when it stopped runs on.

    At least ``least`` business days: nobody loses his say because a review took long. Reminders
    that were still to come keep their distance from the end.
    """
    return _term(resumed_at, max(least, calendar.left(stopped_at, accept_by)), calendar)


def answer_by(opened_at: datetime, calendar: Calendar) -> datetime:
    """Until when the agency answers a dispute."""
    return calendar.end_of(ANSWER_DAYS, opened_at)


def decide_by(answered_at: datetime, calendar: Calendar) -> datetime:
    """Until when an uninvolved lead decides; afterwards compliance does."""
    return calendar.end_of(DECISION_DAYS, answered_at)


def _term(start: datetime, days: int, calendar: Calendar) -> AcceptanceTerm:
    gone = ACCEPTANCE_DAYS - days
    return AcceptanceTerm(
        calendar.end_of(days, start),
        {day: calendar.begin_of(day - gone, start) for day in REMINDER_DAYS if day > gone},
    )
