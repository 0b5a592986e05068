"""Rules of evidence: it rests on rows of its candidate, and a lead confirms it once."""

from datetime import UTC, datetime, time
from uuid import UUID

from flatbed.app.campaigns.readers import actor_shown
from flatbed.app.candidates.evidence import repository
from flatbed.app.candidates.evidence.errors import EvidenceConfirmedError
from flatbed.app.candidates.evidence.schemas import (
    Agreement,
    ConfirmationCreate,
    ConfirmationRead,
    DecisionStatement,
    EvidenceCreate,
    EvidencePage,
    EvidenceRead,
    InterestStatement,
    OutreachDelivered,
    PlanVersionEvidence,
    data_of,
)
from flatbed.app.candidates.models import (
    Candidate,
    Contact,
    Evidence,
    EvidenceConfirmation,
    Fact,
    Touchpoint,
)
from flatbed.app.candidates.records import service as records
from flatbed.app.candidates.records.errors import AuditorInvolvedError, ReferenceNotFoundError
from flatbed.app.candidates.rules.stages import EvidenceKind
from flatbed.app.candidates.rules.touches import Side
from flatbed.app.candidates.touchpoints import repository as touchpoints
from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import InvalidError, NotFoundError
from flatbed.tenants.organizations.service import organization_of

BY_PARTNER = frozenset(
    {
        EvidenceKind.REPLY,
        EvidenceKind.INTEREST_STATEMENT,
        EvidenceKind.DECISION_STATEMENT,
        EvidenceKind.BUSINESS_ACTION,
    }
)
"""Kinds that a touch of the partner carries."""


async def create(
    session: TenantSession, principal: Principal, candidate_id: UUID, body: EvidenceCreate
) -> EvidenceRead:
    """Record a piece of evidence.

    Raises:
        NotFoundError: no such candidate for this caller.
        ReferenceNotFoundError: a contact, fact, touch or plan is not one of this candidate.
        InvalidError: the touch is of the wrong side, names somebody else, or the time is to come.
    """
    candidate = await records.candidate_to_write(session, candidate_id)
    touch = await _touch(session, candidate, body)
    contact_id = await _contact(session, candidate, body, touch)
    await _lists(session, candidate, body)
    occurred_at = await _occurred_at(session, candidate, body, touch)
    if occurred_at > session.now():
        pointer = "/signed_on" if isinstance(body, Agreement) else "/occurred_at"
        raise InvalidError.at(pointer, "in-the-future", "It has not happened yet.")
    evidence = Evidence(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        kind=body.kind.value,
        touchpoint_id=None if touch is None else touch.id,
        contact_id=contact_id,
        occurred_at=occurred_at,
        statement=getattr(body, "statement", None),
        data=data_of(body),
        provenance=records.provenance_of(principal).value,
        recorded_by=session.caller.actor,
        recorded_at=session.now(),
        external_ref=body.external_ref,
        metadata_=body.metadata,
    )
    session.add(evidence)
    detail = {
        "candidate_id": encode("cand", candidate.id),
        "kind": evidence.kind,
        "provenance": evidence.provenance,
    }
    mutation(session, "evidence.recorded", "evid", evidence.id, detail)
    await records.touch_candidate(session, candidate)
    await session.flush()
    return _read(evidence, None, principal)


async def page(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    candidate_id: UUID,
    *,
    cursor: str | None,
    limit: int,
) -> EvidencePage:
    """A page of the candidate's evidence, oldest first.

    Raises:
        NotFoundError: no such candidate for this caller.
    """
    candidate = await records.candidate_to_read(session, candidate_id)
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, candidate.id, window)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.occurred_at, row.id))
    confirmed = await repository.confirmations(session, candidate.id, [row.id for row in shown])
    data = [_read(row, confirmed.get(row.id), principal) for row in shown]
    return EvidencePage(data=data, **envelope.model_dump())


async def confirm(
    session: TenantSession,
    principal: Principal,
    candidate_id: UUID,
    evidence_id: UUID,
    body: ConfirmationCreate,
) -> EvidenceRead:
    """Say that a lead has looked at it.

    Raises:
        NotFoundError: no such candidate for this caller, or no such evidence of his.
        AuditorInvolvedError: the lead works the candidate, or recorded the evidence or its touch.
        EvidenceConfirmedError: it was confirmed before.
    """
    candidate = await records.candidate_to_write(session, candidate_id)
    evidence = await repository.find(session, candidate.id, evidence_id)
    if evidence is None:
        raise NotFoundError
    await _check_uninvolved(session, principal, candidate, evidence)
    if await repository.confirmations(session, candidate.id, [evidence.id]):
        raise EvidenceConfirmedError
    confirmation = EvidenceConfirmation(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        evidence_id=evidence.id,
        actor=session.caller.actor,
        note=body.note,
        at=session.now(),
    )
    session.add(confirmation)
    detail = {"candidate_id": encode("cand", candidate.id), "kind": evidence.kind}
    mutation(session, "evidence.confirmed", "evid", evidence.id, detail)
    await records.touch_candidate(session, candidate)
    await session.flush()
    return _read(evidence, confirmation, principal)


