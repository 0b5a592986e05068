"""Whether a company is the objectively right partner: criteria, confidence, fit and its bounds.

Fit is a score, hence float; ages are days.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from flatbed.app.candidates.rules.comparison import Operator, matches, operand_fits, scaled

CONFIDENCE_HALF_LIFE_DAYS: Final = 365.0


class UnknownSourceKindError(ValueError):
    """The confidence table does not know this kind of source."""


class HardResult(StrEnum):
    """What is known about a hard criterion; an unknown one blocks `targeted`."""

    PASS = "pass"  # noqa: S105 (a verdict, not a password)
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ConfidenceTable:
    """How far each kind of source is believed, 0 to 1, under a version."""

    version: str
    confidence: Mapping[str, float]

    def of(self, source_kind: str) -> float:
        """Return the confidence of a kind; raises UnknownSourceKindError."""
        try:
            return self.confidence[source_kind]
        except KeyError:
            raise UnknownSourceKindError(f"unknown source kind {source_kind!r}") from None


SOURCE_CONFIDENCE: Final = ConfidenceTable(
    version="2026-1",
    confidence=MappingProxyType(
        {
            "official_register": 1.0,
            "annual_report": 0.95,
            "company_website": 0.8,
            "press": 0.7,
            "tenant": 0.7,
            "directory": 0.6,
            "hunter_judgement": 0.6,
            "hearsay": 0.3,
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One demand on a partner: read from the registry, or `judged` by a person with a reason.

    Hard without a weight, soft with one. `floor` and `target` give a soft numeric criterion a
    linear scale from 0 to 1 (floor above target: less is better). Raises ValueError when the
    parts do not fit each other.
    """

    key: str
    attribute: str = ""
    operator: Operator | None = None
    value: object = None
    weight: float | None = None
    judged: bool = False
    floor: float | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        """Reject a criterion that could never be evaluated."""
        if not self.key:
            raise ValueError("a criterion has a key")
        if self.weight is not None and not (math.isfinite(self.weight) and self.weight > 0):
            raise ValueError("a soft criterion's weight is positive")
        if (self.floor is None) != (self.target is None):
            raise ValueError("floor and target come together")
        if self.judged:
            if self.operator is not None or self.attribute or self.floor is not None:
                raise ValueError("a judged criterion reads no attribute")
            return
        if not self.attribute or self.operator is None:
            raise ValueError("a criterion has attribute and operator, or is judged")
        if self.floor is not None and (self.weight is None or self.floor == self.target):
            raise ValueError("a scale is a soft criterion's, from one number to another")
        if not operand_fits(self.operator, self.value):
            raise ValueError(f"the value does not fit operator {self.operator}")

    @property
    def is_hard(self) -> bool:
        """A failed one makes the fit 0."""
        return self.weight is None


