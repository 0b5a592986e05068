"""Moving through the pipeline: forward, back, submitted, voided."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from flatbed.app.candidates.rules.exits import ExitReason
from flatbed.app.candidates.rules.gate_criteria import GateCriterion as C
from flatbed.app.candidates.rules.gates import check
from flatbed.app.candidates.rules.pipeline import (
    Decision,
    Exit,
    Move,
    Nurture,
    Refusal,
    RefusalCode,
    Request,
    Submit,
    Transition,
    TransitionKind,
    admitted,
    advance,
    voided,
)
from flatbed.app.candidates.rules.snapshot import CandidateSnapshot
from flatbed.app.candidates.rules.stages import STAGES, CampaignState, Stage, Status
from tests.candidates.rules.factory import (
    ENTRY_DAYS,
    RUBRIC,
    day,
    pushed,
    self_driven,
    touch,
    with_touches,
)


def decide(snapshot: CandidateSnapshot, request: Request, on: float = 36) -> Decision:
    return advance(snapshot, RUBRIC, request, day(on))


def refusal(snapshot: CandidateSnapshot, request: Request, on: float = 36) -> Refusal:
    decision = decide(snapshot, request, on)
    assert isinstance(decision, Refusal)
    return decision


def moved(snapshot: CandidateSnapshot, request: Request, on: float = 36) -> Transition:
    decision = decide(snapshot, request, on)
    assert isinstance(decision, Transition)
    return decision


class TestForward:
    def test_one_who_moves_by_himself_walks_the_whole_way(self) -> None:
        """One step forward."""
        snapshot = self_driven(Stage.IDENTIFIED)
        metered = []
        for stage in STAGES[1:]:
            request = Submit() if stage is Stage.QUALIFIED else Move(stage)
            step = moved(snapshot, request, ENTRY_DAYS[stage])
            assert step.kind is TransitionKind.FORWARD
            assert (step.from_stage, step.to_stage) == (snapshot.stage, stage)
            assert step.gate == check(stage, snapshot, RUBRIC, day(ENTRY_DAYS[stage]))
            metered += [stage] * step.meters
            snapshot = replace(snapshot, stage=stage, holds_entry=stage.needs_entry)
        assert metered == [Stage.QUALIFIED]

    def test_a_pushed_one_is_refused_with_the_failing_criteria_named(self) -> None:
        refused = refusal(pushed(), Submit())
        assert refused.code is RefusalCode.GATE_FAILED
        assert refused.gate is not None
        assert [result.criterion for result in refused.gate.failing] == [
            C.QUALIFIED_DECISION,
            C.QUALIFIED_MSI,
            C.QUALIFIED_PROACTIVE,
            C.QUALIFIED_COMMITTING,
            C.QUALIFIED_HANDS_OFF,
        ]
        assert "qualified.hands_off" in refused.detail

    @pytest.mark.parametrize("stage", STAGES)
    def test_no_step_is_skipped_and_none_repeated(self, stage: Stage) -> None:
        """One step forward."""
        snapshot = self_driven(stage, holds_entry=True)
        for to in STAGES[stage.rank :]:
            if to is not stage.following:
                assert refusal(snapshot, Move(to), 60).code is RefusalCode.STAGE_NOT_NEXT

    @pytest.mark.parametrize(("stage", "to"), list(pairwise(STAGES)))
    def test_a_dry_run_is_the_decision(self, stage: Stage, to: Stage) -> None:
        """A gate check can be asked for without moving (dry run), is stored with the transition."""
        for snapshot in (self_driven(stage, holds_entry=True), pushed(stage, holds_entry=True)):
            for on in (0, 20, 36, 60, 400):
                dry = check(to, snapshot, RUBRIC, day(on))
                decision = decide(snapshot, Move(to), on)
                assert isinstance(decision, Transition) == dry.passed
                assert decision.gate == dry

    def test_nothing_leads_beyond_activated(self) -> None:
        last = self_driven(Stage.ACTIVATED, holds_entry=True)
        assert Stage.ACTIVATED.following is None
        assert refusal(last, Submit()).code is RefusalCode.ENTRY_HELD


class TestSubmission:
    def test_no_plain_move_enters_qualified(self) -> None:
        """Every qualified partner is metered: `qualified` is entered by a submission."""
        snapshot = self_driven()
        assert refusal(snapshot, Move(Stage.QUALIFIED)).code is RefusalCode.QUALIFICATION_REQUIRED
        assert moved(snapshot, Submit()).meters

    @pytest.mark.parametrize("stage", [s for s in STAGES if s is not Stage.BUSINESS_PLANNING])
    def test_a_submission_starts_from_business_planning(self, stage: Stage) -> None:
        """One step forward."""
        assert refusal(self_driven(stage), Submit()).code is RefusalCode.STAGE_NOT_NEXT

    def test_coming_back_with_the_entry_meters_nothing(self) -> None:
        """Leaving `qualified` by a backward move keeps the entry; coming back meters nothing."""
        snapshot = self_driven(Stage.QUALIFIED, holds_entry=True)
        back = moved(snapshot, Move(Stage.BUSINESS_PLANNING, "the plan is reworked"))
        assert not back.meters
        returned = replace(snapshot, stage=back.to_stage)
        assert refusal(returned, Submit()).code is RefusalCode.ENTRY_HELD
        again = moved(returned, Move(Stage.QUALIFIED))
        assert (again.to_stage, again.meters) == (Stage.QUALIFIED, False)
        assert again.gate is not None
        assert again.gate.passed

    def test_coming_back_still_passes_the_gate(self) -> None:
        returned = pushed(holds_entry=True)
        assert refusal(returned, Move(Stage.QUALIFIED)).code is RefusalCode.GATE_FAILED

    def test_without_an_entry_nobody_is_contracted(self) -> None:
        lost = self_driven(Stage.QUALIFIED)
        refused = refusal(lost, Move(Stage.CONTRACTED), 40)
        assert refused.code is RefusalCode.QUALIFICATION_REQUIRED


class TestBackward:
    @pytest.mark.parametrize("stage", STAGES[1:])
    def test_any_earlier_stage_with_a_reason(self, stage: Stage) -> None:
        """Backward to any earlier stage with a reason (history stays, nothing is billed twice)."""
        for state in CampaignState:
            snapshot = pushed(stage, campaign_state=state)
            for to in STAGES[: stage.rank]:
                step = moved(snapshot, Move(to, "the sponsor left"))
                assert (step.kind, step.to_stage) == (TransitionKind.BACKWARD, to)
                assert (step.reason, step.meters) == ("the sponsor left", False)

    @pytest.mark.parametrize("reason", [None, "", " \n"])
    def test_never_without_a_reason(self, reason: str | None) -> None:
        """Backward to any earlier stage with a reason."""
        refused = refusal(self_driven(), Move(Stage.TARGETED, reason))
        assert refused.code is RefusalCode.REASON_REQUIRED


class TestVoided:
    @pytest.mark.parametrize("status", Status)
    @pytest.mark.parametrize("stage", [Stage.QUALIFIED, Stage.CONTRACTED, Stage.ACTIVATED])
    def test_a_voided_candidate_returns_to_business_planning(
        self,
        stage: Stage,
        status: Status,
    ) -> None:
        """A voided qualification returns the candidate to `business_planning`."""
        snapshot = self_driven(stage, status=status, holds_entry=True)
        step = voided(snapshot, RUBRIC, "dispute decided", day(50))
        assert step is not None
        assert (step.to_stage, step.status) == (Stage.BUSINESS_PLANNING, status)
        assert (step.reason, step.meters) == ("dispute decided", False)

    @pytest.mark.parametrize("stage", [s for s in STAGES if not s.needs_entry])
    def test_one_who_already_stands_earlier_stays_there(self, stage: Stage) -> None:
        snapshot = self_driven(stage, holds_entry=True)
        assert voided(snapshot, RUBRIC, "dispute decided", day(50)) is None

    def test_he_may_be_qualified_anew(self) -> None:
        """A voided candidate returns and may be qualified anew (next generation)."""
        assert moved(self_driven(holds_entry=False), Submit()).meters


class TestAdmitted:
    def test_gates_that_were_frozen_are_not_judged_again(self) -> None:
        """Its candidate stays in `business_planning` with gates frozen for 30 days."""
        snapshot = pushed()
        assert refusal(snapshot, Submit()).code is RefusalCode.GATE_FAILED
        step = admitted(snapshot, RUBRIC, day(50))
        assert isinstance(step, Transition)
        assert (step.kind, step.to_stage, step.meters) == (
            TransitionKind.FORWARD,
            Stage.QUALIFIED,
            True,
        )
        assert (step.gate, step.at) == (None, day(50))

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"status": Status.NURTURE}, RefusalCode.CANDIDATE_IN_NURTURE),
            ({"status": Status.EXITED}, RefusalCode.CANDIDATE_EXITED),
            ({"stage": Stage.DISCOVERING}, RefusalCode.STAGE_NOT_NEXT),
            ({"holds_entry": True}, RefusalCode.ENTRY_HELD),
            ({"campaign_state": CampaignState.PAUSED}, RefusalCode.CAMPAIGN_NOT_RUNNING),
            ({"campaign_state": CampaignState.FILLED}, RefusalCode.CAMPAIGN_NOT_RUNNING),
        ],
    )
    def test_all_that_a_submission_asks_beside_them_is_asked(
        self, changes: dict[str, Any], code: RefusalCode
    ) -> None:
        decision = admitted(replace(self_driven(), **changes), RUBRIC, day(50))
        assert isinstance(decision, Refusal)
        assert decision.code is code

    @pytest.mark.parametrize("state", CampaignState)
    def test_the_isvs_opt_in_lifts_what_was_ordered_and_nothing_else(
        self, state: CampaignState
    ) -> None:
        snapshot = replace(self_driven(), campaign_state=state)
        decision = admitted(snapshot, RUBRIC, day(50), opted_in=True)
        may = state in {CampaignState.RUNNING, CampaignState.FILLED}
        assert isinstance(decision, Transition) is may


class TestCampaignState:
    @pytest.mark.parametrize("state", [s for s in CampaignState if s is not CampaignState.RUNNING])
    @pytest.mark.parametrize("stage", STAGES[: Stage.BUSINESS_PLANNING.rank])
    def test_forward_steps_wait_while_the_campaign_does_not_run(
        self,
        stage: Stage,
        state: CampaignState,
    ) -> None:
        """While a campaign is paused nothing goes out, what comes in is kept, clocks run."""
        following = stage.following
        assert following is not None
        snapshot = self_driven(stage, campaign_state=state)
        refused = refusal(snapshot, Move(following), ENTRY_DAYS[following])
        assert refused.code is RefusalCode.CAMPAIGN_NOT_RUNNING
        assert str(state) in refused.detail

    def test_a_pause_stops_submissions_and_keeps_what_comes_in(self) -> None:
        """What comes in is kept, clocks run."""
        paused = self_driven(campaign_state=CampaignState.PAUSED)
        assert refusal(paused, Submit()).code is RefusalCode.CAMPAIGN_NOT_RUNNING
        assert check(Stage.QUALIFIED, paused, RUBRIC, day(36)).passed

    def test_leaving_and_resting_stay_open_in_a_pause(self) -> None:
        """Backward moves, exits and nurture are always open."""
        paused = self_driven(campaign_state=CampaignState.PAUSED)
        for request in (
            Move(Stage.ENGAGED, "the sponsor left"),
            Exit(ExitReason.OBJECTION),
            Nurture(day(90), override_reason="his fiscal year ends"),
        ):
            assert isinstance(decide(paused, request), Transition)

    @pytest.mark.parametrize("stage", STAGES[: Stage.BUSINESS_PLANNING.rank])
    @pytest.mark.parametrize("opted_in", [True, False])
    def test_a_filled_campaign_goes_on_from_discovering_if_the_isv_opts_in(
        self,
        stage: Stage,
        opted_in: bool,
    ) -> None:
        """Candidates from `discovering` on go on with the ISV's opt-in."""
        following = stage.following
        assert following is not None
        snapshot = self_driven(
            stage,
            campaign_state=CampaignState.FILLED,
            continue_after_fill=opted_in,
        )
        decision = decide(snapshot, Move(following), ENTRY_DAYS[following])
        goes_on = opted_in and stage.rank >= Stage.DISCOVERING.rank
        assert isinstance(decision, Transition) == goes_on

    @pytest.mark.parametrize("state", CampaignState)
    def test_what_partner_and_isv_do_after_qualified_is_recorded_once_started(
        self,
        state: CampaignState,
    ) -> None:
        """The last accepted unit fills the campaign: its contract must still be recordable."""
        snapshot = self_driven(Stage.QUALIFIED, campaign_state=state, holds_entry=True)
        decision = decide(snapshot, Move(Stage.CONTRACTED), 40)
        started = state not in {CampaignState.DRAFT, CampaignState.ORDERED}
        assert isinstance(decision, Transition) == started


class TestInactive:
    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (Status.EXITED, RefusalCode.CANDIDATE_EXITED),
            (Status.NURTURE, RefusalCode.CANDIDATE_IN_NURTURE),
        ],
    )
    def test_who_left_or_rests_does_not_move(self, status: Status, code: RefusalCode) -> None:
        """`nurture` is a status beside the stage."""
        snapshot = self_driven(status=status, exited_at=day(30))
        requests: tuple[Request, ...] = (
            Move(Stage.ENGAGED, "the sponsor left"),
            Submit(),
            Nurture(day(90)),
        )
        for request in requests:
            assert refusal(snapshot, request).code is code

    def test_a_push_more_opens_nothing(self) -> None:
        """Without it a pushed partner qualifies."""
        snapshot = with_touches(pushed(), touch(95, day(35.5), "push"))
        assert refusal(snapshot, Submit()).code is RefusalCode.GATE_FAILED
