"""The one place that decides whether a candidate moves, and what is refused and why."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from flatbed.app.candidates.rules.exits import (
    ExitClass,
    ExitReason,
    GuardCheck,
    exit_class,
    too_early_guard,
)
from flatbed.app.candidates.rules.gate_criteria import GateCheck
from flatbed.app.candidates.rules.gates import check, highest_holding
from flatbed.app.candidates.rules.rubric import Rubric
from flatbed.app.candidates.rules.situation import Situation
from flatbed.app.candidates.rules.snapshot import CandidateSnapshot
from flatbed.app.candidates.rules.stages import CampaignState, Stage, Status
from flatbed.app.candidates.rules.touches import PROACTIVE


@dataclass(frozen=True, slots=True)
class Move:
    """One step forward, or back to an earlier stage with a reason."""

    to: Stage
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Submit:
    """The submission that qualifies and meters: the only first way into `qualified`."""


@dataclass(frozen=True, slots=True)
class Exit:
    """Leave the pipeline. `override_reason` lifts the guard; only a lead may give it."""

    reason: ExitReason
    override_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Nurture:
    """Rest until a wake date or a trigger; only a lead may give an `override_reason`."""

    until: datetime | None = None
    trigger: str | None = None
    override_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Wake:
    """End nurture."""


@dataclass(frozen=True, slots=True)
class Return:
    """Come back from an exit, to a stage or to the highest that still holds."""

    to: Stage | None = None


Request: TypeAlias = Move | Submit | Exit | Nurture | Wake | Return


class TransitionKind(StrEnum):
    """What a stored transition was."""

    FORWARD = "forward"
    BACKWARD = "backward"
    EXIT = "exit"
    RETURN = "return"
    NURTURE = "nurture"
    WAKE = "wake"


@dataclass(frozen=True, slots=True)
class Transition:
    """A permitted move, to be stored with its checks.

    `meters` says that a usage entry must be written with it: only a submission's move does.
    """

    kind: TransitionKind
    from_stage: Stage
    to_stage: Stage
    status: Status
    at: datetime
    rubric_version: str
    gate: GateCheck | None = None
    guard: GuardCheck | None = None
    reason: str | None = None
    exit_reason: ExitReason | None = None
    override_reason: str | None = None
    nurture_until: datetime | None = None
    nurture_trigger: str | None = None
    meters: bool = False


class RefusalCode(StrEnum):
    """Stable codes of what the pipeline refuses."""

    STAGE_NOT_NEXT = "stage-not-next"
    GATE_FAILED = "gate-failed"
    REASON_REQUIRED = "reason-required"
    CAMPAIGN_NOT_RUNNING = "campaign-not-running"
    QUALIFICATION_REQUIRED = "qualification-required"
    ENTRY_HELD = "entry-held"
    CANDIDATE_EXITED = "candidate-exited"
    CANDIDATE_IN_NURTURE = "candidate-in-nurture"
    CANDIDATE_NOT_IN_NURTURE = "candidate-not-in-nurture"
    CANDIDATE_NOT_EXITED = "candidate-not-exited"
    PARTNER_DID_NOT_RETURN = "partner-did-not-return"
    TOO_EARLY = "too-early"
    NURTURE_INSTEAD = "nurture-instead"
    WAKE_REQUIRED = "wake-required"
    WAKE_DATE_OUT_OF_RANGE = "wake-date-out-of-range"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A move that is not made; nothing changes. `gate` and `guard` name what failed."""

    code: RefusalCode
    detail: str
    gate: GateCheck | None = None
    guard: GuardCheck | None = None


Decision: TypeAlias = Transition | Refusal

_STARTED: Final = frozenset(CampaignState) - {CampaignState.DRAFT, CampaignState.ORDERED}


def advance(
    snapshot: CandidateSnapshot,
    rubric: Rubric,
    request: Request,
    now: datetime,
) -> Decision:
    """Decide a request. Pure: the same values give the same decision, a dry run included.

    While a campaign does not run, forward steps are refused (steps beyond `qualified` excepted:
    they record what partner and ISV did); backward moves, exits and nurture always stay open.
    """
    s = Situation(snapshot, rubric, now)
    match request:
        case Move(to, reason):
            return _move(s, to, reason)
        case Submit():
            return _submit(s)
        case Exit():
            return _exit(s, request)
        case Nurture():
            return _nurture(s, request)
        case Wake():
            return _wake(s)
        case Return(to):
            return _return(s, to)
        case _:
            assert_never(request)


