"""How far the partner moves by himself: MSI, momentum, push alarm, load share and leverage.

Everything here is a score, hence float. Days are 24 hours, fractions included.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final

from flatbed.app.candidates.rules.touches import EffectiveTouch, Provenance, Side, TouchClass

KAPPA: Final = 1.0
HALF_LIFE_DAYS: Final = 21.0


@dataclass(frozen=True, slots=True)
class InitiativeNumbers:
    """The numbers of the measure, as a campaign's rubric freezes them.

    Weights are per touch, days are days, `attested_share` is what an attested touch of the
    partner weighs of its class. Raises ValueError for numbers that are not a measure.
    """

    kappa: float = KAPPA
    half_life_days: float = HALF_LIFE_DAYS
    weight_p0: float = 0.0
    weight_p1: float = 0.25
    weight_p2: float = 1.0
    weight_p3: float = 2.0
    weight_push: float = 1.0
    weight_answer: float = 0.25
    attested_share: float = 0.5
    trend_short_days: float = 7.0
    trend_long_days: float = 28.0
    trend_least_touches: int = 3
    fading_below: float = 0.8
    rising_above: float = 1.2
    prior_gaps: int = 2
    prior_days: float = 28.0
    stalled_below: float = 0.2
    few_gaps: int = 2
    few_gaps_silence_days: float = 28.0
    alarm_window: int = 6
    alarm_pushes: int = 5

    def __post_init__(self) -> None:
        """Reject numbers under which silence would not cost or a share could exceed one."""
        positive = (
            self.kappa,
            self.half_life_days,
            self.trend_short_days,
            self.trend_long_days,
            self.prior_days,
        )
        weights = (
            self.weight_p0,
            self.weight_p1,
            self.weight_p2,
            self.weight_p3,
            self.weight_push,
            self.weight_answer,
        )
        if not all(math.isfinite(n) and n > 0 for n in positive):
            raise ValueError("kappa, half-lives and prior days are positive")
        if not all(math.isfinite(n) and n >= 0 for n in weights):
            raise ValueError("weights are not negative")
        if list(weights[:4]) != sorted(weights[:4]) or self.weight_push < self.weight_answer:
            raise ValueError("a higher class never weighs less, a push never less than an answer")
        if not 0 <= self.attested_share <= 1 or self.prior_gaps < 1:
            raise ValueError("the attested share lies in 0 to 1, the prior has a gap")

    def weight(self, touch: EffectiveTouch) -> float:
        """Return what the touch weighs on its day: 0 uncounted, attested partner touches less."""
        if not touch.counted:
            return 0.0
        weight = {
            TouchClass.P0: self.weight_p0,
            TouchClass.P1: self.weight_p1,
            TouchClass.P2: self.weight_p2,
            TouchClass.P3: self.weight_p3,
            TouchClass.PUSH: self.weight_push,
            TouchClass.ANSWER: self.weight_answer,
        }[touch.cls]
        if touch.touch.side is Side.PARTNER and touch.provenance is Provenance.ATTESTED:
            return weight * self.attested_share
        return weight


DEFAULT_NUMBERS: Final = InitiativeNumbers()


@dataclass(frozen=True, slots=True)
class Msi:
    """Mutual Self Interest, 0 to under 100, and the decayed sums of both sides behind it."""

    value: float
    partner: float
    ours: float


class TrendLabel(StrEnum):
    """Where the partner's rate of initiative is going."""

    FADING = "fading"
    STEADY = "steady"
    RISING = "rising"


@dataclass(frozen=True, slots=True)
class Trend:
    """The partner's rate over the short window divided by that over the long one."""

    ratio: float
    label: TrendLabel


@dataclass(frozen=True, slots=True)
class HalfLife:
    """Momentum half-life in days, the probability of the silence so far, and the verdict."""

    days: float
    p_silence: float
    stalled: bool


def msi(
    touches: Iterable[EffectiveTouch],
    at: datetime,
    numbers: InitiativeNumbers = DEFAULT_NUMBERS,
) -> Msi:
    """Return 100·P/(P+V+κ) at a moment; touches after it are ignored."""
    partner: list[float] = []
    ours: list[float] = []
    for touch in _up_to(touches, at):
        if touch.touch.side is Side.ISV:
            continue  # the ISV's own touches count for neither side
        side = partner if touch.touch.side is Side.PARTNER else ours
        side.append(numbers.weight(touch) * _decay(_age(touch, at), numbers.half_life_days))
    # fsum: the result does not depend on the order of the touches.
    p, v = math.fsum(partner), math.fsum(ours)
    return Msi(value=100 * p / (p + v + numbers.kappa), partner=p, ours=v)


