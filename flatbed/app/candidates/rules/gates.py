"""What a candidate must show to enter a stage; a dry run and a move ask the same function."""

from datetime import datetime, timedelta
from typing import assert_never

from flatbed.app.candidates.rules.gate_criteria import (
    CriterionResult,
    GateCheck,
    GateCriterion,
    Ref,
    RefKind,
)
from flatbed.app.candidates.rules.qualified import (
    hard_passed,
    msi_reached,
    no_conflict,
    not_billed,
    qualified,
)
from flatbed.app.candidates.rules.rubric import Rubric
from flatbed.app.candidates.rules.similarity import overlap
from flatbed.app.candidates.rules.situation import Situation, evidence_refs, reaches, touch_refs
from flatbed.app.candidates.rules.snapshot import CandidateSnapshot, Evidence
from flatbed.app.candidates.rules.stages import EvidenceKind, Stage
from flatbed.app.candidates.rules.touches import PROACTIVE, EffectiveTouch, Side, TouchClass


def check(stage: Stage, snapshot: CandidateSnapshot, rubric: Rubric, now: datetime) -> GateCheck:
    """Judge every criterion of a stage's entry, wherever the candidate stands.

    Criteria that the frozen rubric does not name are left out: it was ordered without them.
    """
    results = _judge(stage, Situation(snapshot, rubric, now))
    return GateCheck(
        stage,
        rubric.version,
        tuple(result for result in results if result.criterion in rubric.criteria),
    )


def highest_holding(
    top: Stage,
    snapshot: CandidateSnapshot,
    rubric: Rubric,
    now: datetime,
) -> GateCheck | None:
    """Return the passed check of the highest stage, at most `top`, whose gate still passes."""
    checks = (check(stage, snapshot, rubric, now) for stage in top.down())
    return next((one for one in checks if one.passed), None)


def _judge(stage: Stage, s: Situation) -> tuple[CriterionResult, ...]:  # noqa: C901, PLR0911 (a table)
    match stage:
        case Stage.IDENTIFIED:
            return _identified(s)
        case Stage.PROFILED:
            return _profiled(s)
        case Stage.TARGETED:
            return _targeted(s)
        case Stage.ENGAGED:
            return _engaged(s)
        case Stage.DISCOVERING:
            return _discovering(s)
        case Stage.EXECUTIVE_ALIGNED:
            return _executive_aligned(s)
        case Stage.DECISION_IN_PRINCIPLE:
            return _decision_in_principle(s)
        case Stage.BUSINESS_PLANNING:
            return _business_planning(s)
        case Stage.QUALIFIED:
            return qualified(s)
        case Stage.CONTRACTED:
            return _contracted(s)
        case Stage.ACTIVATED:
            return _activated(s)
        case _:
            assert_never(stage)


def _identified(s: Situation) -> tuple[CriterionResult, ...]:
    snapshot = s.snapshot
    named = (
        (GateCriterion.IDENTIFIED_COMPANY, snapshot.company_name),
        (GateCriterion.IDENTIFIED_DOMAIN, snapshot.domain),
        (GateCriterion.IDENTIFIED_SOURCE, snapshot.source),
    )
    return (
        *(
            s.result(criterion, "named" if value.strip() else "missing", passed=bool(value.strip()))
            for criterion, value in named
        ),
        no_conflict(s, GateCriterion.IDENTIFIED_NO_CONFLICT),
        s.result(
            GateCriterion.IDENTIFIED_NOT_EXCLUDED,
            "excluded" if snapshot.excluded else "not excluded",
            passed=not snapshot.excluded,
        ),
        not_billed(s, GateCriterion.IDENTIFIED_NOT_BILLED),
    )


def _profiled(s: Situation) -> tuple[CriterionResult, ...]:
    failed, value = len(s.snapshot.fit.failed), s.snapshot.fit.value
    today = s.now.astimezone(s.snapshot.zone).date()
    facts = [f for f in s.snapshot.facts if f.source.strip() and f.observed_on <= today]
    return (
        s.result(GateCriterion.PROFILED_HARD, f"{failed} failed", passed=not failed),
        s.result(
            GateCriterion.PROFILED_FIT,
            f"fit {value:.4f}, needs {s.rubric.profiled_fit}",
            passed=reaches(value, s.rubric.profiled_fit),
        ),
        s.result(
            GateCriterion.PROFILED_FACTS,
            f"{len(facts)} sourced, needs {s.rubric.profiled_facts}",
            tuple(Ref(RefKind.FACT, f.id) for f in facts),
            passed=len(facts) >= s.rubric.profiled_facts,
        ),
    )


