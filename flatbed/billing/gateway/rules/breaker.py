"""A circuit breaker: after some failures in a row nothing is sent for a while, then one trial.

Closed: calls pass. Open: they are refused until the pause is over. Half-open: one trial passes;
its success closes the circuit, its failure opens it for another pause.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TRIPS_AFTER: Final = 5
"""Failures in a row."""
PAUSE_MS: Final = 30_000
"""Milliseconds that an open circuit refuses calls."""


class State(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to one call. Each ends in exactly one of the breaker's three verdicts."""

    era: int
    is_trial: bool


class Breaker:
    """The state of one circuit; calls may overlap.

    Args:
        now_ms: a monotonic clock, in milliseconds.
        trips_after: failures in a row that open it.
        pause_ms: how long it stays open before a trial.
    """

    def __init__(
        self,
        now_ms: Callable[[], int],
        *,
        trips_after: int = TRIPS_AFTER,
        pause_ms: int = PAUSE_MS,
    ) -> None:
        self._now_ms = now_ms
        self._trips_after = trips_after
        self._pause_ms = pause_ms
        self._failures = 0
        self._opened_ms: int | None = None
        self._is_tried = False
        self._era = 0

    @property
    def state(self) -> State:
        """What the next call meets."""
        if self._opened_ms is None:
            return State.CLOSED
        return State.OPEN if self.wait_ms() else State.HALF_OPEN

    def wait_ms(self) -> int:
        """Milliseconds until a trial may pass; 0 unless it is open."""
        if self._opened_ms is None:
            return 0
        return max(0, self._opened_ms + self._pause_ms - self._now_ms())

    def admit(self) -> Permit | None:
        """The right to call now, if there is one."""
        match self.state:
            case State.CLOSED:
                return Permit(self._era, is_trial=False)
            case State.HALF_OPEN if not self._is_tried:
                self._is_tried = True
                return Permit(self._era, is_trial=True)
            case _:
                return None

    def succeeded(self, permit: Permit) -> None:
        """The provider answered, whatever it said."""
        # A straggler from before the circuit opened proves nothing about now.
        if permit.era != self._era:
            return
        self._failures = 0
        if permit.is_trial:
            self._begin(None)

    def failed(self, permit: Permit) -> None:
        """The provider did not answer, or could not."""
        if permit.era != self._era:
            return
        self._failures += 1
        if permit.is_trial or self._failures >= self._trips_after:
            self._begin(self._now_ms())

    def abandoned(self, permit: Permit) -> None:
        """The call was cancelled: nothing is known, and a trial may be made anew."""
        if permit.era == self._era and permit.is_trial:
            self._is_tried = False

    def _begin(self, opened_ms: int | None) -> None:
        self._era += 1
        self._failures = 0
        self._opened_ms = opened_ms
        self._is_tried = False
