"""The times in which the partner waited for the ISV, read from the touches."""

from collections.abc import Sequence

from flatbed.app.candidates.rules.snapshot import Waiting
from flatbed.app.candidates.rules.touches import Side, Touch, TouchClass


def waiting_times(touches: Sequence[Touch]) -> tuple[Waiting, ...]:
    """From each word of the partner that the ISV answered until its first answer.

    A word that nobody of the ISV answered was not for the ISV to answer, as far as is known.
    """
    asked = {
        touch.id: touch.occurred_at
        for touch in touches
        if touch.side is Side.PARTNER and touch.proposed is not TouchClass.P0
    }
    found: dict[object, Waiting] = {}
    for touch in sorted(touches, key=lambda one: (one.occurred_at, one.id)):
        start = asked.get(touch.in_reply_to) if touch.in_reply_to is not None else None
        if touch.side is not Side.ISV or start is None or touch.occurred_at < start:
            continue
        found.setdefault(touch.in_reply_to, Waiting(start, touch.occurred_at))
    return tuple(found.values())
