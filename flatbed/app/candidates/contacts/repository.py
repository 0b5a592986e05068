"""SQL for contacts, channel rights and objections."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from flatbed.app.candidates.models import ChannelRight, Contact, Objection
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession


async def find(
    session: TenantReadSession, candidate_id: UUID, contact_id: UUID, *, lock: bool = False
) -> Contact | None:
    """The candidate's contact, locked against other changes if asked."""
    statement = select(Contact).where(
        Contact.tenant_id == session.tenant_id,
        Contact.candidate_id == candidate_id,
        Contact.id == contact_id,
    )
    if lock:
        statement = statement.with_for_update(key_share=True)
    return await session.scalar(statement)


async def page(session: TenantReadSession, candidate_id: UUID, window: Window) -> Sequence[Contact]:
    """The candidate's contacts as recorded."""
    statement = select(Contact).where(
        Contact.tenant_id == session.tenant_id, Contact.candidate_id == candidate_id
    )
    beyond = window.beyond(Contact.created_at, Contact.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Contact.created_at, Contact.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def rights(
    session: TenantReadSession, candidate_id: UUID, contact_ids: Sequence[UUID]
) -> Sequence[ChannelRight]:
    """The rights to reach these contacts, oldest first."""
    statement = (
        select(ChannelRight)
        .where(
            ChannelRight.tenant_id == session.tenant_id,
            ChannelRight.candidate_id == candidate_id,
            ChannelRight.contact_id.in_(contact_ids),
        )
        .order_by(ChannelRight.id)
    )
    return (await session.scalars(statement)).all()


async def find_objection(
    session: TenantReadSession, candidate_id: UUID, objection_id: UUID
) -> Objection | None:
    """The candidate's objection, locked."""
    statement = (
        select(Objection)
        .where(
            Objection.tenant_id == session.tenant_id,
            Objection.candidate_id == candidate_id,
            Objection.id == objection_id,
        )
        .with_for_update(key_share=True)
    )
    return await session.scalar(statement)


async def objections(
    session: TenantReadSession, candidate_id: UUID, window: Window
) -> Sequence[Objection]:
    """The candidate's objections as recorded."""
    statement = select(Objection).where(
        Objection.tenant_id == session.tenant_id, Objection.candidate_id == candidate_id
    )
    beyond = window.beyond(Objection.at, Objection.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Objection.at, Objection.id).limit(window.limit)
    return (await session.scalars(statement)).all()
