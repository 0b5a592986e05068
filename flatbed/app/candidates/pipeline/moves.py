"""The one code path by which a decided move changes a candidate."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from flatbed.app.candidates.models import Candidate
from flatbed.app.candidates.models import Transition as TransitionRow
from flatbed.app.candidates.pipeline import cards, criteria
from flatbed.app.candidates.pipeline.cases import Case
from flatbed.app.candidates.reservations.service import EndReason, withdraw
from flatbed.app.candidates.rules.pipeline import Transition, TransitionKind
from flatbed.app.candidates.rules.stages import Stage, Status
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.deadlines import cancel, schedule
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode, uuid7

NURTURE_WAKE: Final = "nurture_wake"
"""The kind of the deadline that ends nurture; its subject is the candidate."""
ACTIONS: Final[Mapping[TransitionKind, str]] = MappingProxyType(
    {
        TransitionKind.FORWARD: "candidate.stage_changed",
        TransitionKind.BACKWARD: "candidate.stage_changed",
        TransitionKind.EXIT: "candidate.exited",
        TransitionKind.RETURN: "candidate.returned",
        TransitionKind.NURTURE: "candidate.nurtured",
        TransitionKind.WAKE: "candidate.woken",
    }
)
"""The name of each move in the audit and in the events."""
ENDS: Final[Mapping[TransitionKind, EndReason]] = MappingProxyType(
    {
        TransitionKind.BACKWARD: EndReason.MOVED_BACK,
        TransitionKind.EXIT: EndReason.EXITED,
        TransitionKind.NURTURE: EndReason.NURTURED,
    }
)
"""The moves that end a reservation over a cap."""


async def move(
    session: TenantSession,
    case: Case,
    decided: Transition,
    judged: list[dict[str, Any]] | None = None,
) -> TransitionRow:
    """Carry out a move that the rules permitted, under the candidate's lock.

    Writes stage, status, the transition with its criteria, audit and event, the nurture deadline
    and the card. A move that meters, or whose entry was reversed, finds ``entry_id`` set by its
    caller before. ``judged`` are criteria that were frozen earlier, in their stored form.
    """
    candidate = case.candidate
    if decided.to_stage.value != candidate.stage:
        candidate.stage = decided.to_stage.value
        candidate.stage_entered_at = decided.at
    candidate.status = decided.status.value
    _note_exit(candidate, decided)
    await _note_nurture(session, candidate, decided)
    candidate.updated_at = max(candidate.updated_at, session.now())
    row = _row(session, candidate, decided, judged)
    session.add(row)
    mutation(session, ACTIONS[decided.kind], "cand", candidate.id, _detail(row, decided))
    await session.flush()
    failpoint(Failpoint.TRANSITION_WRITTEN)
    if decided.from_stage is Stage.BUSINESS_PLANNING and decided.kind in ENDS:
        await withdraw(session, candidate, ENDS[decided.kind])
    await cards.refresh(
        session, candidate, campaign_name=case.campaign.name, company_name=case.company.name
    )
    return row


def _note_exit(candidate: Candidate, decided: Transition) -> None:
    if decided.kind is TransitionKind.EXIT and decided.exit_reason is not None:
        candidate.exit_reason = decided.exit_reason.value
        candidate.exited_at = decided.at
    elif decided.status is not Status.EXITED:
        candidate.exit_reason = None
        candidate.exited_at = None


async def _note_nurture(session: TenantSession, candidate: Candidate, decided: Transition) -> None:
    if decided.kind is TransitionKind.NURTURE:
        candidate.nurture_until = decided.nurture_until
        candidate.nurture_trigger = decided.nurture_trigger
        if decided.nurture_until is not None:
            await schedule(
                session,
                candidate_id=candidate.id,
                kind=NURTURE_WAKE,
                subject_id=candidate.id,
                due_at=decided.nurture_until,
            )
    elif decided.status is not Status.NURTURE:
        if candidate.nurture_until is not None:
            await cancel(
                session, candidate_id=candidate.id, kind=NURTURE_WAKE, subject_id=candidate.id
            )
        candidate.nurture_until = None
        candidate.nurture_trigger = None


def _row(
    session: TenantSession,
    candidate: Candidate,
    decided: Transition,
    judged: list[dict[str, Any]] | None,
) -> TransitionRow:
    if judged is None:
        judged = _judged(decided)
    reason = decided.reason if decided.exit_reason is None else decided.exit_reason.value
    return TransitionRow(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        from_stage=decided.from_stage.value,
        to_stage=decided.to_stage.value,
        kind=decided.kind.value,
        reason=reason,
        override_reason=decided.override_reason,
        criteria=judged,
        rubric_version=decided.rubric_version,
        actor=session.caller.actor,
        at=decided.at,
    )


def _judged(decided: Transition) -> list[dict[str, Any]]:
    if decided.gate is not None:
        return criteria.of_gate(decided.gate)
    if decided.guard is not None:
        return criteria.of_guard(decided.guard, decided.rubric_version)
    return []


def _detail(row: TransitionRow, decided: Transition) -> dict[str, Any]:
    """Ids, states and codes; a reason in words stays in the transition."""
    detail: dict[str, Any] = {
        "transition_id": encode("tran", row.id),
        "kind": decided.kind.value,
        "from": decided.from_stage.value,
        "to": decided.to_stage.value,
        "status": decided.status.value,
    }
    if decided.exit_reason is not None:
        detail["exit_reason"] = decided.exit_reason.value
    if decided.override_reason is not None:
        detail["overridden"] = True
    if decided.nurture_until is not None:
        detail["until"] = decided.nurture_until.isoformat()
    return detail
