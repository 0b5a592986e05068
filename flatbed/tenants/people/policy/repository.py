"""SQL for what an ISV asks of those who sign in."""

from uuid import UUID

from sqlalchemy import and_, exists, or_, select

from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.database.session import LoginSession, TenantReadSession, TenantSession
from flatbed.tenants.organizations.models import Staff
from flatbed.tenants.people.models import Membership, SignInPolicy
from flatbed.tenants.people.rules.roles import OWNER


async def find_policy(session: TenantReadSession, *, lock: bool = False) -> SignInPolicy | None:
    """The ISV's policy, if it was ever set; locked against other changes if asked."""
    statement = select(SignInPolicy).where(
        SignInPolicy.realm_id == session.realm_id, SignInPolicy.tenant_id == session.tenant_id
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return await session.scalar(statement)


def add(session: TenantSession, row: SignInPolicy) -> None:
    """Insert the ISV's first policy."""
    session.add(row)


async def needs_second_factor(session: LoginSession, user_id: UUID) -> bool:
    """Whether the person may not sign in by password alone.

    An admin of an agency may not, nor may an owner where his ISV says so.
    """
    is_admin = exists().where(Staff.user_id == user_id, Staff.active, Staff.role == Role.ADMIN)
    policy = and_(
        SignInPolicy.realm_id == Membership.realm_id,
        SignInPolicy.tenant_id == Membership.tenant_id,
        SignInPolicy.owners_need_totp,
    )
    is_owner = exists().where(
        Membership.user_id == user_id, Membership.active, Membership.role == OWNER, policy
    )
    return bool(await session.scalar(select(or_(is_admin, is_owner))))
