"""The billable birth: what makes a candidate a qualified partner."""

from datetime import timedelta

from flatbed.app.candidates.rules.gate_criteria import (
    CriterionResult,
    GateCriterion,
    Ref,
    RefKind,
)
from flatbed.app.candidates.rules.situation import Situation, evidence_refs, reaches, touch_refs
from flatbed.app.candidates.rules.snapshot import PlanName
from flatbed.app.candidates.rules.timing import ZERO, stretches
from flatbed.app.candidates.rules.touches import MEETING_CHANNEL, EffectiveTouch, Side, TouchClass

NAMED_IN_PLAN = (
    PlanName.REVENUE_TARGET,
    PlanName.RESOURCES,
    PlanName.INVESTMENT,
    PlanName.START_DATE,
)


def qualified(s: Situation) -> tuple[CriterionResult, ...]:
    """Judge every criterion of the billable definition."""
    return (
        _fit(s),
        hard_passed(s, GateCriterion.QUALIFIED_HARD),
        _decision(s),
        _plan(s),
        _revenue(s),
        msi_reached(s, GateCriterion.QUALIFIED_MSI, s.rubric.qualified_msi),
        _proactive(s),
        _committing(s),
        _hands_off(s),
        _lawful(s),
        _no_objection(s),
        _no_conflict(s),
        not_billed(s, GateCriterion.QUALIFIED_NOT_BILLED),
    )


def hard_passed(s: Situation, criterion: GateCriterion) -> CriterionResult:
    """Judge that every hard criterion of the profile is a pass: none failed, none unknown."""
    failed, unknown = len(s.snapshot.fit.failed), len(s.snapshot.fit.unknown)
    return s.result(
        criterion,
        f"{failed} failed, {unknown} unknown",
        passed=not failed and not unknown,
    )


def msi_reached(s: Situation, criterion: GateCriterion, bound: int) -> CriterionResult:
    """Judge that MSI now is at or above a bound."""
    return s.result(criterion, f"MSI {s.msi:.4f}, needs {bound}", passed=reaches(s.msi, bound))


def no_conflict(s: Situation, criterion: GateCriterion) -> CriterionResult:
    """Judge that nothing named as a conflict is open."""
    count = len(s.snapshot.open_conflicts)
    return s.result(criterion, f"{count} open", passed=not count)


def not_billed(s: Situation, criterion: GateCriterion) -> CriterionResult:
    """Judge that no other entry bills this company group in this programme."""
    billed = s.snapshot.group_billed
    return s.result(criterion, "billed before" if billed else "not billed", passed=not billed)


def _fit(s: Situation) -> CriterionResult:
    value, floor = s.snapshot.fit.value, s.rubric.fit_floor
    return s.result(
        GateCriterion.QUALIFIED_FIT,
        f"fit {value:.4f}, floor {floor}",
        passed=reaches(value, floor),
    )


def _decision(s: Situation) -> CriterionResult:
    made = [one for one, _, who in s.decisions if who is not None and who.c_level]
    return s.result(
        GateCriterion.QUALIFIED_DECISION,
        f"{len(made)} by C-level of {len(s.decisions)} written with role and date",
        evidence_refs(made),
        passed=bool(made),
    )


def _plan(s: Situation) -> CriterionResult:
    if s.plan is None:
        return s.result(GateCriterion.QUALIFIED_PLAN, "no plan", passed=False)
    named = {field.name for field in s.plan.fields if field.is_named}
    missing = [name.value for name in NAMED_IN_PLAN if name not in named]
    return s.result(
        GateCriterion.QUALIFIED_PLAN,
        f"version {s.plan.number}, missing: {', '.join(missing) or 'nothing'}",
        (Ref(RefKind.PLAN, s.plan.id),),
        passed=not missing,
    )


def _revenue(s: Situation) -> CriterionResult:
    floor = s.rubric.revenue_floor
    targets = [
        field.value
        for field in (s.plan.fields if s.plan else ())
        if field.name is PlanName.REVENUE_TARGET and isinstance(field.value, int)
    ]
    return s.result(
        GateCriterion.QUALIFIED_REVENUE,
        f"needs {floor} {s.rubric.currency} (minor units)",
        (Ref(RefKind.PLAN, s.plan.id),) if s.plan else (),
        # Two targets in one plan: the lower one is what the partner stands for.
        passed=bool(targets) and min(targets) >= floor,
    )


