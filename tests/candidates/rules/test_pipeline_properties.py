"""What holds for every candidate, however his touches fell."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from flatbed.app.candidates.rules.exits import ExitClass, ExitReason, exit_class
from flatbed.app.candidates.rules.gate_criteria import GateCriterion as C
from flatbed.app.candidates.rules.gates import check
from flatbed.app.candidates.rules.pipeline import (
    Exit,
    Move,
    Nurture,
    Request,
    Return,
    Submit,
    Transition,
    TransitionKind,
    Wake,
    advance,
)
from flatbed.app.candidates.rules.snapshot import CandidateSnapshot, Waiting
from flatbed.app.candidates.rules.stages import STAGES, CampaignState, Stage, Status
from flatbed.app.candidates.rules.touches import Provenance, Side, Touch
from tests.candidates.rules.factory import CEO, RUBRIC, SALES, day, self_driven, touch

hours = st.integers(0, 62 * 24)
moments = hours.map(lambda hour: day(0) + timedelta(hours=hour))
classes = st.sampled_from(["P0", "P1", "P2", "P3", "push", "answer"])
people = st.sampled_from([CEO, SALES, None])
channels = st.sampled_from(["email", "letter", "meeting"])


@st.composite
def touches(draw: st.DrawFn, provenance: Provenance | None = None) -> tuple[Touch, ...]:
    """Draw touches whose ids the factory's evidence points at now and then."""
    made = []
    for number in draw(st.lists(st.integers(0, 62), unique=True, max_size=16)):
        cls = draw(classes)
        side = draw(st.sampled_from([Side.AGENCY, Side.AGENCY, Side.ISV]))
        known = provenance or draw(st.sampled_from([Provenance.ATTESTED, Provenance.SYSTEM]))
        made.append(
            touch(
                number,
                day(number),
                cls,
                side=side if cls in {"push", "answer"} else Side.PARTNER,
                provenance=known,
                contact_id=draw(people),
                channel=draw(channels),
                elicited_by=draw(st.sampled_from([None, None, UUID(int=1008)])),
                unrequested_ask=draw(st.booleans()),
            ),
        )
    return tuple(made)


@st.composite
def candidates(draw: st.DrawFn) -> CandidateSnapshot:
    """Draw a candidate: half of them with the golden timeline's touches."""
    stage = draw(st.sampled_from(STAGES))
    status = draw(st.sampled_from(Status))
    base = self_driven(
        stage,
        status=status,
        exited_at=draw(moments) if status is Status.EXITED else None,
        campaign_state=draw(st.sampled_from(CampaignState)),
        continue_after_fill=draw(st.booleans()),
        holds_entry=stage.needs_entry or draw(st.booleans()),
        group_billed=draw(st.booleans()),
    )
    drawn = draw(touches())
    return replace(base, touches=base.touches if draw(st.booleans()) else drawn)


requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(Move, st.sampled_from(STAGES), st.none() | st.just("a reason")),
    st.just(Submit()),
    st.builds(Exit, st.sampled_from(ExitReason), st.none() | st.just("a reason")),
    st.builds(Nurture, st.none() | moments, st.none() | st.just("a trigger")),
    st.just(Wake()),
    st.builds(Return, st.none() | st.sampled_from(STAGES)),
)


