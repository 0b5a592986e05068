"""The guarantee's clock: 90 days from acceptance, standing still while the ISV keeps quiet.

A day is 24 hours of time that counted, so that a stop of an hour moves the end by an hour; a
request's two business days are the ISV's. Results are in UTC.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from flatbed.app.candidates.rules.snapshot import Waiting
from flatbed.app.candidates.rules.timing import waited
from flatbed.app.qualifications.rules.terms import Calendar

DAY: Final = timedelta(days=1)
GUARANTEE: Final = timedelta(days=90)
REPLACEMENT: Final = timedelta(days=90)
"""How long the agency has to give a replacement, from the confirmation of the withdrawal."""
ANSWER_DAYS: Final = 2
"""Business days in which the ISV answers a partner's request before the clock stops."""
CREDITS: Final = ((30, 100), (60, 50), (90, 25))
"""Up to which day of the guarantee how much of what was billed is given back, in percent."""


class GuaranteeState(StrEnum):
    """Where the clock of a guarantee stands.

    ``stopped``: a request waits for the ISV; ``over``: its days have passed; ``ended``: the ISV
    changed its programme terms before.
    """

    RUNNING = "running"
    STOPPED = "stopped"
    OVER = "over"
    ENDED = "ended"


def stops(waits: Iterable[Waiting], calendar: Calendar) -> tuple[Waiting, ...]:
    """When the clock stands still: from the end of the second business day to the answer.

    Overlapping ones are one; the last may still be open.
    """
    found = [Waiting(calendar.end_of(ANSWER_DAYS, one.start), one.end) for one in waits]
    late = [one for one in found if one.end is None or one.start < one.end]
    merged: list[Waiting] = []
    for one in sorted(late, key=lambda stop: stop.start):
        last = merged[-1] if merged else None
        if last is None or (last.end is not None and last.end < one.start):
            merged.append(one)
        else:
            merged[-1] = Waiting(last.start, _later(last.end, one.end))
    return tuple(merged)


def percent(day: int) -> int:
    """What is given back of a unit whose partner withdrew on this day of the guarantee.

    Raises:
        ValueError: the guarantee has no such day.
    """
    for last, share in CREDITS:
        if 1 <= day <= last:
            return share
    raise ValueError("the guarantee has 90 days, counted from one")


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of one accepted unit.

    Args:
        accepted_at: when it began.
        stops: when it stood still, as :func:`stops` gives them.
        terms_changed_at: when the ISV first changed its programme terms after that; None: never.
    """

    accepted_at: datetime
    stops: tuple[Waiting, ...] = ()
    terms_changed_at: datetime | None = None

    def used(self, at: datetime) -> timedelta:
        """How much of the guarantee has passed at an instant."""
        return at - self.accepted_at - self.stopped(at)

    def stopped(self, at: datetime) -> timedelta:
        """How long the clock has stood still up to an instant."""
        return waited(self.stops, self.accepted_at, at)

    def day(self, at: datetime) -> int:
        """The day of the guarantee at an instant, counted from one."""
        return self.used(at) // DAY + 1

    @property
    def until(self) -> datetime | None:
        """The instant at which the guarantee is over; None while nobody can know it."""
        end: datetime | None = self.accepted_at + GUARANTEE
        for stop in self.stops:
            start = max(stop.start, self.accepted_at)
            if end is None or start >= end:
                break
            end = None if stop.end is None else end + max(stop.end - start, timedelta(0))
        ends = [one for one in (end, self.terms_changed_at) if one is not None]
        return min(ends, default=None)

    def state(self, at: datetime) -> GuaranteeState:
        """Where it stands at an instant: a partner's withdrawal is covered while it runs."""
        until = self.until
        if until is not None and until <= at:
            changed = until == self.terms_changed_at
            return GuaranteeState.ENDED if changed else GuaranteeState.OVER
        if any(one.start <= at and (one.end is None or at < one.end) for one in self.stops):
            return GuaranteeState.STOPPED
        return GuaranteeState.RUNNING

    def covers(self, at: datetime) -> bool:
        """Whether a withdrawal at this instant is guaranteed."""
        return self.accepted_at <= at and self.state(at) is GuaranteeState.RUNNING


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)
