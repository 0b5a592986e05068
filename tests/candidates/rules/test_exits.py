"""Leaving: at once, guarded, or for other reasons."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from flatbed.app.candidates.rules.exits import (
    ExitClass,
    ExitReason,
    GuardCriterion,
    attempts_needed,
    exit_class,
    too_early_guard,
)
from flatbed.app.candidates.rules.pipeline import (
    Exit,
    Nurture,
    Refusal,
    RefusalCode,
    Transition,
    advance,
)
from flatbed.app.candidates.rules.situation import Situation
from flatbed.app.candidates.rules.snapshot import CandidateSnapshot, Fact, Objection
from flatbed.app.candidates.rules.stages import STAGES, CampaignState, EvidenceKind, Stage, Status
from tests.candidates.rules.factory import (
    CEO,
    RUBRIC,
    SALES,
    SECOND,
    day,
    evidence,
    make_fit,
    self_driven,
    touch,
)

FORMULAS = json.loads(
    (Path(__file__).parents[2] / "golden" / "formulas.json").read_text(encoding="utf-8"),
)
PROTECTIVE = {
    "objection",
    "unlawful",
    "hard_fail",
    "exclusive_with_competitor",
    "conflict",
    "insolvency",
    "duplicate",
    "excluded_by_isv",
    "out_of_business",
}
GUARDED = {"no_response", "not_now", "not_interested", "stalled"}
OTHER = {"partner_declined_final", "wrong_fit_discovered", "campaign_closed", "hunter_no_go"}
# Fit 60 asks for six attempts; 28 days after the first, 7 after the last.
DAYS = (1, 5, 10, 15, 20, 22)
ENOUGH = day(29)


def tried(
    days: Sequence[float] = DAYS,
    people: Sequence[UUID] = (CEO, SALES),
    angles: Sequence[str | None] = ("margin", "staff"),
    **changes: Any,
) -> CandidateSnapshot:
    """Return a silent candidate with one push on each day, to people and with angles in turn."""
    pushes = [
        touch(n, day(at), "push", contact_id=people[n % len(people)]) for n, at in enumerate(days)
    ]
    facts = [
        Fact(UUID(int=4100 + n), "register", date(2026, 2, 1), angle=angle)
        for n, angle in enumerate(angles)
    ]
    cited = [
        evidence(
            100 + n,
            EvidenceKind.OUTREACH_DELIVERED,
            push.occurred_at,
            touchpoint_id=push.id,
            fact_ids=frozenset({facts[n % len(facts)].id}) if facts else frozenset(),
        )
        for n, push in enumerate(pushes)
    ]
    made = self_driven(
        Stage.TARGETED,
        fit=make_fit(60.0),
        touches=tuple(pushes),
        facts=tuple(facts),
        evidence=tuple(cited),
    )
    return replace(made, **changes)


def missing(snapshot: CandidateSnapshot, now: datetime = ENOUGH) -> list[GuardCriterion]:
    guard = too_early_guard(Situation(snapshot, RUBRIC, now))
    return [result.criterion for result in guard.failing]


def leave(
    snapshot: CandidateSnapshot,
    reason: ExitReason = ExitReason.NO_RESPONSE,
    now: datetime = ENOUGH,
    override: str | None = None,
) -> Transition | Refusal:
    return advance(snapshot, RUBRIC, Exit(reason, override), now)


class TestReasons:
    def test_every_reason_has_its_class(self) -> None:
        """Exits protective, at once …; guarded …; other … ."""
        found = {kind: {r.value for r in ExitReason if exit_class(r) is kind} for kind in ExitClass}
        assert found == {
            ExitClass.PROTECTIVE: PROTECTIVE,
            ExitClass.GUARDED: GUARDED,
            ExitClass.OTHER: OTHER,
        }

    @pytest.mark.parametrize("reason", sorted(PROTECTIVE | OTHER))
    @pytest.mark.parametrize("stage", STAGES)
    def test_protective_and_other_exits_need_no_trying(self, reason: str, stage: Stage) -> None:
        """Exits protective, at once; `exited` from any."""
        for status in (Status.ACTIVE, Status.NURTURE):
            for state in CampaignState:
                snapshot = self_driven(stage, status=status, campaign_state=state, touches=())
                moved = leave(snapshot, ExitReason(reason), day(0))
                assert isinstance(moved, Transition)
                assert (moved.status, moved.to_stage) == (Status.EXITED, stage)
                assert moved.exit_reason == reason
                assert not moved.meters

    def test_nobody_leaves_twice(self) -> None:
        gone = self_driven(status=Status.EXITED, exited_at=day(30))
        refused = leave(gone, ExitReason.OBJECTION)
        assert isinstance(refused, Refusal)
        assert refused.code is RefusalCode.CANDIDATE_EXITED


class TestTooEarlyGuard:
    @pytest.mark.parametrize("row", FORMULAS["minimum_attempts"], ids=lambda row: str(row["fit"]))
    def test_the_better_the_fit_the_longer_one_tries(self, row: dict[str, int]) -> None:
        """A guarded exit needs ≥ ⌈3+5·fit/100⌉ attempts."""
        assert attempts_needed(row["fit"]) == row["attempts"]

    @pytest.mark.parametrize(
        ("fit", "attempts"),
        [(0, 3), (0.001, 4), (20, 4), (20.001, 5), (60, 6), (60.000000000001, 6), (100, 8)],
    )
    def test_attempts_are_rounded_up_at_their_bounds(self, fit: float, attempts: int) -> None:
        """⌈3+5·fit/100⌉."""
        assert attempts_needed(fit) == attempts

    def test_one_who_was_tried_long_enough_may_be_given_up(self) -> None:
        """A guarded exit needs attempts, days, people, angles and rest."""
        assert missing(tried()) == []
        for reason in GUARDED:
            moved = leave(tried(), ExitReason(reason))
            assert isinstance(moved, Transition)
            assert moved.guard is not None
            assert moved.guard.passed

    @pytest.mark.parametrize("reason", sorted(GUARDED))
    def test_giving_up_too_early_is_refused_with_what_is_missing(self, reason: str) -> None:
        """Giving up too early: one of the three lazy compromises. Guarded: `no_response`."""
        refused = leave(tried(days=()), ExitReason(reason))
        assert isinstance(refused, Refusal)
        assert refused.code is RefusalCode.TOO_EARLY
        assert refused.guard is not None
        assert {result.criterion for result in refused.guard.failing} == set(GuardCriterion)

    def test_five_attempts_at_fit_60_are_one_too_few(self) -> None:
        """≥ ⌈3+5·fit/100⌉ attempts."""
        assert missing(tried(DAYS[:-1])) == [GuardCriterion.ATTEMPTS]

    def test_28_days_count_from_the_first_attempt(self) -> None:
        """≥ 28 days."""
        assert missing(tried(), day(29) - SECOND) == [
            GuardCriterion.DAYS,
            GuardCriterion.REST,
        ]
        rested = tried((1, 5, 10, 15, 20, 21))
        assert missing(rested, day(29) - SECOND) == [GuardCriterion.DAYS]
        assert missing(rested, day(29)) == []

    def test_the_last_attempt_rests_seven_days(self) -> None:
        """The last ≥ 7 days ago."""
        late = tried((1, 5, 10, 15, 20, 25))
        assert missing(late, day(32) - SECOND) == [GuardCriterion.REST]
        assert missing(late, day(32)) == []

    def test_two_people_were_tried(self) -> None:
        """≥ 2 people (one C-level)."""
        assert missing(tried(people=(CEO,))) == [GuardCriterion.PEOPLE]
        assert missing(tried(people=(CEO, UUID(int=77)))) == [GuardCriterion.PEOPLE]

    def test_one_of_them_is_c_level(self) -> None:
        """≥ 2 people (one C-level)."""
        people = tuple(replace(contact, c_level=False) for contact in self_driven().contacts)
        assert missing(tried(contacts=people)) == [GuardCriterion.C_LEVEL]

    @pytest.mark.parametrize(
        ("angles", "passes"),
        [
            (("margin", "staff"), True),
            ((None, None), True),
            (("margin", None), True),
            (("margin", " Margin "), False),
            (("margin",), False),
            ((), False),
        ],
    )
    def test_two_angles_are_different_cited_facts(
        self,
        angles: Sequence[str | None],
        passes: bool,
    ) -> None:
        """≥ 2 angles (different cited facts)."""
        assert missing(tried(angles=angles)) == ([] if passes else [GuardCriterion.ANGLES])

    def test_a_fact_cited_in_no_attempt_is_no_angle(self) -> None:
        """≥ 2 angles (different cited facts)."""
        assert missing(tried(evidence=())) == [GuardCriterion.ANGLES]

    def test_only_pushes_of_the_agency_outside_meetings_are_attempts(self) -> None:
        """An attempt is what the agency sends of its own accord."""
        base = tried()
        kinds: list[dict[str, Any]] = [
            {"proposed": "answer"},
            {"side": "isv"},
            {"channel": "meeting"},
        ]
        for change in kinds:
            typed = {
                name: type(getattr(base.touches[5], name))(value) for name, value in change.items()
            }
            bent = (*base.touches[:5], replace(base.touches[5], **typed))
            assert missing(replace(base, touches=bent)) == [GuardCriterion.ATTEMPTS]

    def test_a_lead_may_override_with_a_reason(self) -> None:
        """A lead may override with a reason."""
        moved = leave(tried(days=()), override="the founder died")
        assert isinstance(moved, Transition)
        assert moved.override_reason == "the founder died"
        assert moved.guard is not None
        assert not moved.guard.passed
        assert isinstance(leave(tried(days=()), override=" "), Refusal)


class TestNurtureInstead:
    def test_where_law_forbids_more_nurture_is_proposed(self) -> None:
        """Where lawful or frequency caps forbid more, `nurture`."""
        objected = tried(DAYS[:2], objections=(Objection(UUID(int=5), None, None, day(6)),))
        for snapshot in (objected, tried(DAYS[:2], rights=())):
            refused = leave(snapshot)
            assert isinstance(refused, Refusal)
            assert refused.code is RefusalCode.NURTURE_INSTEAD
            rested = advance(snapshot, RUBRIC, Nurture(day(100)), ENOUGH)
            assert isinstance(rested, Transition)

    @pytest.mark.parametrize(
        ("next_touch", "code"),
        [
            (day(43) + SECOND, RefusalCode.NURTURE_INSTEAD),
            (day(43), RefusalCode.TOO_EARLY),
            (None, RefusalCode.TOO_EARLY),
        ],
    )
    def test_where_frequency_caps_forbid_more_nurture_is_proposed(
        self,
        next_touch: datetime | None,
        code: RefusalCode,
    ) -> None:
        """Where lawful or frequency caps forbid more, `nurture`."""
        refused = leave(tried(DAYS[:2], next_touch_at=next_touch))
        assert isinstance(refused, Refusal)
        assert refused.code is code

    def test_who_was_never_looked_for_is_not_forbidden(self) -> None:
        refused = leave(tried((), contacts=(), rights=()))
        assert isinstance(refused, Refusal)
        assert refused.code is RefusalCode.TOO_EARLY