def _targeted(s: Situation) -> tuple[CriterionResult, ...]:
    today, days = s.now.astimezone(s.snapshot.zone).date(), s.rubric.targeted_trigger_days
    # A trigger that has not happened yet makes nothing acute.
    acute = [
        fact
        for fact in s.snapshot.facts
        if fact.source.strip()
        and fact.trigger_on is not None
        and 0 <= (today - fact.trigger_on).days <= days
    ]
    c_level = [c for c in s.snapshot.contacts if c.c_level]
    argued = bool(s.snapshot.core_argument.strip())
    return (
        s.result(
            GateCriterion.TARGETED_TRIGGER,
            f"{len(acute)} dated within {days} days",
            tuple(Ref(RefKind.FACT, fact.id) for fact in acute),
            passed=bool(acute),
        ),
        s.result(
            GateCriterion.TARGETED_C_LEVEL,
            f"{len(c_level)} of {len(s.contacts)} contacts",
            tuple(Ref(RefKind.CONTACT, contact.id) for contact in c_level),
            passed=bool(c_level),
        ),
        s.result(
            GateCriterion.TARGETED_CORE_ARGUMENT,
            "written" if argued else "missing",
            passed=argued,
        ),
        s.result(
            GateCriterion.TARGETED_CHANNEL,
            f"{len(s.lawful_contacts)} contacts with a right and no objection",
            tuple(Ref(RefKind.CONTACT, one) for one in sorted(s.lawful_contacts)),
            passed=bool(s.lawful_contacts),
        ),
        hard_passed(s, GateCriterion.TARGETED_HARD),
        _fit_low(s, GateCriterion.TARGETED_FIT_LOW, s.rubric.targeted_fit_low),
    )


def _fit_low(s: Situation, criterion: GateCriterion, bound: int) -> CriterionResult:
    low = s.snapshot.fit.low
    return s.result(
        criterion,
        f"lower bound {low:.4f}, needs {bound}",
        passed=reaches(low, bound),
    )


def _engaged(s: Situation) -> tuple[CriterionResult, ...]:
    delivered = [e for e in s.evidence(EvidenceKind.OUTREACH_DELIVERED) if e.confirmed_by_lead]
    replies = [
        t
        for t in s.inbound.values()
        if any(t.touch.occurred_at > outreach.occurred_at for outreach in delivered)
    ]
    first = _unprompted_first_contact(s)
    answers = [
        t
        for t in s.touches
        if first is not None
        and t.touch.side is not Side.PARTNER
        and t.cls is TouchClass.ANSWER
        and t.touch.occurred_at > first.touch.occurred_at
    ]
    opened_by_partner = (first,) if first is not None else ()
    return (
        s.result(
            GateCriterion.ENGAGED_OPENED,
            f"{len(delivered)} deliveries confirmed by a lead, "
            f"{len(opened_by_partner)} unprompted first contact",
            (*evidence_refs(delivered), *touch_refs(opened_by_partner)),
            passed=bool(delivered) or first is not None,
        ),
        s.result(
            GateCriterion.ENGAGED_ANSWERED,
            f"{len(replies)} replies of the partner, {len(answers)} answers of ours",
            touch_refs((*replies, *answers)),
            passed=bool(replies or answers),
        ),
    )


def _unprompted_first_contact(s: Situation) -> EffectiveTouch | None:
    """Return the partner's proactive touch before which nobody of ours said anything."""
    spoken = [t for t in s.touches if t.touch.side is not Side.PARTNER or t.cls in PROACTIVE]
    first = spoken[0] if spoken else None
    return first if first is not None and first.touch.side is Side.PARTNER else None


def _discovering(s: Situation) -> tuple[CriterionResult, ...]:
    bound = s.rubric.discovering_similarity
    alike = {one.id: _similarity(s, one) for one in s.interests}
    own = [one for one in s.interests if alike[one.id] < bound]
    least = f"least similarity {min(alike.values()):.4f}" if alike else "no statement"
    return (
        s.result(
            GateCriterion.DISCOVERING_INTEREST,
            f"{len(alike)} in an inbound touch",
            evidence_refs(s.interests),
            passed=bool(alike),
        ),
        s.result(
            GateCriterion.DISCOVERING_OWN_WORDS,
            f"{least}, needs below {bound}",
            evidence_refs(own),
            passed=bool(own),
        ),
        msi_reached(s, GateCriterion.DISCOVERING_MSI, s.rubric.discovering_msi),
    )


