"""The hands-off test: how long the partner was left alone, and whether he moved meanwhile."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from flatbed.app.candidates.rules.snapshot import Waiting

ZERO: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time without a push of ours; `length` leaves out what the partner waited for the ISV."""

    start: datetime
    end: datetime
    length: timedelta

    def holds(self, moment: datetime) -> bool:
        """Whether a moment lies inside: after its opening event, not after its end."""
        return self.start < moment <= self.end


def waited(waiting: Iterable[Waiting], start: datetime, end: datetime) -> timedelta:
    """Return how much of [start, end] the partner waited; overlapping waits count once."""
    total, reached = ZERO, start
    for wait in sorted(waiting, key=lambda w: w.start):
        begin = max(wait.start, reached)
        finish = min(wait.end or end, end)
        if finish > begin:
            total += finish - begin
            reached = finish
    return total


def stretches(
    decided_at: datetime,
    pushes: Iterable[datetime],
    waiting: Iterable[Waiting],
    now: datetime,
) -> tuple[Stretch, ...]:
    """Return the push-free stretches after the decision, oldest first; the last is still open.

    Pushes at or before the decision do not matter; a push ends one stretch and opens the next.
    """
    waits = tuple(waiting)
    marks = [decided_at, *sorted(p for p in set(pushes) if decided_at < p < now), now]
    return tuple(
        Stretch(start, end, end - start - waited(waits, start, end))
        for start, end in pairwise(marks)
        if start < end
    )