class TestGates:
    @given(drawn=touches(Provenance.ATTESTED), now=moments)
    def test_attested_touches_alone_never_pass_the_billing_gate(
        self,
        drawn: tuple[Touch, ...],
        now: datetime,
    ) -> None:
        """Attested ones are never enough.

        The three proactive touches and the one in the hands-off window must be `system` or
        `audited`.
        """
        answer = check(Stage.QUALIFIED, self_driven(touches=drawn), RUBRIC, now)
        names = {result.criterion for result in answer.failing}
        assert {C.QUALIFIED_PROACTIVE, C.QUALIFIED_COMMITTING, C.QUALIFIED_HANDS_OFF} <= names

    @given(
        drawn=touches() | st.just(self_driven().touches),
        at=moments,
        channel=channels,
        who=people,
        now=moments,
        stage=st.sampled_from(STAGES),
    )
    def test_a_push_more_never_makes_a_failing_criterion_pass(
        self,
        drawn: tuple[Touch, ...],
        at: datetime,
        channel: str,
        who: UUID | None,
        now: datetime,
        stage: Stage,
    ) -> None:
        """Without these rules a pushed partner qualifies."""
        before = self_driven(touches=drawn)
        more = touch(99, at, "push", channel=channel, contact_id=who)
        after = replace(before, touches=(*drawn, more))
        failed = {r.criterion for r in check(stage, before, RUBRIC, now).failing}
        assert failed <= {r.criterion for r in check(stage, after, RUBRIC, now).failing}

    @given(
        drawn=touches() | st.just(self_driven().touches), start=moments, end=moments, now=moments
    )
    def test_waiting_for_the_isv_never_helps_the_hands_off_test(
        self,
        drawn: tuple[Touch, ...],
        start: datetime,
        end: datetime,
        now: datetime,
    ) -> None:
        """Not counting time in which the partner waits for the ISV."""
        before = self_driven(touches=drawn)
        after = replace(before, waiting=(Waiting(start, end),))
        failed = {r.criterion for r in check(Stage.QUALIFIED, before, RUBRIC, now).failing}
        assert failed <= {r.criterion for r in check(Stage.QUALIFIED, after, RUBRIC, now).failing}

    @given(snapshot=candidates(), now=moments, stage=st.sampled_from(STAGES), data=st.data())
    def test_the_order_of_the_rows_does_not_matter(
        self,
        snapshot: CandidateSnapshot,
        now: datetime,
        stage: Stage,
        data: st.DataObject,
    ) -> None:
        shuffled = replace(
            snapshot,
            touches=tuple(data.draw(st.permutations(snapshot.touches))),
            evidence=tuple(data.draw(st.permutations(snapshot.evidence))),
        )
        assert check(stage, shuffled, RUBRIC, now) == check(stage, snapshot, RUBRIC, now)


class TestAdvance:
    @given(snapshot=candidates(), request=requests, now=moments)
    def test_never_more_than_one_step_forward_and_metered_only_on_submission(
        self,
        snapshot: CandidateSnapshot,
        request: Request,
        now: datetime,
    ) -> None:
        """One step forward; nothing is billed twice."""
        step = advance(snapshot, RUBRIC, request, now)
        if not isinstance(step, Transition):
            return
        assert step.from_stage is snapshot.stage
        climbed = step.to_stage.rank - snapshot.stage.rank
        assert climbed == 1 if step.kind is TransitionKind.FORWARD else climbed <= 0
        assert step.meters == (isinstance(request, Submit))
        assert not (step.meters and snapshot.holds_entry)
        assert step.meters or snapshot.holds_entry or not step.to_stage.needs_entry
        if step.gate is not None:
            assert step.gate.passed
            assert step.gate.stage is step.to_stage

    @given(snapshot=candidates(), to=st.sampled_from(STAGES), now=moments)
    def test_a_dry_run_is_the_decision(
        self,
        snapshot: CandidateSnapshot,
        to: Stage,
        now: datetime,
    ) -> None:
        """Can be asked for without moving (dry run)."""
        for request in (Move(to, "a reason"), Submit()):
            step = advance(snapshot, RUBRIC, request, now)
            if step.gate is not None:
                assert step.gate == check(step.gate.stage, snapshot, RUBRIC, now)
                assert isinstance(step, Transition) == step.gate.passed

    @given(snapshot=candidates(), reason=st.sampled_from(ExitReason), now=moments)
    def test_a_protective_exit_is_always_allowed(
        self,
        snapshot: CandidateSnapshot,
        reason: ExitReason,
        now: datetime,
    ) -> None:
        """Exits protective, at once."""
        step = advance(snapshot, RUBRIC, Exit(reason), now)
        if exit_class(reason) is ExitClass.PROTECTIVE and snapshot.status is not Status.EXITED:
            assert isinstance(step, Transition)
            assert step.status is Status.EXITED
