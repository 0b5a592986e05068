"""The state of a usage entry: derived from its decisions and a reversal, never stored."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, assert_never


class UsageState(StrEnum):
    """What has become of a metered unit.

    ``billed`` stands on a statement; voided it is ``reversed``, and ``cancelled`` where nothing
    had been billed.
    """

    PENDING = "pending"
    DISPUTED = "disputed"
    ACCEPTED = "accepted"
    BILLED = "billed"
    REVERSED = "reversed"
    CANCELLED = "cancelled"
    WRITTEN_OFF = "written_off"


class Decision(StrEnum):
    """What was decided of an entry; ``withdrawn`` takes a dispute back.

    ``written_off``: the agency gives the unit up, by name and with a reason.
    """

    ACCEPTED = "accepted"
    DISPUTED = "disputed"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"
    WRITTEN_OFF = "written_off"


class Basis(StrEnum):
    """By whom: a person, the end of the term, the decision of a dispute, or a signing."""

    PERSON = "person"
    SILENCE = "silence"
    DECISION = "decision"
    SIGNING = "signing"


FOLLOWS: Final = {
    Decision.ACCEPTED: frozenset({UsageState.PENDING}),
    Decision.DISPUTED: frozenset({UsageState.PENDING}),
    Decision.CONFIRMED: frozenset({UsageState.DISPUTED}),
    Decision.WITHDRAWN: frozenset({UsageState.DISPUTED}),
    Decision.WRITTEN_OFF: frozenset({UsageState.PENDING, UsageState.DISPUTED, UsageState.ACCEPTED}),
}
"""The states in which each decision may be taken."""


def usage_state(
    decisions: Iterable[Decision], *, is_reversed: bool, is_billed: bool = False
) -> UsageState:
    """The state of an entry from its decisions in the order of ``(at, id)``."""
    if is_reversed:
        return UsageState.REVERSED if is_billed else UsageState.CANCELLED
    if is_billed:
        return UsageState.BILLED
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
        case Decision.WRITTEN_OFF:
            return UsageState.WRITTEN_OFF
        case _:
            assert_never(last)
