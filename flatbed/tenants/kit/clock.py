"""Time. The only place that asks the system for it.

Every rule asks its realm's clock. The live realm's is the system's; a sandbox realm's runs ahead
of it by a stored offset that only grows. Tokens, keys, job queues, idempotency keys and limits
use system time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


def system_now() -> datetime:
    """The system's time, aware, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """A realm's clock: the system's time plus ``offset``, or one instant that a job works at.

    A request reads it once and uses that instant throughout: two rows of one transaction must
    not disagree about when it was.
    """

    offset: timedelta = timedelta()
    instant: datetime | None = None
    system: Callable[[], datetime] = field(default=system_now, repr=False)

    def now(self) -> datetime:
        """The realm's time in UTC."""
        return self.instant or self.system() + self.offset

    def frozen(self) -> "Clock":
        """The same realm's clock, stopped at its present instant."""
        return Clock(self.offset, self.now(), self.system)

    def at(self, instant: datetime) -> "Clock":
        """The same realm's clock, stopped at ``instant``: a deadline is swept at its own."""
        return Clock(self.offset, instant, self.system)
