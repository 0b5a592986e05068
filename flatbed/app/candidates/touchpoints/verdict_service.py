"""Rules of verdicts: anybody lowers, an uninvolved lead replaces, nothing is overwritten."""

from uuid import UUID

from flatbed.app.candidates.models import Candidate, Touchpoint, TouchpointVerdict
from flatbed.app.candidates.records import service as records
from flatbed.app.candidates.records.errors import AuditorInvolvedError
from flatbed.app.candidates.rules.touches import Side, TouchClass, classes_of, is_lower
from flatbed.app.candidates.touchpoints import repository
from flatbed.app.candidates.touchpoints.errors import ClassNotLowerError
from flatbed.app.candidates.touchpoints.ports import LatePushes
from flatbed.app.candidates.touchpoints.reading import eliciting, is_agency_push, judged, read
from flatbed.app.candidates.touchpoints.schemas import AuditCreate, LoweringCreate, TouchpointRead
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import InvalidError, NotFoundError


async def lower(
    session: TenantSession,
    principal: Principal,
    candidate_id: UUID,
    touchpoint_id: UUID,
    body: LoweringCreate,
    late: LatePushes,
) -> TouchpointRead:
    """Append a word that lowers the class, or names what elicited the touch.

    Raises:
        NotFoundError: no such candidate for this caller, or no such touch of his.
        InvalidError: the class is of the other side, or the eliciting touch is none of ours.
        ReferenceNotFoundError: the eliciting touch is not one of this candidate.
        ClassNotLowerError: the touch would count as much as before, or more.
    """
    candidate = await records.candidate_to_write(session, candidate_id)
    touch = await repository.find(session, candidate.id, touchpoint_id)
    if touch is None:
        raise NotFoundError
    existing = await repository.verdicts(session, candidate.id, [touch.id])
    left = judged(touch, existing)
    if body.class_ is not None:
        _check_side(touch, body.class_)
    await eliciting(session, candidate, body.elicited_by, touch)
    elicits = body.elicited_by is not None and not left.elicited
    lowers = body.class_ is not None and is_lower(body.class_, left.cls)
    keeps = body.class_ is None or body.class_ is left.cls
    if not lowers and not (elicits and keeps):
        raise ClassNotLowerError
    verdict = TouchpointVerdict(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        touchpoint_id=touch.id,
        kind="lowering",
        class_=(body.class_ or left.cls).value,
        elicited_by=body.elicited_by,
        source_seen=None,
        reason=body.reason,
        actor=session.caller.actor,
        at=session.now(),
    )
    return await _append(session, candidate, touch, verdict, late, principal)


async def audit(
    session: TenantSession,
    principal: Principal,
    touchpoint_id: UUID,
    body: AuditCreate,
    late: LatePushes,
) -> TouchpointRead:
    """Append a lead's verdict, which replaces class and elicitation and makes it `audited`.

    Raises:
        NotFoundError: no such touch for this caller.
        AuditorInvolvedError: the lead works the candidate, or recorded the touch or the message
            of ours that it responds to.
        InvalidError: the class is of the other side, or the eliciting touch is none of ours.
        ReferenceNotFoundError: the eliciting touch is not one of this candidate.
    """
    candidate_id = await repository.candidate_of(session, touchpoint_id)
    if candidate_id is None:
        raise NotFoundError
    candidate = await records.candidate_to_write(session, candidate_id)
    touch = await repository.find(session, candidate.id, touchpoint_id)
    if touch is None:
        raise NotFoundError
    await _check_uninvolved(session, principal, candidate, touch)
    _check_side(touch, body.class_)
    source = await eliciting(session, candidate, body.elicited_by, touch)
    if source is not None and source.recorded_by == principal.actor:
        raise AuditorInvolvedError
    verdict = TouchpointVerdict(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        touchpoint_id=touch.id,
        kind="audit",
        class_=body.class_.value,
        elicited_by=body.elicited_by,
        source_seen=body.source_seen,
        reason=body.reason,
        actor=session.caller.actor,
        at=session.now(),
    )
    return await _append(session, candidate, touch, verdict, late, principal)


async def _check_uninvolved(
    session: TenantSession, principal: Principal, candidate: Candidate, touch: Touchpoint
) -> None:
    if principal.staff_id is None or principal.staff_id == candidate.hunter_id:
        raise AuditorInvolvedError
    recorders = {touch.recorded_by}
    for one in {touch.elicited_by, touch.in_reply_to} - {None}:
        found = None if one is None else await repository.find(session, candidate.id, one)
        if found is not None:
            recorders.add(found.recorded_by)
    if principal.actor in recorders:
        raise AuditorInvolvedError


def _check_side(touch: Touchpoint, wanted: TouchClass) -> None:
    if wanted not in classes_of(Side(touch.side)):
        raise InvalidError.at("/class", "class-of-other-side", "It is a class of the other side.")


async def _append(
    session: TenantSession,
    candidate: Candidate,
    touch: Touchpoint,
    verdict: TouchpointVerdict,
    late: LatePushes,
    principal: Principal,
) -> TouchpointRead:
    before = await repository.verdicts(session, candidate.id, [touch.id])
    session.add(verdict)
    await session.flush()
    after = [*before, verdict]
    detail = {
        "candidate_id": encode("cand", candidate.id),
        "verdict_id": encode("verd", verdict.id),
        "class": verdict.class_,
        "effective_class": judged(touch, after).cls.value,
        "elicited": judged(touch, after).elicited,
    }
    action = "touchpoint.audited" if verdict.kind == "audit" else "touchpoint.lowered"
    mutation(session, action, "touch", touch.id, detail)
    await records.touch_candidate(session, candidate)
    if is_agency_push(touch, after) and not is_agency_push(touch, before):
        await late.said(session, candidate, touch)
    return read(touch, after, principal)
