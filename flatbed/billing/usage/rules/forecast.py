"""What a campaign is expected to come to by the end of the period. Pure: integers, no float.

The method, so that a reader can follow it with the numbers that are given beside the result:

1. Units per second: those qualified in the trailing 28 days (or since the campaign's first unit,
   if that is younger), over that time.
2. New units until the end: that rate times the time that is left, and no more than caps and
   quantity leave room for.
3. Of the pending, the disputed and the new ones the ISV takes the share that it took of all its
   units in the currency that were decided, of the last 180 days.
4. What it has accepted and what it is expected to take is priced by the campaign's tiers, behind
   what was billed.

Each number of units is rounded half to even once. Replacements under the guarantee cost nothing
and are left out of the history. There is no forecast where there is too little of it: a campaign
younger than 7 days or with fewer than 5 units, an ISV with fewer than 5 decided ones.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from flatbed.billing.usage.rules.ranking import Ranked, Unbilled, bands_of
from flatbed.billing.usage.states import UsageState

WINDOW: Final = timedelta(days=28)
HISTORY: Final = timedelta(days=180)
SHORTEST: Final = timedelta(days=7)
FEWEST: Final = 5
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Past:
    """A campaign's units of the last 180 days: how many in all, and of the trailing 28."""

    units: int
    first_at: datetime
    recent: int


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the decided units the ISV took.

    Taken are accepted and billed ones; the others are reversed, cancelled or written off.
    """

    taken: int
    decided: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """The numbers that a forecast is made of. ``room`` is None where nothing bounds it."""

    window_seconds: int
    recent_units: int
    remaining_seconds: int
    room: int | None
    taken_units: int
    decided_units: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Units and money, of which so many are accepted, expected of the open ones, and new."""

    units: int
    amount: int
    accepted_units: int
    open_units: int
    new_units: int
    inputs: Inputs


def share_of(units: int, *, voided: int, unbilled: Iterable[Unbilled]) -> Share:
    """The share over all campaigns of one currency.

    Each unit is lost, waits or was taken: so those that were billed need not be looked for.

    Args:
        units: of the last 180 days, replacements left out.
        voided: those of them that are reversed or cancelled.
        unbilled: those of them that are neither billed nor reversed.
    """
    states = Counter(one.state for one in unbilled)
    waiting = states[UsageState.PENDING] + states[UsageState.DISPUTED]
    decided = units - waiting
    return Share(decided - voided - states[UsageState.WRITTEN_OFF], decided)


def forecast(
    ranked: Ranked,
    past: Past | None,
    share: Share,
    *,
    room: int | None,
    now: datetime,
    ends_at: datetime,
) -> Forecast | None:
    """What the campaign is expected to come to, None where there is too little history.

    Args:
        ranked: the units that are not billed yet, at their places.
        past: the campaign's history, None if it has none.
        share: over all campaigns of the currency.
        room: how many more units may be metered, None where nothing bounds them.
        now: the instant of the forecast.
        ends_at: the end of the period.
    """
    if past is None or past.units < FEWEST or share.decided < FEWEST:
        return None
    if now - past.first_at < SHORTEST:
        return None
    inputs = Inputs(
        window_seconds=min(WINDOW, now - past.first_at) // _SECOND,
        recent_units=past.recent,
        remaining_seconds=max(ends_at - now, timedelta()) // _SECOND,
        room=room,
        taken_units=share.taken,
        decided_units=share.decided,
    )
    waiting = ranked.pending.sold + ranked.disputed.sold
    accepted = ranked.accepted
    open_units = _half_even(waiting * inputs.taken_units, inputs.decided_units)
    new_units = _half_even(_metered(inputs) * inputs.taken_units, inputs.decided_units)
    bands = bands_of(ranked.price, accepted.after.rank, open_units + new_units)
    return Forecast(
        units=accepted.units + open_units + new_units,
        amount=accepted.amount + sum(band.amount for band in bands),
        accepted_units=accepted.units,
        open_units=open_units,
        new_units=new_units,
        inputs=inputs,
    )


def _metered(inputs: Inputs) -> int:
    """New units until the end, as far as there is room."""
    rated = _half_even(inputs.recent_units * inputs.remaining_seconds, inputs.window_seconds)
    return rated if inputs.room is None else min(rated, inputs.room)


def _half_even(numerator: int, denominator: int) -> int:
    """A quotient that is not negative, rounded half to even."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))
