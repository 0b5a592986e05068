"""SQL for organizations and staff."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import (
    AgencyReadSession,
    AgencySession,
    TenantReadSession,
)
from flatbed.tenants.organizations.models import Organization, Staff


async def own(session: TenantReadSession) -> Organization:
    """The row of the transaction's own tenant."""
    statement = select(Organization).where(
        Organization.realm_id == session.realm_id, Organization.id == session.tenant_id
    )
    return (await session.scalars(statement)).one()


async def find_organization(
    session: AgencyReadSession, organization_id: UUID, *, lock: bool = False
) -> Organization | None:
    """The ISV of this id in the realm, locked against other changes if asked."""
    statement = select(Organization).where(
        Organization.realm_id == session.realm_id, Organization.id == organization_id
    )
    if lock:
        statement = statement.with_for_update(key_share=True)
    return await session.scalar(statement)


async def slug_taken(session: AgencyReadSession, slug: str) -> bool:
    """Whether an ISV of the realm has this slug."""
    statement = select(Organization.id).where(
        Organization.realm_id == session.realm_id, Organization.slug == slug
    )
    return await session.scalar(statement) is not None


async def organizations(
    session: AgencyReadSession, window: Window, external_ref: str | None
) -> Sequence[Organization]:
    """The realm's ISVs by last change, up to ``window.limit``."""
    statement = select(Organization).where(Organization.realm_id == session.realm_id)
    if external_ref is not None:
        statement = statement.where(Organization.external_ref == external_ref)
    beyond = window.beyond(Organization.updated_at, Organization.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Organization.updated_at, Organization.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def organization_ids(
    session: AgencyReadSession, after: UUID | None, limit: int
) -> Sequence[UUID]:
    """The ids of the realm's ISVs beyond one of them, in order."""
    statement = select(Organization.id).where(Organization.realm_id == session.realm_id)
    if after is not None:
        statement = statement.where(Organization.id > after)
    return (await session.scalars(statement.order_by(Organization.id).limit(limit))).all()


async def find_staff(
    session: AgencyReadSession, staff_id: UUID, *, lock: bool = False
) -> Staff | None:
    """The staff member of this id in the realm, locked against other changes if asked."""
    statement = select(Staff).where(Staff.realm_id == session.realm_id, Staff.id == staff_id)
    if lock:
        statement = statement.with_for_update(key_share=True)
    return await session.scalar(statement)


async def email_holder(session: AgencyReadSession, email: str) -> UUID | None:
    """Who of the realm's staff has this address, in lower case."""
    statement = select(Staff.id).where(Staff.realm_id == session.realm_id, Staff.email == email)
    return await session.scalar(statement)


async def has_staff_user(session: AgencyReadSession, user_id: UUID) -> bool:
    """Whether the person is among the realm's staff, active or not."""
    statement = select(Staff.id).where(Staff.realm_id == session.realm_id, Staff.user_id == user_id)
    return await session.scalar(statement) is not None


async def staff(
    session: AgencyReadSession, window: Window, *, role: str | None, external_ref: str | None
) -> Sequence[Staff]:
    """The realm's staff by last change, up to ``window.limit``."""
    statement = select(Staff).where(Staff.realm_id == session.realm_id)
    if role is not None:
        statement = statement.where(Staff.role == role)
    if external_ref is not None:
        statement = statement.where(Staff.external_ref == external_ref)
    beyond = window.beyond(Staff.updated_at, Staff.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Staff.updated_at, Staff.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def add(session: AgencySession, row: Organization | Staff) -> None:
    """Insert the row.

    Raises:
        sqlalchemy.exc.IntegrityError: a unique value was taken by another transaction meanwhile.
    """
    session.add(row)
    await session.flush()