def voided(
    snapshot: CandidateSnapshot,
    rubric: Rubric,
    reason: str,
    now: datetime,
) -> Transition | None:
    """Return the move of a candidate whose qualification was voided; None if it stands earlier.

    An exited or nurtured candidate keeps that status: only its stage falls back.
    """
    if not snapshot.stage.needs_entry:
        return None
    moved = _base(Situation(snapshot, rubric, now), TransitionKind.BACKWARD)
    return replace(moved, to_stage=Stage.BUSINESS_PLANNING, status=snapshot.status, reason=reason)


def admitted(
    snapshot: CandidateSnapshot,
    rubric: Rubric,
    now: datetime,
    *,
    opted_in: bool = False,
) -> Decision:
    """Decide whether a candidate whose gate was frozen when it met a cap is qualified now.

    As a submission, but the gate is not judged again. `opted_in`: the ISV takes it beyond what it
    ordered, so that a filled campaign is no reason against it.
    """
    if opted_in:
        snapshot = replace(snapshot, continue_after_fill=True)
    s = Situation(snapshot, rubric, now)
    if (refusal := _unsubmittable(s)) is not None:
        return refusal
    if not _may_go_on(snapshot, Stage.QUALIFIED):
        return _not_running(s)
    return replace(_base(s, TransitionKind.FORWARD), to_stage=Stage.QUALIFIED, meters=True)


def _move(s: Situation, to: Stage, reason: str | None) -> Decision:
    stage = s.snapshot.stage
    if (refusal := _inactive(s)) is not None:
        return refusal
    if to.rank < stage.rank:
        if _blank(reason):
            return Refusal(RefusalCode.REASON_REQUIRED, "a backward move names its reason")
        return replace(_base(s, TransitionKind.BACKWARD), to_stage=to, reason=reason)
    if to is not stage.following:
        return Refusal(RefusalCode.STAGE_NOT_NEXT, f"from {stage} one step leads forward")
    if to.needs_entry and not s.snapshot.holds_entry:
        return Refusal(RefusalCode.QUALIFICATION_REQUIRED, "submit a qualification instead")
    return _forward(s, to, meters=False)


def _submit(s: Situation) -> Decision:
    return _unsubmittable(s) or _forward(s, Stage.QUALIFIED, meters=True)


def _unsubmittable(s: Situation) -> Refusal | None:
    if (refusal := _inactive(s)) is not None:
        return refusal
    if s.snapshot.holds_entry:
        return Refusal(RefusalCode.ENTRY_HELD, "its entry stands: move forward, nothing is metered")
    if s.snapshot.stage.following is not Stage.QUALIFIED:
        return Refusal(RefusalCode.STAGE_NOT_NEXT, f"submit from {Stage.BUSINESS_PLANNING}")
    return None


def _forward(s: Situation, to: Stage, *, meters: bool) -> Decision:
    if not _may_go_on(s.snapshot, to):
        return _not_running(s)
    gate = check(to, s.snapshot, s.rubric, s.now)
    if not gate.passed:
        return _failed(gate)
    return replace(_base(s, TransitionKind.FORWARD), to_stage=to, gate=gate, meters=meters)


def _exit(s: Situation, request: Exit) -> Decision:
    if s.snapshot.status is Status.EXITED:
        return Refusal(RefusalCode.CANDIDATE_EXITED, "it has left already")
    moved = replace(
        _base(s, TransitionKind.EXIT),
        status=Status.EXITED,
        exit_reason=request.reason,
    )
    if exit_class(request.reason) is not ExitClass.GUARDED:
        return moved
    return _guarded(s, moved, request.override_reason)


def _guarded(s: Situation, moved: Transition, override_reason: str | None) -> Decision:
    guard = too_early_guard(s)
    if guard.passed:
        return replace(moved, guard=guard)
    if not _blank(override_reason):
        return replace(moved, guard=guard, override_reason=override_reason)
    if guard.nurture_instead:
        detail = "no lawful touch is near: nurture it"
        return Refusal(RefusalCode.NURTURE_INSTEAD, detail, guard=guard)
    return Refusal(RefusalCode.TOO_EARLY, "too little was tried", guard=guard)