async def _touch(
    session: TenantSession, candidate: Candidate, body: EvidenceCreate
) -> Touchpoint | None:
    touchpoint_id: UUID | None = getattr(body, "touchpoint_id", None)
    if touchpoint_id is None:
        return None
    pointer = "/touchpoint_id"
    touch = await touchpoints.find(session, candidate.id, touchpoint_id)
    if touch is None:
        raise ReferenceNotFoundError.at_pointer(pointer)
    if body.kind in BY_PARTNER and touch.side != Side.PARTNER:
        raise InvalidError.at(pointer, "not-a-partner-touch", "It names a touch of ours.")
    if isinstance(body, OutreachDelivered) and touch.side != Side.AGENCY:
        raise InvalidError.at(pointer, "not-outbound", "It names no touch of the agency.")
    return touch


async def _contact(
    session: TenantSession,
    candidate: Candidate,
    body: EvidenceCreate,
    touch: Touchpoint | None,
) -> UUID | None:
    """Who it is about: named by the body, else by the touch."""
    named: UUID | None = getattr(body, "contact_id", None)
    await records.check_references(session, Contact, candidate, {"/contact_id": named})
    carried = None if touch is None else touch.contact_id
    if isinstance(body, InterestStatement | DecisionStatement) and carried not in {None, named}:
        message = "The touch comes from somebody else."
        raise InvalidError.at("/contact_id", "contact-differs", message)
    return named if named is not None else carried


async def _lists(session: TenantSession, candidate: Candidate, body: EvidenceCreate) -> None:
    facts: list[UUID] = getattr(body, "fact_ids", [])
    people: list[UUID] = getattr(body, "partner_attendees", [])
    cited = {f"/fact_ids/{n}": one for n, one in enumerate(facts)}
    present = {f"/partner_attendees/{n}": one for n, one in enumerate(people)}
    await records.check_references(session, Fact, candidate, dict(cited))
    await records.check_references(session, Contact, candidate, dict(present))


async def _occurred_at(
    session: TenantSession,
    candidate: Candidate,
    body: EvidenceCreate,
    touch: Touchpoint | None,
) -> datetime:
    if isinstance(body, PlanVersionEvidence | Agreement):
        plan = await repository.plan(session, candidate.id, body.plan_number)
        if plan is None:
            raise ReferenceNotFoundError.at_pointer("/plan_number")
        if isinstance(body, PlanVersionEvidence):
            return plan.at
        tenant = await organization_of(session)
        return datetime.combine(body.signed_on, time.min, tenant.zone).astimezone(UTC)
    said: datetime | None = getattr(body, "occurred_at", None)
    if said is not None:
        return said
    # Kinds without a time of their own have a touch.
    return session.now() if touch is None else touch.occurred_at


async def _check_uninvolved(
    session: TenantSession, principal: Principal, candidate: Candidate, evidence: Evidence
) -> None:
    if principal.staff_id is None or principal.staff_id == candidate.hunter_id:
        raise AuditorInvolvedError
    recorders = {evidence.recorded_by}
    if evidence.touchpoint_id is not None:
        touch = await touchpoints.find(session, candidate.id, evidence.touchpoint_id)
        recorders |= set() if touch is None else {touch.recorded_by}
    if principal.actor in recorders:
        raise AuditorInvolvedError


def _read(
    evidence: Evidence, confirmation: EvidenceConfirmation | None, principal: Principal
) -> EvidenceRead:
    data = evidence.data
    return EvidenceRead.model_validate(
        {
            "id": evidence.id,
            "candidate_id": evidence.candidate_id,
            "kind": evidence.kind,
            "touchpoint_id": evidence.touchpoint_id,
            "contact_id": evidence.contact_id,
            "occurred_at": evidence.occurred_at,
            "statement": evidence.statement,
            "role": data.get("role"),
            "partner_attendees": [UUID(one) for one in data.get("partner_attendees", ())],
            "fact_ids": [UUID(one) for one in data.get("fact_ids", ())],
            "plan_number": data.get("plan_number"),
            "signed_on": data.get("signed_on"),
            "title": data.get("title"),
            "description": data.get("description"),
            "url": data.get("url"),
            "provenance": evidence.provenance,
            "recorded_by": actor_shown(evidence.recorded_by, principal),
            "recorded_at": evidence.recorded_at,
            "confirmation": confirmation
            and ConfirmationRead(
                actor=actor_shown(confirmation.actor, principal),
                note=confirmation.note,
                at=confirmation.at,
            ),
            "external_ref": evidence.external_ref,
            "metadata": evidence.metadata_,
        }
    )
