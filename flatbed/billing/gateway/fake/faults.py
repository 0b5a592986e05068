"""What goes wrong on the way to Stripe and back, planned by a test.

A dropped request leaves the client without an answer: the operation has not begun (before), or is
done (after). A server error is kept under the idempotency key: without an effect (before), or
with it (after).
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What happens to the request."""

    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    LIMITED = "limited"
    DELAY = "delay"


@dataclass(slots=True)
class Fault:
    """A fault for the next requests that it fits.

    Args:
        kind: what happens.
        times: to how many requests.
        after: how many requests that fit pass first.
        method: POST, GET, DELETE; empty: any.
        path: a pattern that the whole path matches.
        seconds: of ``Retry-After``; None: no such header.
        delay_ms: milliseconds that `FaultKind.DELAY` takes, with the key in use meanwhile.
    """

    kind: FaultKind
    times: int = 1
    after: int = 0
    method: str = ""
    path: str = ".*"
    seconds: int | None = 1
    delay_ms: int = 50


class Faults:
    """The faults that are still to come."""

    def __init__(self) -> None:
        self.planned: list[Fault] = []
        self.happened = 0
        """How many there were: a test asserts that it met one."""

    def plan(self, fault: Fault) -> None:
        """Let a fault happen; the first planned that fits a request is taken."""
        self.planned.append(fault)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self.planned.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault of this request, if there is one."""
        for fault in self.planned:
            if fault.method not in {"", method} or not re.fullmatch(fault.path, path):
                continue
            if fault.after:
                fault.after -= 1
                continue
            fault.times -= 1
            if not fault.times:
                self.planned.remove(fault)
            self.happened += 1
            return fault
        return None