def _nurture(s: Situation, request: Nurture) -> Decision:
    if (refusal := _inactive(s)) is not None:
        return refusal
    if request.until is None and _blank(request.trigger):
        return Refusal(RefusalCode.WAKE_REQUIRED, "name a wake date or a trigger")
    latest = s.now + timedelta(days=s.rubric.nurture_max_days)
    if request.until is not None and not s.now < request.until <= latest:
        detail = f"wake within {s.rubric.nurture_max_days} days"
        return Refusal(RefusalCode.WAKE_DATE_OUT_OF_RANGE, detail)
    moved = replace(
        _base(s, TransitionKind.NURTURE),
        status=Status.NURTURE,
        nurture_until=request.until,
        nurture_trigger=request.trigger,
    )
    decision = _guarded(s, moved, request.override_reason)
    if isinstance(decision, Refusal) and decision.code is RefusalCode.NURTURE_INSTEAD:
        return replace(moved, guard=decision.guard)
    return decision


def _wake(s: Situation) -> Decision:
    if s.snapshot.status is not Status.NURTURE:
        return Refusal(RefusalCode.CANDIDATE_NOT_IN_NURTURE, "only a nurtured candidate wakes")
    return _resume(s, TransitionKind.WAKE, None)


def _return(s: Situation, to: Stage | None) -> Decision:
    left = s.snapshot.exited_at
    if s.snapshot.status is not Status.EXITED or left is None:
        return Refusal(RefusalCode.CANDIDATE_NOT_EXITED, "only an exited candidate returns")
    # `inbound` holds effective classes: what we elicited is no P2 or P3 any more.
    if not any(t.cls in PROACTIVE and t.touch.occurred_at > left for t in s.inbound.values()):
        detail = "no proactive touch of the partner since the exit"
        return Refusal(RefusalCode.PARTNER_DID_NOT_RETURN, detail)
    return _resume(s, TransitionKind.RETURN, to)


def _resume(s: Situation, kind: TransitionKind, to: Stage | None) -> Decision:
    """Resume at a named stage whose gate holds, or at the highest; never above the old one."""
    snapshot = s.snapshot
    paused = snapshot.campaign_state is CampaignState.PAUSED
    if not paused and not _may_go_on(snapshot, snapshot.stage):
        return _not_running(s)
    if to is not None and to.rank > snapshot.stage.rank:
        return Refusal(RefusalCode.STAGE_NOT_NEXT, f"never above {snapshot.stage}")
    if to is not None and to.needs_entry and not snapshot.holds_entry:
        return Refusal(RefusalCode.QUALIFICATION_REQUIRED, "submit a qualification instead")
    top = snapshot.stage if to is None else to
    if top.needs_entry and not snapshot.holds_entry:
        top = Stage.BUSINESS_PLANNING
    gate = check(top, snapshot, s.rubric, s.now)
    if not gate.passed and to is None:
        gate = highest_holding(top, snapshot, s.rubric, s.now) or gate
    if not gate.passed:
        return _failed(gate)
    return replace(_base(s, kind), to_stage=gate.stage, status=Status.ACTIVE, gate=gate)


def _may_go_on(snapshot: CandidateSnapshot, to: Stage) -> bool:
    """Say whether the campaign's state lets a candidate work towards a stage."""
    state = snapshot.campaign_state
    if to in {Stage.CONTRACTED, Stage.ACTIVATED}:
        return state in _STARTED
    if state is CampaignState.FILLED:
        return snapshot.continue_after_fill and snapshot.stage.rank >= Stage.DISCOVERING.rank
    return state is CampaignState.RUNNING


def _inactive(s: Situation) -> Refusal | None:
    match s.snapshot.status:
        case Status.ACTIVE:
            return None
        case Status.NURTURE:
            return Refusal(RefusalCode.CANDIDATE_IN_NURTURE, "wake it first")
        case Status.EXITED:
            return Refusal(RefusalCode.CANDIDATE_EXITED, "it left; it returns by itself")
        case _:
            assert_never(s.snapshot.status)


def _base(s: Situation, kind: TransitionKind) -> Transition:
    stage = s.snapshot.stage
    return Transition(kind, stage, stage, Status.ACTIVE, s.now, s.rubric.version)


def _failed(gate: GateCheck) -> Refusal:
    names = ", ".join(result.criterion.value for result in gate.failing)
    return Refusal(RefusalCode.GATE_FAILED, f"failing: {names}", gate=gate)


def _not_running(s: Situation) -> Refusal:
    detail = f"the campaign is {s.snapshot.campaign_state}"
    return Refusal(RefusalCode.CAMPAIGN_NOT_RUNNING, detail)


def _blank(text: str | None) -> bool:
    return not (text or "").strip()
