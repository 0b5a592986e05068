"""The numbers of the method, frozen on a campaign when it is ordered."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Final, Self

from flatbed.app.candidates.rules.gate_criteria import GateCriterion
from flatbed.app.candidates.rules.initiative import DEFAULT_NUMBERS, InitiativeNumbers

CURRENT_VERSION: Final = "2026-1"


class RubricError(ValueError):
    """A stored rubric is not one that this program wrote."""


@dataclass(frozen=True, slots=True)
class Rubric:
    """Every threshold of the pipeline; days and hours are elapsed time, money is minor units.

    Fit and MSI run from 0 to 100, similarity from 0 to 1. `criteria` are the keys that gates of
    this version judge and that a dispute may name. Raises `RubricError` for numbers out of range.
    """

    fit_floor: int
    """The campaign's floor for the fit of a qualified partner."""
    revenue_floor: int
    """The campaign's floor for the plan's revenue target, in minor units of `currency`."""
    currency: str
    version: str = CURRENT_VERSION
    criteria: tuple[GateCriterion, ...] = tuple(GateCriterion)

    profiled_fit: int = 60
    profiled_facts: int = 3
    targeted_trigger_days: int = 180
    targeted_fit_low: int = 35
    discovering_similarity: float = 0.35
    """A statement this similar to ours, or more, merely repeats us."""
    discovering_msi: int = 15
    executive_aligned_proactive: int = 1
    executive_aligned_msi: int = 35
    decision_fit_low: int = 50
    decision_msi: int = 45
    planning_partner_fields: int = 3
    qualified_msi: int = 50
    qualified_proactive: int = 3
    qualified_committing: int = 1
    hands_off_hours: int = 168
    hands_off_signals: int = 1
    activated_actions: int = 1
    activated_days: int = 90

    guard_base_attempts: int = 3
    guard_attempts_at_full_fit: int = 5
    """Attempts asked for beyond the base at fit 100; proportionally fewer below."""
    guard_days: int = 28
    guard_people: int = 2
    guard_c_level: int = 1
    guard_angles: int = 2
    guard_rest_days: int = 7
    nurture_max_days: int = 180
    nurture_far_touch_days: int = 14
    """A next lawful touch further away than this lifts the guard from nurture."""

    initiative: InitiativeNumbers = DEFAULT_NUMBERS
    """MSI, momentum, half-life, stall and push alarm."""
    backdate_business_days: int = 5

    def __post_init__(self) -> None:
        """Refuse numbers that would make a gate meaningless."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not 0 <= value < math.inf:
                raise RubricError(f"{field.name} is finite and not negative")
        for name in _PERCENT:
            if getattr(self, name) > _FULL:
                raise RubricError(f"{name} is at most {_FULL}")
        if len(set(self.criteria)) != len(self.criteria) or not self.criteria:
            raise RubricError("criteria are named, each once")
        if not self.currency or not self.version:
            raise RubricError("currency and version are named")

    def to_json(self) -> dict[str, object]:
        """Return the plain form that is frozen on the campaign."""
        return {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "criteria": [key.value for key in self.criteria],
            "initiative": asdict(self.initiative),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, object] | str) -> Self:
        """Read what `to_json` wrote, as a mapping or as text.

        Raises `RubricError` for a missing, unknown or wrongly typed key: a frozen rubric is never
        completed with today's numbers.
        """
        loaded: object = json.loads(stored) if isinstance(stored, str) else stored
        values = _typed(cls, loaded)
        values["initiative"] = _initiative(values["initiative"])
        values["criteria"] = _criteria(values["criteria"])
        make: Callable[..., Self] = cls
        return make(**values)


_FULL: Final = 100
_PERCENT: Final = (
    "fit_floor",
    "profiled_fit",
    "targeted_fit_low",
    "discovering_msi",
    "executive_aligned_msi",
    "decision_fit_low",
    "decision_msi",
    "qualified_msi",
)


def _typed(cls: type[Rubric | InitiativeNumbers], stored: object) -> dict[str, object]:
    if not isinstance(stored, Mapping):
        raise RubricError("a rubric and its parts are objects")
    kinds = {field.name: field.type for field in fields(cls)}
    if set(stored) != set(kinds):
        odd = ", ".join(sorted(map(str, set(stored).symmetric_difference(kinds))))
        raise RubricError(f"keys missing or unknown: {odd}")
    return {name: _value(name, kind, stored[name]) for name, kind in kinds.items()}


def _value(name: str, kind: object, value: object) -> object:
    # type(), not isinstance(): true is not a number here.
    if kind is float and (type(value) is int or type(value) is float):
        return float(value)  # JSON stores 1.0 as 1 or 1.0, at the writer's choice
    if (kind is int or kind is str) and type(value) is not kind:
        raise RubricError(f"{name} has the wrong type")
    if kind is float:
        raise RubricError(f"{name} is not a number")
    return value


def _initiative(stored: object) -> InitiativeNumbers:
    make: Callable[..., InitiativeNumbers] = InitiativeNumbers
    try:
        return make(**_typed(InitiativeNumbers, stored))
    except ValueError as error:
        raise RubricError("the initiative numbers are no measure") from error


def _criteria(stored: object) -> tuple[GateCriterion, ...]:
    if not isinstance(stored, Sequence):
        raise RubricError("criteria are a list")
    try:
        return tuple(GateCriterion(key) for key in stored)
    except ValueError as error:
        raise RubricError("a criterion is unknown to this program") from error
