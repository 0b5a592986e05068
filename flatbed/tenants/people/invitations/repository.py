"""SQL for invitations: of members in their ISV's plane, of staff in the agency's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, select, update

from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.session import (
    AgencySession,
    LoginSession,
    TenantReadSession,
    TenantSession,
)
from flatbed.tenants.organizations.models import Organization, Staff
from flatbed.tenants.people.models import Invitation, Membership, UserAccount


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation with what it leads to now, as the login plane sees it.

    ``tenant_id`` and ``organization`` are None for the agency's own people; ``place_id`` is the
    membership's id, or the staff member's; ``locale`` is that of the account which
    has the address already, if one has.
    """

    realm_id: UUID
    id: UUID
    tenant_id: UUID | None
    place_id: UUID
    email: str
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None
    role: str
    active: bool
    user_id: UUID | None
    organization: str | None
    organization_status: str | None
    country: str | None
    agency: str
    clock_offset_us: int
    locale: str | None

    def is_open(self, now: datetime) -> bool:
        """Whether it may be accepted. ``now`` is the system's time."""
        return (
            self.accepted_at is None
            and self.revoked_at is None
            and self.expires_at > now
            and self.active
            and self.user_id is None
            and self.organization_status in {None, "active"}
        )

    @property
    def clock_offset(self) -> timedelta:
        """By how much the realm's clock runs ahead."""
        return timedelta(microseconds=self.clock_offset_us)


async def find_invited(session: LoginSession, invitation_id: UUID) -> Invited | None:
    """The invitation of this id, in whatever realm: the login plane sees all."""
    of_member = and_(
        Membership.realm_id == Invitation.realm_id, Membership.id == Invitation.membership_id
    )
    of_staff = and_(Staff.realm_id == Invitation.realm_id, Staff.id == Invitation.staff_id)
    of_isv = and_(
        Organization.realm_id == Invitation.realm_id, Organization.id == Invitation.tenant_id
    )
    statement = (
        select(
            Invitation.realm_id,
            Invitation.id,
            Invitation.tenant_id,
            func.coalesce(Invitation.membership_id, Invitation.staff_id).label("place_id"),
            Invitation.email,
            Invitation.expires_at,
            Invitation.accepted_at,
            Invitation.revoked_at,
            func.coalesce(Membership.role, Staff.role).label("role"),
            func.coalesce(Membership.active, Staff.active).label("active"),
            func.coalesce(Membership.user_id, Staff.user_id).label("user_id"),
            Organization.name.label("organization"),
            Organization.status.label("organization_status"),
            Organization.country,
            Realm.name.label("agency"),
            Realm.clock_offset_us,
            UserAccount.locale,
        )
        .join(Realm, Realm.id == Invitation.realm_id)
        .outerjoin(Membership, of_member)
        .outerjoin(Staff, of_staff)
        .outerjoin(Organization, of_isv)
        .outerjoin(UserAccount, UserAccount.email == Invitation.email)
        .where(Invitation.id == invitation_id)
    )
    row = (await session.execute(statement)).mappings().one_or_none()
    return None if row is None else Invited(**row)


async def lock_invitation(
    session: TenantSession | AgencySession, invitation_id: UUID
) -> Invitation | None:
    """The invitation as it is now, and until the transaction ends."""
    statement = (
        select(Invitation)
        .where(Invitation.realm_id == session.realm_id, Invitation.id == invitation_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return await session.scalar(statement)


async def add_invitation(session: TenantSession | AgencySession, row: Invitation) -> None:
    """Insert the invitation."""
    session.add(row)
    await session.flush()


async def revoke_of_member(session: TenantSession, membership_id: UUID, now: datetime) -> None:
    """Revoke whatever invitation of the member is neither accepted nor revoked."""
    await _revoke(session, Invitation.membership_id == membership_id, now)


async def revoke_of_staff(session: AgencySession, staff_id: UUID, now: datetime) -> None:
    """As :func:`revoke_of_member`."""
    await _revoke(session, Invitation.staff_id == staff_id, now)


async def open_of_members(
    session: TenantReadSession, membership_ids: Sequence[UUID], now: datetime
) -> Mapping[UUID, Invitation]:
    """The invitations of these members that may be accepted, by member."""
    statement = select(Invitation).where(
        Invitation.realm_id == session.realm_id,
        Invitation.membership_id.in_(membership_ids),
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.expires_at > now,
    )
    rows = await session.scalars(statement)
    return {row.membership_id: row for row in rows if row.membership_id is not None}


async def _revoke(session: TenantSession | AgencySession, whose: Any, now: datetime) -> None:  # noqa: ANN401 - SQLAlchemy's own expression type
    statement = (
        update(Invitation)
        .where(
            Invitation.realm_id == session.realm_id,
            whose,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
        )
        .values(revoked_at=now)
        .execution_options(synchronize_session=False)
    )
    await session.execute(statement)