def _proven(s: Situation) -> tuple[EffectiveTouch, ...]:
    return tuple(t for t in s.proactive if t.is_proven)


def _proactive(s: Situation) -> CriterionResult:
    proven, needed = _proven(s), s.rubric.qualified_proactive
    return s.result(
        GateCriterion.QUALIFIED_PROACTIVE,
        f"{len(proven)} system or audited of {len(s.proactive)}, needs {needed}",
        touch_refs(proven),
        passed=len(proven) >= needed,
    )


def _committing(s: Situation) -> CriterionResult:
    committing = [t for t in _proven(s) if t.cls is TouchClass.P3]
    needed = s.rubric.qualified_committing
    return s.result(
        GateCriterion.QUALIFIED_COMMITTING,
        f"{len(committing)} system or audited, needs {needed}",
        touch_refs(committing),
        passed=len(committing) >= needed,
    )


def _hands_off(s: Situation) -> CriterionResult:
    needed = timedelta(hours=s.rubric.hands_off_hours)
    # Any later decision's stretches lie inside those of the first C-level one.
    decided = [(one, at) for one, at, who in s.decisions if who is not None and who.c_level]
    if not decided:
        return s.result(
            GateCriterion.QUALIFIED_HANDS_OFF,
            "no C-level decision to count from",
            passed=False,
        )
    evidence, decided_at = decided[0]
    # A push in a meeting weighs nothing in MSI, yet it is a push.
    pushes = [t.touch.occurred_at for t in s.touches if t.is_our_push]
    longest = ZERO
    signals: tuple[EffectiveTouch, ...] = ()
    for stretch in stretches(decided_at, pushes, s.snapshot.waiting, s.now):
        inside = tuple(t for t in _proven(s) if stretch.holds(t.touch.occurred_at))
        longest = max(longest, stretch.length)
        if stretch.length >= needed and len(inside) > len(signals):
            signals = inside
    return s.result(
        GateCriterion.QUALIFIED_HANDS_OFF,
        f"longest stretch {longest}, needs {needed}; "
        f"{len(signals)} proven signals in one long enough, needs {s.rubric.hands_off_signals}",
        (*evidence_refs((evidence,)), *touch_refs(signals)),
        passed=longest >= needed and len(signals) >= s.rubric.hands_off_signals,
    )


def _lawful(s: Situation) -> CriterionResult:
    ours = [t for t in s.touches if t.touch.side is Side.AGENCY]
    wrong = [t for t in ours if not _was_lawful(s, t)]
    return s.result(
        GateCriterion.QUALIFIED_LAWFUL,
        f"{len(wrong)} of {len(ours)} without a right or against an objection",
        touch_refs(wrong),
        passed=not wrong,
    )


def _was_lawful(s: Situation, one: EffectiveTouch) -> bool:
    contact_id, channel, at = one.touch.contact_id, one.touch.channel, one.touch.occurred_at
    if s.objected(contact_id, channel, at):
        return False
    # Both sides agree to a meeting: it needs no right of its own, but no objection either.
    return channel == MEETING_CHANNEL or s.has_right(contact_id, channel, at)


def _no_conflict(s: Situation) -> CriterionResult:
    """Judge that nothing is open, and that the ISV has not kept the company for itself since."""
    count = len(s.snapshot.open_conflicts) + s.snapshot.excluded
    return s.result(GateCriterion.QUALIFIED_NO_CONFLICT, f"{count} open", passed=not count)


def _no_objection(s: Situation) -> CriterionResult:
    standing = [o for o in s.snapshot.objections if o.stands(s.now)]
    return s.result(
        GateCriterion.QUALIFIED_NO_OBJECTION,
        f"{len(standing)} open",
        tuple(Ref(RefKind.OBJECTION, o.id) for o in standing),
        passed=not standing,
    )