def _similarity(s: Situation, statement: Evidence) -> float:
    # What we wrote afterwards may quote the partner: only what he had read can be repeated. A
    # statement dated before the touch that carries it would escape what we wrote in between.
    carrier = s.spoken_by_partner(statement)
    made_at = max(statement.occurred_at, carrier.touch.occurred_at if carrier else s.now)
    ours = (
        t.touch.text
        for t in s.touches
        if t.touch.side is not Side.PARTNER and t.touch.occurred_at < made_at
    )
    argued = (s.snapshot.core_argument, *s.snapshot.past_arguments)
    return overlap(statement.statement or "", (*argued, *ours))


def _executive_aligned(s: Situation) -> tuple[CriterionResult, ...]:
    held = [
        meeting
        for meeting in s.evidence(EvidenceKind.MEETING_HELD)
        if any(who in s.contacts and s.contacts[who].c_level for who in meeting.partner_attendees)
    ]
    needed = s.rubric.executive_aligned_proactive
    return (
        s.result(
            GateCriterion.EXECUTIVE_ALIGNED_MEETING,
            f"{len(held)} with a partner C-level present",
            evidence_refs(held),
            passed=bool(held),
        ),
        s.result(
            GateCriterion.EXECUTIVE_ALIGNED_PROACTIVE,
            f"{len(s.proactive)}, needs {needed}",
            touch_refs(s.proactive),
            passed=len(s.proactive) >= needed,
        ),
        msi_reached(s, GateCriterion.EXECUTIVE_ALIGNED_MSI, s.rubric.executive_aligned_msi),
    )


def _decision_in_principle(s: Situation) -> tuple[CriterionResult, ...]:
    return (
        s.result(
            GateCriterion.DECISION_STATEMENT,
            f"{len(s.decisions)} written with role and date",
            evidence_refs(one for one, _, _ in s.decisions),
            passed=bool(s.decisions),
        ),
        _fit_low(s, GateCriterion.DECISION_FIT_LOW, s.rubric.decision_fit_low),
        msi_reached(s, GateCriterion.DECISION_MSI, s.rubric.decision_msi),
    )


def _business_planning(s: Situation) -> tuple[CriterionResult, ...]:
    # A name counts once, however often one version repeats it.
    written = {field.name for field in s.partner_fields(s.plan)} if s.plan else set()
    needed = s.rubric.planning_partner_fields
    return (
        s.result(
            GateCriterion.PLANNING_PARTNER_FIELDS,
            f"{len(written)} with an inbound touch as source, needs {needed}",
            (Ref(RefKind.PLAN, s.plan.id),) if s.plan else (),
            passed=len(written) >= needed,
        ),
    )


def _contracted(s: Situation) -> tuple[CriterionResult, ...]:
    signed = s.evidence(EvidenceKind.AGREEMENT)
    plans = {plan.number: plan for plan in s.snapshot.plans}
    resting = [e for e in signed if e.plan_number is not None and e.plan_number in plans]
    return (
        s.result(
            GateCriterion.CONTRACTED_AGREEMENT,
            f"{len(signed)} recorded",
            evidence_refs(signed),
            passed=bool(signed),
        ),
        s.result(
            GateCriterion.CONTRACTED_PLAN,
            f"{len(resting)} of {len(signed)} name an existing plan version",
            tuple(Ref(RefKind.PLAN, plans[e.plan_number or 0].id) for e in resting),
            passed=bool(resting),
        ),
    )


def _activated(s: Situation) -> tuple[CriterionResult, ...]:
    span = timedelta(days=s.rubric.activated_days)
    signed = [e.occurred_at for e in s.evidence(EvidenceKind.AGREEMENT)]
    actions = [
        e
        for e in s.evidence(EvidenceKind.BUSINESS_ACTION)
        if _partner_initiated(s, e) and any(at <= e.occurred_at <= at + span for at in signed)
    ]
    return (
        s.result(
            GateCriterion.ACTIVATED_BUSINESS_ACTION,
            f"{len(actions)} within {s.rubric.activated_days} days of an agreement, "
            f"needs {s.rubric.activated_actions}",
            evidence_refs(actions),
            passed=len(actions) >= s.rubric.activated_actions,
        ),
    )


def _partner_initiated(s: Situation, evidence: Evidence) -> bool:
    carrier = s.inbound.get(evidence.touchpoint_id) if evidence.touchpoint_id else None
    return carrier is not None and carrier.cls in PROACTIVE
