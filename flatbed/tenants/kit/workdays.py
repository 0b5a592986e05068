"""Business days of a country's nationwide calendar, in a tenant's time zone.

A day is a local date; it ends at the next local midnight, exclusive. Results are in UTC.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays

_DAY: Final = timedelta(days=1)


class UnsupportedCountryError(ValueError):
    """No calendar is known for this country code."""


def supported(country: str) -> bool:
    """Say whether a calendar is known for this ISO 3166-1 alpha-2 code, in capitals."""
    return country in _countries()


def is_business_day(day: date, country: str) -> bool:
    """Say whether the day is neither weekend nor nationwide holiday (a swapped Saturday works).

    Raises UnsupportedCountryError.
    """
    calendar = _calendar(country)
    # Asked first: this loads the day's year, which the table of swapped Saturdays does not.
    is_holiday = day in calendar
    return not is_holiday and calendar.is_working_day(day)


def end_of_day(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the midnight, exclusive, that ends the moment's local date."""
    return _midnight(_local_date(moment, zone) + _DAY, zone)


def add_business_days(start: datetime, days: int, country: str, zone: ZoneInfo) -> datetime:
    """Return the end (exclusive midnight) of the N-th business day after start's local date.

    Raises ValueError for fewer than one day or a naive start, UnsupportedCountryError.
    """
    return _midnight(_nth(_local_date(start, zone), days, _DAY, country) + _DAY, zone)


def subtract_business_days(end: datetime, days: int, country: str, zone: ZoneInfo) -> datetime:
    """Return the begin (midnight) of the N-th business day before end's local date.

    Raises ValueError for fewer than one day or a naive end, UnsupportedCountryError.
    """
    return _midnight(_nth(_local_date(end, zone), days, -_DAY, country), zone)


def business_days_between(start: datetime, end: datetime, country: str, zone: ZoneInfo) -> int:
    """Count the business days after start's local date, up to and including end's.

    Raises ValueError if end is before start or either is naive, UnsupportedCountryError.
    """
    first, last = _local_date(start, zone), _local_date(end, zone)
    if end < start:
        raise ValueError("the end is not before the start")
    span = (last - first).days
    return sum(is_business_day(first + n * _DAY, country) for n in range(1, span + 1))


def _nth(day: date, days: int, step: timedelta, country: str) -> date:
    if days < 1:
        raise ValueError("business days are counted from one")
    while days:
        day += step
        days -= is_business_day(day, country)
    return day


def _local_date(moment: datetime, zone: ZoneInfo) -> date:
    if moment.utcoffset() is None:
        raise ValueError("a moment is aware")
    return moment.astimezone(zone).date()


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    # Where the clocks skip midnight, fold 0 gives the instant of the jump: the day's first.
    return datetime.combine(day, time.min, zone).astimezone(UTC)


@cache
def _countries() -> frozenset[str]:
    return frozenset(holidays.list_supported_countries(include_aliases=False))


@cache
def _calendar(country: str) -> holidays.HolidayBase:
    if not supported(country):
        raise UnsupportedCountryError(f"no calendar for country {country!r}")
    return holidays.country_holidays(country)
