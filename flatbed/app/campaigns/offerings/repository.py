"""SQL for offerings and programmes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from flatbed.app.campaigns.models import Offering, Programme, ProgrammeTermsChange
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession


async def find(
    session: TenantReadSession, offering_id: UUID, *, lock: bool = False
) -> Offering | None:
    """The offering, locked against other changes if asked."""
    statement = select(Offering).where(
        Offering.tenant_id == session.tenant_id, Offering.id == offering_id
    )
    if lock:
        statement = statement.with_for_update(key_share=True)
    return await session.scalar(statement)


async def page(
    session: TenantReadSession, window: Window, external_ref: str | None
) -> Sequence[Offering]:
    """Offerings by last change."""
    statement = select(Offering).where(Offering.tenant_id == session.tenant_id)
    if external_ref is not None:
        statement = statement.where(Offering.external_ref == external_ref)
    beyond = window.beyond(Offering.updated_at, Offering.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Offering.updated_at, Offering.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def programmes(
    session: TenantReadSession, offering_ids: Sequence[UUID]
) -> Sequence[Programme]:
    """The programmes of these offerings, oldest first."""
    statement = (
        select(Programme)
        .where(Programme.tenant_id == session.tenant_id, Programme.offering_id.in_(offering_ids))
        .order_by(Programme.id)
    )
    return (await session.scalars(statement)).all()


async def programme(session: TenantReadSession, programme_id: UUID) -> Programme | None:
    """One programme."""
    statement = select(Programme).where(
        Programme.tenant_id == session.tenant_id, Programme.id == programme_id
    )
    return await session.scalar(statement)


async def terms_changes(
    session: TenantReadSession, programme_id: UUID, window: Window
) -> Sequence[ProgrammeTermsChange]:
    """A programme's changes of terms, oldest first."""
    statement = select(ProgrammeTermsChange).where(
        ProgrammeTermsChange.tenant_id == session.tenant_id,
        ProgrammeTermsChange.programme_id == programme_id,
    )
    beyond = window.beyond(ProgrammeTermsChange.changed_at, ProgrammeTermsChange.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(ProgrammeTermsChange.changed_at, ProgrammeTermsChange.id)
    return (await session.scalars(statement.limit(window.limit))).all()


async def terms_changed_after(
    session: TenantReadSession, programme_id: UUID, instant: datetime
) -> datetime | None:
    """The first change of a programme's terms after an instant."""
    statement = select(func.min(ProgrammeTermsChange.changed_at)).where(
        ProgrammeTermsChange.tenant_id == session.tenant_id,
        ProgrammeTermsChange.programme_id == programme_id,
        ProgrammeTermsChange.changed_at > instant,
    )
    return await session.scalar(statement)
