"""SQL for memberships, in the plane of their ISV."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.people.models import Membership
from flatbed.tenants.people.rules.roles import OWNER


async def find_member(
    session: TenantReadSession, membership_id: UUID, *, lock: bool = False
) -> Membership | None:
    """The ISV's member of this id, locked against other changes if asked."""
    statement = select(Membership).where(
        Membership.realm_id == session.realm_id,
        Membership.tenant_id == session.tenant_id,
        Membership.id == membership_id,
    )
    if lock:
        statement = statement.with_for_update(key_share=True)
        statement = statement.execution_options(populate_existing=True)
    return await session.scalar(statement)


async def lock_owners(session: TenantSession) -> Sequence[Membership]:
    """The active owners who have accepted, locked against other changes, in one order for all.

    Of two who would each take away one of the last two owners, the second waits here and finds the
    first one's change.
    """
    statement = (
        select(Membership)
        .where(
            Membership.realm_id == session.realm_id,
            Membership.tenant_id == session.tenant_id,
            Membership.role == OWNER,
            Membership.active,
            Membership.user_id.is_not(None),
        )
        .order_by(Membership.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).all()


async def has_email(session: TenantReadSession, email: str) -> bool:
    """Whether a member of the ISV, active or not, has this address."""
    statement = select(Membership.id).where(
        Membership.realm_id == session.realm_id,
        Membership.tenant_id == session.tenant_id,
        Membership.email == email,
    )
    return await session.scalar(statement) is not None


async def has_user(session: TenantReadSession, user_id: UUID) -> bool:
    """Whether the person is a member of the ISV, active or not."""
    statement = select(Membership.id).where(
        Membership.realm_id == session.realm_id,
        Membership.tenant_id == session.tenant_id,
        Membership.user_id == user_id,
    )
    return await session.scalar(statement) is not None


async def list_members(
    session: TenantReadSession, window: Window, *, role: str | None
) -> Sequence[Membership]:
    """The ISV's members by last change, of one role if asked, up to ``window.limit``."""
    statement = select(Membership).where(
        Membership.realm_id == session.realm_id, Membership.tenant_id == session.tenant_id
    )
    if role is not None:
        statement = statement.where(Membership.role == role)
    beyond = window.beyond(Membership.updated_at, Membership.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Membership.updated_at, Membership.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def add_member(session: TenantSession, row: Membership) -> None:
    """Insert the member.

    Raises:
        sqlalchemy.exc.IntegrityError: the address was taken by another transaction meanwhile.
    """
    session.add(row)
    await session.flush()
