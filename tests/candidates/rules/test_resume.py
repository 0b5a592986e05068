"""Resting in nurture, waking, and coming back from an exit."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest

from flatbed.app.candidates.rules.gate_criteria import GateCriterion as C
from flatbed.app.candidates.rules.pipeline import (
    Nurture,
    Refusal,
    RefusalCode,
    Request,
    Return,
    Transition,
    TransitionKind,
    Wake,
    advance,
)
from flatbed.app.candidates.rules.snapshot import CandidateSnapshot, Objection
from flatbed.app.candidates.rules.stages import STAGES, CampaignState, EvidenceKind, Stage, Status
from tests.candidates.rules.factory import (
    RUBRIC,
    SECOND,
    day,
    pushed,
    self_driven,
    touch,
    with_touches,
    without,
)

FAR = Objection(UUID(int=5), None, None, day(35))


def refused(snapshot: CandidateSnapshot, request: Request, now: datetime) -> Refusal:
    decision = advance(snapshot, RUBRIC, request, now)
    assert isinstance(decision, Refusal)
    return decision


def moved(snapshot: CandidateSnapshot, request: Request, now: datetime) -> Transition:
    decision = advance(snapshot, RUBRIC, request, now)
    assert isinstance(decision, Transition)
    return decision


class TestNurture:
    @pytest.mark.parametrize(
        ("until", "passes"),
        [
            (day(36), False),
            (day(36) + SECOND, True),
            (day(216), True),
            (day(216) + SECOND, False),
        ],
    )
    def test_the_wake_date_lies_within_180_days(self, until: datetime, passes: bool) -> None:
        """Wake date ≤ 180 days."""
        resting = self_driven(objections=(FAR,))
        decision = advance(resting, RUBRIC, Nurture(until), day(36))
        if passes:
            assert isinstance(decision, Transition)
            assert (decision.status, decision.nurture_until) == (Status.NURTURE, until)
            assert decision.to_stage is resting.stage
        else:
            assert isinstance(decision, Refusal)
            assert decision.code is RefusalCode.WAKE_DATE_OUT_OF_RANGE

    def test_a_trigger_serves_instead_of_a_date(self) -> None:
        """Wake date ≤ 180 days or a trigger."""
        resting = self_driven(objections=(FAR,))
        step = moved(resting, Nurture(trigger="new managing director"), day(36))
        assert (step.nurture_until, step.nurture_trigger) == (None, "new managing director")
        for empty in (Nurture(), Nurture(trigger=" ")):
            assert refused(resting, empty, day(36)).code is RefusalCode.WAKE_REQUIRED

    def test_the_too_early_guard_applies(self) -> None:
        """The too-early guard applies unless the next lawful touch is > 14 days away."""
        early = refused(self_driven(), Nurture(day(90)), day(36))
        assert early.code is RefusalCode.TOO_EARLY
        assert early.guard is not None
        assert early.guard.failing

    @pytest.mark.parametrize(("next_touch", "passes"), [(day(50), False), (day(50) + SECOND, True)])
    def test_a_lawful_touch_more_than_14_days_away_lifts_the_guard(
        self,
        next_touch: datetime,
        passes: bool,
    ) -> None:
        """Unless the next lawful touch is > 14 days away."""
        snapshot = self_driven(next_touch_at=next_touch)
        decision = advance(snapshot, RUBRIC, Nurture(day(90)), day(36))
        assert isinstance(decision, Transition) == passes

    def test_a_lead_may_override_the_guard_with_a_reason(self) -> None:
        """A lead may override with a reason."""
        step = moved(self_driven(), Nurture(day(90), override_reason="merger under way"), day(36))
        assert step.override_reason == "merger under way"


class TestWake:
    def test_waking_resumes_at_the_highest_stage_whose_gates_still_pass(self) -> None:
        """Waking resumes at the highest stage whose gates still pass."""
        resting = self_driven(status=Status.NURTURE)
        step = moved(resting, Wake(), day(36))
        assert (step.kind, step.to_stage) == (TransitionKind.WAKE, Stage.BUSINESS_PLANNING)
        assert step.status is Status.ACTIVE
        assert step.gate is not None
        assert step.gate.passed
        unplanned = replace(resting, plans=())
        assert moved(unplanned, Wake(), day(36)).to_stage is Stage.DECISION_IN_PRINCIPLE
        # The action of day 60 has decayed: MSI is gone, that he was engaged is not.
        assert moved(unplanned, Wake(), day(300)).to_stage is Stage.ENGAGED

    @pytest.mark.parametrize("stage", STAGES)
    def test_never_above_the_old_stage(self, stage: Stage) -> None:
        """Waking resumes at the highest stage whose gates still pass."""
        for entry in (True, False):
            resting = self_driven(stage, status=Status.NURTURE, holds_entry=entry)
            step = moved(resting, Wake(), day(60))
            assert step.to_stage.rank <= stage.rank
            assert entry or not step.to_stage.needs_entry
            assert not step.meters

    def test_where_no_stage_holds_it_stays_asleep(self) -> None:
        nothing = replace(
            pushed(Stage.PROFILED, status=Status.NURTURE),
            excluded=True,
            facts=(),
        )
        answer = refused(nothing, Wake(), day(36))
        assert answer.code is RefusalCode.GATE_FAILED
        assert answer.gate is not None
        assert answer.gate.stage is Stage.PROFILED

    def test_only_who_rests_can_wake(self) -> None:
        answer = refused(self_driven(), Wake(), day(36))
        assert answer.code is RefusalCode.CANDIDATE_NOT_IN_NURTURE

    @pytest.mark.parametrize(
        ("state", "passes"),
        [
            (CampaignState.RUNNING, True),
            (CampaignState.PAUSED, True),
            (CampaignState.FILLED, False),
            (CampaignState.CLOSED, False),
            (CampaignState.CANCELLED, False),
        ],
    )
    def test_clocks_run_in_a_pause_but_not_after_the_end(
        self,
        state: CampaignState,
        passes: bool,
    ) -> None:
        """While a campaign is paused nothing goes out, what comes in is kept, clocks run."""
        resting = self_driven(status=Status.NURTURE, campaign_state=state)
        assert isinstance(advance(resting, RUBRIC, Wake(), day(36)), Transition) == passes


def gone(at: datetime, stage: Stage = Stage.BUSINESS_PLANNING) -> CandidateSnapshot:
    touches = tuple(t for t in self_driven().touches if t.occurred_at <= day(35))
    return self_driven(stage, status=Status.EXITED, exited_at=at, touches=touches)


class TestReturn:
    def test_he_returns_when_he_comes_by_himself(self) -> None:
        """Back from `exited` when the partner comes by himself."""
        for cls in ("P2", "P3"):
            came = with_touches(gone(day(36)), touch(95, day(38), cls))
            step = moved(came, Return(), day(38))
            assert (step.kind, step.status) == (TransitionKind.RETURN, Status.ACTIVE)
            assert step.to_stage is Stage.BUSINESS_PLANNING

    @pytest.mark.parametrize("cls", ["P0", "P1", "push", "answer"])
    def test_what_is_not_his_own_initiative_brings_nobody_back(self, cls: str) -> None:
        """When the partner comes by himself."""
        snapshot = with_touches(gone(day(36)), touch(95, day(38), cls))
        answer = refused(snapshot, Return(), day(38))
        assert answer.code is RefusalCode.PARTNER_DID_NOT_RETURN

    def test_an_elicited_touch_is_not_coming_by_himself(self) -> None:
        """A touch that supplies what our previous message asked for is P1 whatever it holds."""
        asked = touch(95, day(38), "P3", elicited_by=UUID(int=1008))
        answer = refused(with_touches(gone(day(36)), asked), Return(), day(38))
        assert answer.code is RefusalCode.PARTNER_DID_NOT_RETURN

    def test_his_touch_lies_after_the_exit(self) -> None:
        """Back from `exited` when the partner comes by himself."""
        touched = touch(95, day(38), "P3")
        same = with_touches(gone(day(38)), touched)
        assert refused(same, Return(), day(39)).code is RefusalCode.PARTNER_DID_NOT_RETURN
        before = with_touches(gone(day(38) - SECOND), touched)
        assert isinstance(advance(before, RUBRIC, Return(), day(39)), Transition)
        assert refused(before, Return(), day(38) - SECOND).code is (
            RefusalCode.PARTNER_DID_NOT_RETURN
        )

    def test_to_a_stage_of_his_choice_whose_gates_pass_and_never_above(self) -> None:
        """A stage at or below the old one whose gates still pass."""
        came = with_touches(gone(day(36), Stage.EXECUTIVE_ALIGNED), touch(95, day(38), "P3"))
        assert moved(came, Return(Stage.TARGETED), day(38)).to_stage is Stage.TARGETED
        above = refused(came, Return(Stage.DECISION_IN_PRINCIPLE), day(38))
        assert above.code is RefusalCode.STAGE_NOT_NEXT
        unmet = without(came, EvidenceKind.MEETING_HELD)
        answer = refused(unmet, Return(Stage.EXECUTIVE_ALIGNED), day(38))
        assert answer.code is RefusalCode.GATE_FAILED
        assert answer.gate is not None
        assert [r.criterion for r in answer.gate.failing] == [C.EXECUTIVE_ALIGNED_MEETING]
        assert moved(unmet, Return(), day(38)).to_stage is Stage.DISCOVERING

    def test_with_the_entry_back_to_qualified_without_metering(self) -> None:
        """Leaving `qualified` by an exit keeps the entry; coming back meters nothing."""
        came = with_touches(gone(day(36), Stage.QUALIFIED), touch(95, day(38), "P3"))
        kept = replace(came, holds_entry=True)
        step = moved(kept, Return(), day(38))
        assert (step.to_stage, step.meters) == (Stage.QUALIFIED, False)
        lost = refused(came, Return(Stage.QUALIFIED), day(38))
        assert lost.code is RefusalCode.QUALIFICATION_REQUIRED
        assert moved(came, Return(), day(38)).to_stage is Stage.BUSINESS_PLANNING

    def test_only_who_left_can_return(self) -> None:
        answer = refused(self_driven(), Return(), day(36))
        assert answer.code is RefusalCode.CANDIDATE_NOT_EXITED
