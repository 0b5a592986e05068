"""SQL for user accounts, all of it in the login plane."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, delete, literal, select, union_all, update
from sqlalchemy.dialects.postgresql import insert

from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.organizations.models import Organization, Staff
from flatbed.tenants.people.models import (
    Membership,
    PasswordReset,
    RecoveryCode,
    UserAccount,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person belongs: the realm's slug, the ISV's (None: the agency), his role."""

    user_id: UUID
    realm: str
    organization: str | None
    role: str
    active: bool


async def find_account(session: LoginSession, user_id: UUID) -> UserAccount | None:
    """The person of this id."""
    statement = select(UserAccount).where(UserAccount.id == user_id)
    return await session.scalar(statement.execution_options(populate_existing=True))


async def account_of(session: LoginSession, email: str) -> UserAccount | None:
    """The person of this address as it is stored."""
    statement = select(UserAccount).where(UserAccount.email == email)
    return await session.scalar(statement.execution_options(populate_existing=True))


async def hold_account(session: LoginSession, user_id: UUID) -> UserAccount | None:
    """The person, as he stays until this transaction ends: whoever changes him waits."""
    return await session.scalar(
        select(UserAccount)
        .where(UserAccount.id == user_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )


async def lock_account(session: LoginSession, user_id: UUID) -> UserAccount | None:
    """The person, alone: whoever signs in as him meanwhile waits until this transaction ends."""
    return await session.scalar(
        select(UserAccount)
        .where(UserAccount.id == user_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def add_account(
    session: LoginSession, *, email: str, name: str, locale: str, password_hash: str, now: datetime
) -> UUID | None:
    """Make an account; None where the address has one, also one that another transaction made."""
    statement = insert(UserAccount).values(
        email=email,
        name=name,
        locale=locale,
        password_hash=password_hash,
        password_at=now,
        active=True,
        created_at=now,
        updated_at=now,
    )
    return await session.scalar(
        statement.on_conflict_do_nothing(index_elements=["email"]).returning(UserAccount.id)
    )


async def end_resets(session: LoginSession, user_id: UUID, now: datetime) -> None:
    """Make useless whatever ways to a new password were mailed to the person."""
    await session.execute(
        update(PasswordReset)
        .where(PasswordReset.user_id == user_id, PasswordReset.used_at.is_(None))
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )


async def forget_recovery_codes(session: LoginSession, user_id: UUID) -> None:
    """Delete the codes that stand in for a second factor."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


async def places(
    session: LoginSession, *, user_id: UUID | None = None, realm: str | None = None
) -> Sequence[Place]:
    """Where people belong, of one person or of one realm if asked, by realm and ISV."""
    staff = (
        select(
            Staff.user_id,
            Realm.slug.label("realm"),
            literal(None).label("organization"),
            Staff.role,
            Staff.active,
        )
        .join(Realm, Realm.id == Staff.realm_id)
        .where(Staff.user_id.is_not(None))
    )
    members = (
        select(
            Membership.user_id,
            Realm.slug.label("realm"),
            Organization.slug.label("organization"),
            Membership.role,
            Membership.active,
        )
        .join(Realm, Realm.id == Membership.realm_id)
        .join(
            Organization,
            and_(
                Organization.realm_id == Membership.realm_id,
                Organization.id == Membership.tenant_id,
            ),
        )
        .where(Membership.user_id.is_not(None))
    )
    if user_id is not None:
        staff = staff.where(Staff.user_id == user_id)
        members = members.where(Membership.user_id == user_id)
    if realm is not None:
        staff, members = staff.where(Realm.slug == realm), members.where(Realm.slug == realm)
    found = union_all(staff, members).subquery()
    rows = await session.execute(
        select(found).order_by(found.c.realm, found.c.organization.nulls_first(), found.c.user_id)
    )
    return [Place(*row) for row in rows]


async def accounts_of_realm(session: LoginSession, realm: str) -> Sequence[UserAccount]:
    """Everybody who has a place in the realm of this slug, by address."""
    of_staff = (
        select(Staff.user_id).join(Realm, Realm.id == Staff.realm_id).where(Realm.slug == realm)
    )
    of_members = (
        select(Membership.user_id)
        .join(Realm, Realm.id == Membership.realm_id)
        .where(Realm.slug == realm)
    )
    statement = (
        select(UserAccount)
        .where(UserAccount.id.in_(of_staff) | UserAccount.id.in_(of_members))
        .order_by(UserAccount.email)
    )
    return (await session.scalars(statement)).all()


async def rename(
    session: LoginSession, user_id: UUID, name: str, locale: str, now: datetime
) -> None:
    """Change what a person says of himself."""
    await session.execute(
        update(UserAccount)
        .where(UserAccount.id == user_id)
        .values(name=name, locale=locale, updated_at=now)
        .execution_options(synchronize_session=False)
    )
