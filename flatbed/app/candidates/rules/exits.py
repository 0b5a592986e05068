"""Leaving honestly: the reasons to exit, and the guard against giving up too early."""

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import assert_never

from flatbed.app.candidates.rules.situation import Situation
from flatbed.app.candidates.rules.snapshot import Evidence
from flatbed.app.candidates.rules.touches import EffectiveTouch


class ExitReason(StrEnum):
    """Why a candidate leaves the pipeline."""

    OBJECTION = "objection"
    UNLAWFUL = "unlawful"
    HARD_FAIL = "hard_fail"
    EXCLUSIVE_WITH_COMPETITOR = "exclusive_with_competitor"
    CONFLICT = "conflict"
    INSOLVENCY = "insolvency"
    DUPLICATE = "duplicate"
    EXCLUDED_BY_ISV = "excluded_by_isv"
    OUT_OF_BUSINESS = "out_of_business"
    NO_RESPONSE = "no_response"
    NOT_NOW = "not_now"
    NOT_INTERESTED = "not_interested"
    STALLED = "stalled"
    PARTNER_DECLINED_FINAL = "partner_declined_final"
    WRONG_FIT_DISCOVERED = "wrong_fit_discovered"
    CAMPAIGN_CLOSED = "campaign_closed"
    HUNTER_NO_GO = "hunter_no_go"


class ExitClass(StrEnum):
    """How an exit is treated: only the guarded ones must first have been tried long enough."""

    PROTECTIVE = "protective"
    GUARDED = "guarded"
    OTHER = "other"


def exit_class(reason: ExitReason) -> ExitClass:
    """Return how an exit for this reason is treated."""
    match reason:
        case (
            ExitReason.OBJECTION
            | ExitReason.UNLAWFUL
            | ExitReason.HARD_FAIL
            | ExitReason.EXCLUSIVE_WITH_COMPETITOR
            | ExitReason.CONFLICT
            | ExitReason.INSOLVENCY
            | ExitReason.DUPLICATE
            | ExitReason.EXCLUDED_BY_ISV
            | ExitReason.OUT_OF_BUSINESS
        ):
            return ExitClass.PROTECTIVE
        case (
            ExitReason.NO_RESPONSE
            | ExitReason.NOT_NOW
            | ExitReason.NOT_INTERESTED
            | ExitReason.STALLED
        ):
            return ExitClass.GUARDED
        case (
            ExitReason.PARTNER_DECLINED_FINAL
            | ExitReason.WRONG_FIT_DISCOVERED
            | ExitReason.CAMPAIGN_CLOSED
            | ExitReason.HUNTER_NO_GO
        ):
            return ExitClass.OTHER
        case _:
            assert_never(reason)


class GuardCriterion(StrEnum):
    """What must have been tried before giving up."""

    ATTEMPTS = "too_early.attempts"
    DAYS = "too_early.days"
    PEOPLE = "too_early.people"
    C_LEVEL = "too_early.c_level"
    ANGLES = "too_early.angles"
    REST = "too_early.rest"


@dataclass(frozen=True, slots=True)
class GuardResult:
    """One demand of the guard; `detail` holds figures only."""

    criterion: GuardCriterion
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class GuardCheck:
    """The too-early guard, judged; `nurture_instead` when no lawful touch is near."""

    results: tuple[GuardResult, ...]
    nurture_instead: bool

    @property
    def passed(self) -> bool:
        """Whether enough was tried."""
        return all(result.passed for result in self.results)

    @property
    def failing(self) -> tuple[GuardResult, ...]:
        """The demands that are not met."""
        return tuple(result for result in self.results if not result.passed)


def attempts_needed(fit: float, base: int = 3, at_full_fit: int = 5) -> int:
    """Return ⌈3 + 5·fit/100⌉: the better the fit, the longer one tries."""
    # Rounded first: 4.0000000000001 attempts are four.
    return math.ceil(round(base + at_full_fit * fit / 100, 9))


def too_early_guard(s: Situation) -> GuardCheck:
    """Judge whether a candidate was tried long enough to be given up.

    An attempt is a push of the agency outside a meeting: what the agency sends of its own accord
    (an answer with an ask nobody requested included), whoever it is for and whatever came back.
    People are the contacts that attempts went to, angles the cited facts' different arguments.
    """
    rubric, tried = s.rubric, s.attempts
    needed = attempts_needed(
        s.snapshot.fit.value,
        rubric.guard_base_attempts,
        rubric.guard_attempts_at_full_fit,
    )
    people = {t.touch.contact_id for t in tried if t.touch.contact_id in s.contacts}
    chiefs = sum(1 for one in people if one is not None and s.contacts[one].c_level)
    angles = len(_angles(s, tried))
    lasted = s.now - tried[0].touch.occurred_at if tried else timedelta(0)
    rested = s.now - tried[-1].touch.occurred_at if tried else timedelta(0)
    days, rest = timedelta(days=rubric.guard_days), timedelta(days=rubric.guard_rest_days)
    return GuardCheck(
        (
            _at_least(GuardCriterion.ATTEMPTS, len(tried), needed),
            GuardResult(GuardCriterion.DAYS, lasted >= days, f"{lasted}, needs {days}"),
            _at_least(GuardCriterion.PEOPLE, len(people), rubric.guard_people),
            _at_least(GuardCriterion.C_LEVEL, chiefs, rubric.guard_c_level),
            _at_least(GuardCriterion.ANGLES, angles, rubric.guard_angles),
            GuardResult(GuardCriterion.REST, rested >= rest, f"{rested}, needs {rest}"),
        ),
        nurture_instead=no_touch_is_near(s),
    )


def no_touch_is_near(s: Situation) -> bool:
    """Say whether law or frequency caps forbid the next touch for more than 14 days.

    Law does when people are known and none may be reached. Without any contact nothing is
    forbidden: nobody has been looked for.
    """
    if s.contacts and not s.lawful_contacts:
        return True
    following = s.snapshot.next_touch_at
    far = timedelta(days=s.rubric.nurture_far_touch_days)
    return following is not None and following - s.now > far


def _at_least(criterion: GuardCriterion, count: int, needed: int) -> GuardResult:
    return GuardResult(criterion, count >= needed, f"{count}, needs {needed}")


def _angles(s: Situation, tried: tuple[EffectiveTouch, ...]) -> frozenset[str]:
    """Return the arguments of the facts that the attempts cited; a fact without one is its own."""
    attempts = {t.touch.id for t in tried}
    citing: tuple[Evidence, ...] = tuple(
        e for e in s.snapshot.evidence if e.touchpoint_id in attempts and e.occurred_at <= s.now
    )
    cited = {fact_id for e in citing for fact_id in e.fact_ids}
    return frozenset(
        (fact.angle or "").strip().casefold() or str(fact.id)
        for fact in s.snapshot.facts
        if fact.id in cited
    )