# Judged until a profile names attributes for them; the seed's six C's.
SIX_CS: Final = tuple(
    Criterion(key=key, weight=weight, judged=True)
    for key, weight in (
        ("coverage", 20.0),
        ("compatibility", 20.0),
        ("capability", 20.0),
        ("capacity", 15.0),
        ("commitment", 15.0),
        ("credit", 10.0),
    )
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A registry attribute's value with its source's kind and age; None: recorded as absent."""

    value: object
    source_kind: str
    age_days: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """A person's word on a judged criterion: a verdict if hard, a value 0 to 1 if soft."""

    verdict: HardResult | None
    value: float | None
    source_kind: str
    age_days: float


@dataclass(frozen=True, slots=True)
class SoftScore:
    """A soft criterion's value 0 to 1 (None: unknown), its source's confidence and age in days.

    Raises ValueError for numbers out of range.
    """

    criterion: str
    weight: float
    value: float | None
    confidence: float
    age_days: float = 0.0

    def __post_init__(self) -> None:
        """Reject numbers under which a bound would not hold."""
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise ValueError("a weight is positive")
        if self.value is not None and not 0 <= self.value <= 1:
            raise ValueError("a value lies in 0 to 1")
        if not 0 <= self.confidence <= 1:
            raise ValueError("a confidence lies in 0 to 1")
        if not self.age_days >= 0:
            raise ValueError("an age is not negative")

    @property
    def known(self) -> float:
        """The share of the criterion that is known: confidence, halved each 365 days."""
        if self.value is None:
            return 0.0
        return float(self.confidence * 2.0 ** (-self.age_days / CONFIDENCE_HALF_LIFE_DAYS))


@dataclass(frozen=True, slots=True)
class Contribution:
    """The points of 100 a soft criterion gives, and with its unknown part as 0 and as 1."""

    criterion: str
    points: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Fit 0 to 100 with low ≤ value ≤ high, what made it, and what to research next."""

    value: float
    low: float
    high: float
    contributions: tuple[Contribution, ...]
    next_research: str | None
    failed: tuple[str, ...]
    unknown: tuple[str, ...]


def fit(hard: Mapping[str, HardResult], soft: Sequence[SoftScore]) -> Fit:
    """Return 100·Σw(v·c+0.5(1-c))/Σw, or 0 throughout when a hard criterion failed.

    Raises ValueError without a soft criterion, unless a hard one failed.
    """
    failed = tuple(key for key, result in hard.items() if result is HardResult.FAIL)
    unknown = tuple(key for key, result in hard.items() if result is HardResult.UNKNOWN)
    if failed:
        nothing = tuple(Contribution(s.criterion, 0.0, 0.0, 0.0) for s in soft)
        return Fit(0.0, 0.0, 0.0, nothing, None, failed, unknown)
    if not soft:
        raise ValueError("fit needs a soft criterion")
    total = math.fsum(score.weight for score in soft)
    contributions = tuple(_contribution(score, 100 * score.weight / total) for score in soft)
    widest = max(contributions, key=lambda c: c.high - c.low)
    return Fit(
        value=_bounded(c.points for c in contributions),
        low=_bounded(c.low for c in contributions),
        high=_bounded(c.high for c in contributions),
        contributions=contributions,
        next_research=widest.criterion if widest.high > widest.low else None,
        failed=failed,
        unknown=unknown,
    )


def assess(
    criteria: Iterable[Criterion],
    readings: Mapping[str, Reading],
    judgements: Mapping[str, Judgement],
    table: ConfidenceTable = SOURCE_CONFIDENCE,
) -> Fit:
    """Evaluate criteria on readings by attribute and judgements by criterion key, then fit.

    Without a soft criterion among them the six C's serve. Raises UnknownSourceKindError, and
    ValueError for a key named twice, of which one could hide the other's failure.
    """
    demanded = tuple(criteria)
    if len({c.key for c in demanded}) < len(demanded):
        raise ValueError("a profile names each criterion once")
    soft = tuple(c for c in demanded if not c.is_hard) or SIX_CS
    return fit(
        {
            c.key: check_hard(c, readings.get(c.attribute), judgements.get(c.key))
            for c in demanded
            if c.is_hard
        },
        [score_soft(c, readings.get(c.attribute), judgements.get(c.key), table) for c in soft],
    )


def check_hard(
    criterion: Criterion,
    reading: Reading | None,
    judgement: Judgement | None = None,
) -> HardResult:
    """Return a hard criterion's result; what nobody has read or judged is unknown."""
    if criterion.judged:
        return (judgement and judgement.verdict) or HardResult.UNKNOWN
    matched = None if reading is None else _matched(criterion, reading)
    if matched is None:
        return HardResult.UNKNOWN
    return HardResult.PASS if matched else HardResult.FAIL


def score_soft(
    criterion: Criterion,
    reading: Reading | None,
    judgement: Judgement | None = None,
    table: ConfidenceTable = SOURCE_CONFIDENCE,
) -> SoftScore:
    """Return a soft criterion's score with its source's confidence.

    Raises ValueError for a hard criterion, UnknownSourceKindError.
    """
    if criterion.weight is None:
        raise ValueError("a hard criterion has no score")
    source = judgement if criterion.judged else reading
    if source is None:
        return SoftScore(criterion.key, criterion.weight, value=None, confidence=0.0)
    if isinstance(source, Judgement):
        value = source.value
    elif criterion.floor is not None and criterion.target is not None:
        value = scaled(source.value, criterion.floor, criterion.target)
    else:
        matched = _matched(criterion, source)
        value = None if matched is None else float(matched)
    confidence = table.of(source.source_kind)
    return SoftScore(criterion.key, criterion.weight, value, confidence, source.age_days)


def strongest(
    readings: Iterable[Reading],
    table: ConfidenceTable = SOURCE_CONFIDENCE,
) -> Reading | None:
    """Return the reading believed most after its age, the younger of equals; None of none."""

    def belief(reading: Reading) -> tuple[float, float]:
        decay = 2.0 ** (-reading.age_days / CONFIDENCE_HALF_LIFE_DAYS)
        return table.of(reading.source_kind) * decay, -reading.age_days

    return max(readings, key=belief, default=None)


def _matched(criterion: Criterion, reading: Reading) -> bool | None:
    if criterion.operator is None:
        return None
    return matches(criterion.operator, criterion.value, reading.value)


def _contribution(score: SoftScore, share: float) -> Contribution:
    known = score.known
    low = share * (score.value or 0.0) * known
    unknown = share * (1 - known)
    return Contribution(score.criterion, points=low + unknown / 2, low=low, high=low + unknown)


def _bounded(parts: Iterable[float]) -> float:
    # Rounding of the parts may carry the sum a hair over 100.
    return min(100.0, math.fsum(parts))
