"""No free rides: who was worked far and is contracted soon after is billed all the same."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

WINDOW: Final = timedelta(days=180)


class RideCriterion(StrEnum):
    """What a free ride rests on; the ISV may dispute each."""

    WORKED = "free_ride.worked"
    AFTER = "free_ride.contracted_after"
    WITHIN = "free_ride.within_180_days"
    NEW = "free_ride.not_known_before"


@dataclass(frozen=True, slots=True)
class RideResult:
    """One criterion's outcome; ``detail`` holds days only."""

    criterion: RideCriterion
    passed: bool
    detail: str


def judge(
    contracted_on: date,
    reached_on: date | None,
    ended_on: date | None,
    *,
    known_before: bool = False,
) -> tuple[RideResult, ...]:
    """Say whether the ISV contracted a company that had been worked far, within the time.

    All days are the ISV's local dates.

    Args:
        contracted_on: of the contract.
        reached_on: when the candidate first stood in `discovering` or further; None: never.
        ended_on: when the work ended, by the candidate's exit or with the campaign, whatever came
            first; None while it goes on.
        known_before: a unit of the candidate was voided since the ISV had known the company.
    """
    last = None if ended_on is None else ended_on + WINDOW
    return (
        RideResult(
            RideCriterion.WORKED,
            reached_on is not None,
            "never in discovering" if reached_on is None else f"in discovering on {reached_on}",
        ),
        RideResult(
            RideCriterion.AFTER,
            reached_on is not None and reached_on <= contracted_on,
            f"contracted on {contracted_on}",
        ),
        RideResult(
            RideCriterion.WITHIN,
            last is None or contracted_on <= last,
            "the work goes on" if last is None else f"worked until {ended_on}, counts to {last}",
        ),
        RideResult(
            RideCriterion.NEW,
            not known_before,
            "found to be known before" if known_before else "not found to be known before",
        ),
    )
