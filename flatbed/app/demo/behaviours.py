"""How partners behave, as scripts of simulated days; pure, and the same for the same dice.

Three behaviours: self-driven (15 %), reactive (45 %), pushed or silent (40 %).
"""

import random
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Behaviour(StrEnum):
    """Who carries the load."""

    SELF_DRIVEN = "self-driven"
    REACTIVE = "reactive"
    PUSHED = "pushed or silent"


class Via(StrEnum):
    """How we know of a touch."""

    HUNTER = "hunter"
    SYSTEM = "system"
    AUDITED = "audited"
    """Logged by the hunter, looked at by a lead the day after."""


class Step(StrEnum):
    """What is recorded and tried after a touch, by the stage that it leads to."""

    ENGAGED = "engaged"
    DISCOVERING = "discovering"
    EXECUTIVE_ALIGNED = "executive_aligned"
    DECISION_IN_PRINCIPLE = "decision_in_principle"
    BUSINESS_PLANNING = "business_planning"


@dataclass(frozen=True)
class Beat:
    """One touch on a simulated day, and the stage tried after it."""

    day: int
    cls: str
    via: Via = Via.HUNTER
    step: Step | None = None


# The candidate of the method's golden timeline: it moves by itself and passes every gate. Its
# MSI on some of the days is known to four decimals.
GOLDEN: Final = (
    Beat(1, "push"),
    Beat(8, "push"),
    Beat(10, "P1", Via.SYSTEM, Step.ENGAGED),
    Beat(11, "answer"),
    Beat(14, "P2", Via.AUDITED, Step.DISCOVERING),
    Beat(16, "answer"),
    Beat(18, "P2", Via.SYSTEM),
    Beat(21, "answer"),
    Beat(22, "P3", Via.SYSTEM, Step.EXECUTIVE_ALIGNED),
    Beat(28, "P3", Via.SYSTEM, Step.DECISION_IN_PRINCIPLE),
    Beat(29, "answer"),
    Beat(32, "P2", Via.SYSTEM),
    Beat(35, "P3", Via.SYSTEM, Step.BUSINESS_PLANNING),
)
GOLDEN_MSI: Final = {
    10: 8.535,
    14: 21.0445,
    15: 30.8588,
    25: 57.1811,
    28: 67.7905,
    32: 68.8528,
    36: 74.5714,
}
WHOLE: Final = 100
SELF_DRIVEN_SHARE: Final = 15
REACTIVE_SHARE: Final = 45


def mixed(number: int) -> list[Behaviour]:
    """So many behaviours in their shares, spread evenly over the list."""
    selves = round(number * SELF_DRIVEN_SHARE / WHOLE)
    reactive = round(number * REACTIVE_SHARE / WHOLE)
    pool = [
        *[(n / max(selves, 1), Behaviour.SELF_DRIVEN) for n in range(selves)],
        *[(n / max(reactive, 1), Behaviour.REACTIVE) for n in range(reactive)],
        *[
            (n / (number - selves - reactive), Behaviour.PUSHED)
            for n in range(number - selves - reactive)
        ],
    ]
    return [behaviour for _, behaviour in sorted(pool, key=lambda one: one[0])]


SPAN: Final = 180
"""Simulated days over which the touches of a realm are spread."""
REPLYING: Final = 2
"""One in so many of the pushed ones says a word at all."""


def script(behaviour: Behaviour, dice: random.Random, span: int = SPAN) -> tuple[Beat, ...]:
    """The touches of one candidate, within a span of days.

    Args:
        behaviour: who carries the load.
        dice: the seeded source of chance.
        span: days; a script that is longer begins on the first and is cut.
    """
    beats: tuple[Beat, ...]
    if behaviour is Behaviour.SELF_DRIVEN:
        beats = GOLDEN[: dice.choice((8, 10, 12, 13))]
    elif behaviour is Behaviour.REACTIVE:
        beats = _reactive(dice)
    else:
        beats = _pushed(dice)
    return later(beats, dice.randint(0, max(0, span - beats[-1].day)), span)


def later(beats: tuple[Beat, ...], days: int, span: int = SPAN) -> tuple[Beat, ...]:
    """The same touches so many days later, as far as they fall into the span."""
    return tuple(replace(beat, day=beat.day + days) for beat in beats if beat.day + days <= span)


def _reactive(dice: random.Random) -> tuple[Beat, ...]:
    """He answers whoever asks, and is curious once perhaps; a letter every other week."""
    known = Via.SYSTEM if dice.random() < dice.random() else Via.HUNTER
    curious = (Beat(28, "P2", Via.AUDITED, Step.DISCOVERING), Beat(29, "answer"))
    first = (
        Beat(1, "push"),
        Beat(7, "push"),
        Beat(9, "P1", Via.SYSTEM, Step.ENGAGED),
        Beat(10, "answer"),
        Beat(15, "push"),
        Beat(17, "P1", known),
        Beat(18, "answer"),
        Beat(23, "push"),
        Beat(26, "P1", known),
        *(curious if dice.randint(0, 1) else (Beat(31, "push"),)),
    )
    rounds = (
        (Beat(day, "push"), Beat(day + 3, "P1", known), Beat(day + 4, "answer"))
        for day in range(40, 40 + 14 * dice.randint(2, 3), 14)
    )
    return (*first, *(beat for one in rounds for beat in one))


def _pushed(dice: random.Random) -> tuple[Beat, ...]:
    """We write and write; half of them never answer."""
    pushes = [Beat(1 + 7 * n, "push") for n in range(dice.randint(14, 17))]
    if dice.randrange(REPLYING):
        return tuple(pushes)
    replies = [Beat(10, "P1", Via.SYSTEM, Step.ENGAGED), Beat(24, "P1"), Beat(59, "P1")]
    return tuple(sorted((*pushes, *replies), key=lambda beat: beat.day))
