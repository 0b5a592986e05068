"""The state of a usage entry: derived from its decisions and a reversal, never stored."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, assert_never


class UsageState(StrEnum):
    """What has become of a metered unit."""

    PENDING = "pending"
    DISPUTED = "disputed"
    ACCEPTED = "accepted"
    REVERSED = "reversed"


class Decision(StrEnum):
    """What was decided of an entry; ``withdrawn`` takes a dispute back."""

    ACCEPTED = "accepted"
    DISPUTED = "disputed"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"


class Basis(StrEnum):
    """By whom: a person of the ISV, the end of the term, or the decision of a dispute."""

    PERSON = "person"
    SILENCE = "silence"
    DECISION = "decision"


FOLLOWS: Final = {
    Decision.ACCEPTED: frozenset({UsageState.PENDING}),
    Decision.DISPUTED: frozenset({UsageState.PENDING}),
    Decision.CONFIRMED: frozenset({UsageState.DISPUTED}),
    Decision.WITHDRAWN: frozenset({UsageState.DISPUTED}),
}
"""The states in which each decision may be taken."""


def usage_state(decisions: Iterable[Decision], *, is_reversed: bool) -> UsageState:
    """The state of an entry from its decisions in the order of ``(at, id)``."""
    if is_reversed:
        return UsageState.REVERSED
    last = None
    for last in decisions:  # noqa: B007 - only the last one counts
        pass
    match last:
        case None | Decision.WITHDRAWN:
            return UsageState.PENDING
        case Decision.DISPUTED:
            return UsageState.DISPUTED
        case Decision.ACCEPTED | Decision.CONFIRMED:
            return UsageState.ACCEPTED
        case _:
            assert_never(last)