def momentum_trend(
    touches: Iterable[EffectiveTouch],
    at: datetime,
    numbers: InitiativeNumbers = DEFAULT_NUMBERS,
) -> Trend | None:
    """Return r₇/r₂₈ of the partner's touches; None below three of them (P0 is not one)."""
    weighed = [
        (_age(touch, at), numbers.weight(touch))
        for touch in _up_to(touches, at)
        if _partner_spoke(touch)
    ]
    if len(weighed) < numbers.trend_least_touches:
        return None
    long = _rate(weighed, numbers.trend_long_days)
    if long == 0:  # everything has decayed to nothing, or the rubric gives it no weight
        return None
    ratio = _rate(weighed, numbers.trend_short_days) / long
    label = TrendLabel.STEADY
    if ratio < numbers.fading_below:
        label = TrendLabel.FADING
    elif ratio > numbers.rising_above:
        label = TrendLabel.RISING
    return Trend(ratio, label)


def momentum_half_life(
    gaps: Sequence[float],
    open_gap: float,
    numbers: InitiativeNumbers = DEFAULT_NUMBERS,
) -> HalfLife:
    """Return T½ = ln 2/λ with λ = (n+2)/(T+28) from gaps in days and the one still open.

    Raises ValueError for a negative gap.
    """
    if any(gap < 0 for gap in (*gaps, open_gap)):
        raise ValueError("a gap is not negative")
    total = math.fsum((*gaps, open_gap))
    rate = (len(gaps) + numbers.prior_gaps) / (total + numbers.prior_days)
    days = math.log(2) / rate
    p_silence = _decay(open_gap, days)
    silent = len(gaps) < numbers.few_gaps and open_gap >= numbers.few_gaps_silence_days
    return HalfLife(days, p_silence, stalled=silent or p_silence < numbers.stalled_below)


def momentum_half_life_of(
    touches: Iterable[EffectiveTouch],
    at: datetime,
    numbers: InitiativeNumbers = DEFAULT_NUMBERS,
) -> HalfLife | None:
    """Return the half-life from the gaps between counted P2/P3 touches up to a moment.

    Before the first of them the silence runs from the first touch of any kind; None without one.
    """
    known = _up_to(touches, at)
    ages = [_age(touch, at) for touch in known if touch.is_proactive]
    if not ages:
        return momentum_half_life((), _age(known[0], at), numbers) if known else None
    return momentum_half_life([a - b for a, b in pairwise(ages)], ages[-1], numbers)


def push_alarm(
    touches: Iterable[EffectiveTouch],
    at: datetime,
    numbers: InitiativeNumbers = DEFAULT_NUMBERS,
) -> bool:
    """Say whether we push a partner who has stopped moving: change the angle or pause.

    Looks at the last six touches since the partner's first reply, so that the cold attempts
    before it, which the too-early guard demands, raise no alarm. P0 (an auto-reply or an open
    follows every message and would thin the pushes out) and uncounted touches are not looked at.
    """
    counted = [t for t in _up_to(touches, at) if t.counted and t.cls is not TouchClass.P0]
    first = next((i for i, t in enumerate(counted) if _partner_spoke(t)), len(counted))
    last = counted[first:][-numbers.alarm_window :]
    pushes = sum(1 for touch in last if touch.is_our_push)
    return pushes >= numbers.alarm_pushes and not any(touch.is_proactive for touch in last)


def load_share(partner_finished: int, all_finished: int) -> float | None:
    """Return the share of finished tasks that the partner owned, 0 to 1; None without tasks.

    Raises ValueError unless 0 ≤ partner_finished ≤ all_finished.
    """
    if not 0 <= partner_finished <= all_finished:
        raise ValueError("the partner's tasks are some of all tasks")
    return partner_finished / all_finished if all_finished else None


def leverage(partner_committed: int, isv_committed: int) -> float | None:
    """Return the partner's committed resources per unit of the ISV's; None if that has none.

    Both in the same unit (minor units of one currency, or hours). Raises ValueError for a
    negative amount.
    """
    if partner_committed < 0 or isv_committed < 0:
        raise ValueError("committed resources are not negative")
    return partner_committed / isv_committed if isv_committed else None


def _up_to(touches: Iterable[EffectiveTouch], at: datetime) -> list[EffectiveTouch]:
    known = (touch for touch in touches if touch.touch.occurred_at <= at)
    return sorted(known, key=lambda t: (t.touch.occurred_at, t.touch.id))


def _age(touch: EffectiveTouch, at: datetime) -> float:
    return (at - touch.touch.occurred_at) / timedelta(days=1)


def _decay(age: float, half_life: float) -> float:
    return float(2.0 ** (-age / half_life))


def _rate(weighed: Sequence[tuple[float, float]], days: float) -> float:
    return math.log(2) / days * math.fsum(w * _decay(age, days) for age, w in weighed)


def _partner_spoke(touch: EffectiveTouch) -> bool:
    is_partner = touch.touch.side is Side.PARTNER
    return is_partner and touch.counted and touch.cls is not TouchClass.P0
