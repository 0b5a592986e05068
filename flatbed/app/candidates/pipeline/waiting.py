"""The times in which the partner waited for the ISV, read from the touches."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from flatbed.app.candidates.rules.snapshot import Waiting
from flatbed.app.candidates.rules.touches import Side, Touch, TouchClass


def waiting_times(touches: Sequence[Touch]) -> tuple[Waiting, ...]:
    """From each word of the partner that the ISV answered until its first answer.

    A word that nobody of the ISV answered was not for the ISV to answer, as far as is known.
    """
    return tuple(answered(touches).values())


def answered(touches: Sequence[Touch]) -> Mapping[UUID, Waiting]:
    """The same by the partner's word that was answered."""
    asked = {
        touch.id: touch.occurred_at
        for touch in touches
        if touch.side is Side.PARTNER and touch.proposed is not TouchClass.P0
    }
    found: dict[UUID, Waiting] = {}
    for touch in sorted(touches, key=lambda one: (one.occurred_at, one.id)):
        if touch.side is not Side.ISV or touch.in_reply_to is None:
            continue
        start = asked.get(touch.in_reply_to)
        if start is not None and start <= touch.occurred_at:
            found.setdefault(touch.in_reply_to, Waiting(start, touch.occurred_at))
    return found
