"""Billing periods and months: pure arithmetic on instants and a tenant's time zone.

A period is half-open and its bounds are local midnights, given in UTC. The next one begins where
the one before ended, whatever has happened to the zone meanwhile: no gap, no overlap.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_HALF_A_MONTH: Final = timedelta(days=15)
_DECEMBER: Final = 12


@dataclass(frozen=True, slots=True)
class Span:
    """From ``starts_at`` on, up to ``ends_at``, which is outside."""

    starts_at: datetime
    ends_at: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.starts_at <= instant < self.ends_at


def month_of(instant: datetime, zone: ZoneInfo) -> str:
    """The local month of an instant as ``YYYY-MM``.

    Raises:
        ValueError: the instant is naive.
    """
    local = _local(instant, zone)
    return f"{local.year:04}-{local.month:02}"


def month_end(instant: datetime, zone: ZoneInfo) -> datetime:
    """When the local month that holds the instant is over, in UTC.

    Raises:
        ValueError: the instant is naive.
    """
    local = _local(instant, zone)
    over = local.month == _DECEMBER
    return _month_start(local.year + over, 1 if over else local.month + 1, zone)


def first_period(instant: datetime, zone: ZoneInfo) -> Span:
    """The local month that holds the instant: a tenant's first period.

    Raises:
        ValueError: the instant is naive.
    """
    local = _local(instant, zone)
    starts_at = _month_start(local.year, local.month, zone)
    return Span(starts_at, _end_after(starts_at, zone))


def next_period(previous_end: datetime, zone: ZoneInfo) -> Span:
    """The period that follows one that ended at ``previous_end``."""
    return Span(previous_end, _end_after(previous_end, zone))


def periods_until(previous_end: datetime, instant: datetime, zone: ZoneInfo) -> Iterator[Span]:
    """The periods after ``previous_end`` up to the one that holds the instant; none if it is past.

    A tenant without usage for months gets them all: there is no gap.
    """
    while previous_end <= instant:
        period = next_period(previous_end, zone)
        yield period
        previous_end = period.ends_at


def _end_after(starts_at: datetime, zone: ZoneInfo) -> datetime:
    # The month that holds the period's middle is the one it stands for. After a move of the
    # zone to the west the period begins hours before the local month, and must not end with it.
    middle = _local(starts_at + _HALF_A_MONTH, zone)
    over = middle.month == _DECEMBER
    return _month_start(middle.year + over, 1 if over else middle.month + 1, zone)


def _month_start(year: int, month: int, zone: ZoneInfo) -> datetime:
    # Where the clocks skip midnight, fold 0 gives the instant of the jump: the month's first.
    return datetime(year, month, 1, tzinfo=zone).astimezone(UTC)


def _local(instant: datetime, zone: ZoneInfo) -> datetime:
    if instant.utcoffset() is None:
        raise ValueError("an instant is aware")
    return instant.astimezone(zone)
