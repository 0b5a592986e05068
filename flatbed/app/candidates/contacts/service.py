"""Rules of contacts: rights are appended and never dated back, an objection binds at once."""

from collections.abc import Sequence
from uuid import UUID

from flatbed.app.candidates.contacts import repository
from flatbed.app.candidates.contacts.errors import ObjectionResolvedError
from flatbed.app.candidates.contacts.schemas import (
    ChannelRightCreate,
    ChannelRightRead,
    ContactCreate,
    ContactPage,
    ContactRead,
    ContactUpdate,
    ObjectionCreate,
    ObjectionPage,
    ObjectionRead,
)
from flatbed.app.candidates.models import ChannelRight, Contact, Objection
from flatbed.app.candidates.records import service as records
from flatbed.app.candidates.reservations.service import EndReason, withdraw
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import NotFoundError


async def create(
    session: TenantSession, candidate_id: UUID, body: ContactCreate
) -> tuple[ContactRead, int]:
    """Record a person. Returns him with his version.

    Raises:
        NotFoundError: no such candidate for this caller.
    """
    candidate = await records.candidate_to_write(session, candidate_id)
    now = session.now()
    contact = Contact(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        name=body.name,
        job_title=body.job_title,
        c_level=body.c_level,
        email=body.email,
        phone=body.phone,
        external_ref=body.external_ref,
        metadata_=body.metadata,
        created_at=now,
        updated_at=now,
    )
    session.add(contact)
    detail = {"candidate_id": encode("cand", candidate.id), "c_level": contact.c_level}
    mutation(session, "contact.created", "cont", contact.id, detail)
    await records.touch_candidate(session, candidate)
    await session.flush()
    return _read(contact, []), contact.version


async def page(
    session: TenantReadSession,
    cursors: Cursors,
    candidate_id: UUID,
    *,
    cursor: str | None,
    limit: int,
) -> ContactPage:
    """A page of the candidate's contacts, in the order of recording.

    Raises:
        NotFoundError: no such candidate for this caller.
    """
    candidate = await records.candidate_to_read(session, candidate_id)
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, candidate.id, window)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.created_at, row.id))
    rights = await repository.rights(session, candidate.id, [row.id for row in shown])
    return ContactPage(data=[_read(row, rights) for row in shown], **envelope.model_dump())


async def update(
    session: TenantSession,
    candidate_id: UUID,
    contact_id: UUID,
    version: int,
    body: ContactUpdate,
) -> tuple[ContactRead, int]:
    """Change what the body names.

    Raises:
        NotFoundError: no such candidate for this caller, or no such contact of his.
        PreconditionFailedError: another version is stored.
    """
    candidate = await records.candidate_to_write(session, candidate_id)
    contact = await repository.find(session, candidate.id, contact_id, lock=True)
    if contact is None:
        raise NotFoundError
    match(contact.version, version)
    changed = sorted(body.model_fields_set)
    for field in changed:
        setattr(contact, "metadata_" if field == "metadata" else field, getattr(body, field))
    contact.updated_at = session.now()
    detail = {"candidate_id": encode("cand", candidate.id), "fields": changed}
    mutation(session, "contact.updated", "cont", contact.id, detail)
    await records.touch_candidate(session, candidate)
    await session.flush()
    return _read(contact, await repository.rights(session, candidate.id, [contact.id])), (
        contact.version
    )


async def add_right(
    session: TenantSession, candidate_id: UUID, contact_id: UUID, body: ChannelRightCreate
) -> ChannelRightRead:
    """Record a right to reach the person, from now on.

    Raises:
        NotFoundError: no such candidate for this caller, or no such contact of his.
    """
    candidate = await records.candidate_to_write(session, candidate_id)
    contact = await repository.find(session, candidate.id, contact_id)
    if contact is None:
        raise NotFoundError
    right = ChannelRight(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        contact_id=contact.id,
        channel=body.channel.value,
        country=body.country,
        basis=body.basis,
        source=body.source,
        recorded_at=session.now(),
    )
    session.add(right)
    detail = {
        "candidate_id": encode("cand", candidate.id),
        "contact_id": encode("cont", contact.id),
        "channel": right.channel,
        "country": right.country,
        "basis": right.basis,
    }
    mutation(session, "channel_right.recorded", "right", right.id, detail)
    await records.touch_candidate(session, candidate)
    await session.flush()
    return ChannelRightRead.model_validate(right)


async def object_(
    session: TenantSession, candidate_id: UUID, body: ObjectionCreate
) -> ObjectionRead:
    """Record an objection, which binds at once: a reservation over a cap ends with it.

    Raises:
        NotFoundError: no such candidate for this caller.
        ReferenceNotFoundError: the contact is not one of his.
    """
    candidate = await records.candidate_to_write(session, candidate_id)
    await records.check_references(session, Contact, candidate, {"/contact_id": body.contact_id})
    objection = Objection(
        tenant_id=session.tenant_id,
        id=uuid7(),
        candidate_id=candidate.id,
        contact_id=body.contact_id,
        channel=None if body.channel is None else body.channel.value,
        source=body.source,
        at=session.now(),
        resolved_at=None,
    )
    session.add(objection)
    detail = {
        "candidate_id": encode("cand", candidate.id),
        "contact_id": None if body.contact_id is None else encode("cont", body.contact_id),
        "channel": objection.channel,
    }
    mutation(session, "objection.recorded", "obj", objection.id, detail)
    await records.touch_candidate(session, candidate)
    await session.flush()
    await withdraw(session, candidate, EndReason.OBJECTION)
    return ObjectionRead.model_validate(objection)


async def objections(
    session: TenantReadSession,
    cursors: Cursors,
    candidate_id: UUID,
    *,
    cursor: str | None,
    limit: int,
) -> ObjectionPage:
    """A page of the candidate's objections, resolved ones too, in the order of recording.

    Raises:
        NotFoundError: no such candidate for this caller.
    """
    candidate = await records.candidate_to_read(session, candidate_id)
    window = cursors.window(cursor, limit)
    rows = await repository.objections(session, candidate.id, window)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.at, row.id))
    data = [ObjectionRead.model_validate(row) for row in shown]
    return ObjectionPage(data=data, **envelope.model_dump())


async def resolve(session: TenantSession, candidate_id: UUID, objection_id: UUID) -> ObjectionRead:
    """End an objection, from now on.

    Raises:
        NotFoundError: no such candidate for this caller, or no such objection of his.
        ObjectionResolvedError: it was resolved before.
    """
    candidate = await records.candidate_to_write(session, candidate_id)
    objection = await repository.find_objection(session, candidate.id, objection_id)
    if objection is None:
        raise NotFoundError
    if objection.resolved_at is not None:
        raise ObjectionResolvedError
    objection.resolved_at = session.now()
    detail = {"candidate_id": encode("cand", candidate.id)}
    mutation(session, "objection.resolved", "obj", objection.id, detail)
    await records.touch_candidate(session, candidate)
    await session.flush()
    return ObjectionRead.model_validate(objection)


def _read(contact: Contact, rights: Sequence[ChannelRight]) -> ContactRead:
    return ContactRead(
        id=contact.id,
        candidate_id=contact.candidate_id,
        name=contact.name,
        job_title=contact.job_title,
        c_level=contact.c_level,
        email=contact.email,
        phone=contact.phone,
        channel_rights=[
            ChannelRightRead.model_validate(right)
            for right in rights
            if right.contact_id == contact.id
        ],
        external_ref=contact.external_ref,
        metadata=contact.metadata_,
        created_at=contact.created_at,
        updated_at=contact.updated_at,
        version=contact.version,
    )
