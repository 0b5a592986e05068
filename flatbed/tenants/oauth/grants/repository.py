"""SQL for grants, as the gate asks it on each request."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, and_, case, select

from flatbed.tenants.kit.database.session import AgencyReadSession
from flatbed.tenants.oauth.grants.models import Grant
from flatbed.tenants.organizations.models import Organization, Staff
from flatbed.tenants.people.models import Membership, SignInPolicy


@dataclass(frozen=True, slots=True)
class Placed:
    """A grant with what the person's place (membership or staff) is now."""

    grant: Grant
    user_id: UUID | None
    role: str | None
    active: bool | None
    organization_status: str | None
    owners_need_totp: bool | None


async def placed_in_realm(session: AgencyReadSession, grant_id: UUID) -> Placed | None:
    """The grant of this id in the transaction's realm, with the person's place as it is now."""
    statement = placed().where(Grant.realm_id == session.realm_id, Grant.id == grant_id)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else Placed(*row)


def placed() -> Select[Grant, UUID, str, bool, str, bool]:
    """Grants with the columns of :class:`Placed`."""
    member = Grant.membership_id.is_not(None)
    return (
        select(
            Grant,
            case((member, Membership.user_id), else_=Staff.user_id),
            case((member, Membership.role), else_=Staff.role),
            case((member, Membership.active), else_=Staff.active),
            Organization.status,
            SignInPolicy.owners_need_totp,
        )
        .outerjoin(
            Membership,
            and_(Membership.realm_id == Grant.realm_id, Membership.id == Grant.membership_id),
        )
        .outerjoin(Staff, and_(Staff.realm_id == Grant.realm_id, Staff.id == Grant.staff_id))
        .outerjoin(
            Organization,
            and_(Organization.realm_id == Grant.realm_id, Organization.id == Grant.tenant_id),
        )
        .outerjoin(
            SignInPolicy,
            and_(
                SignInPolicy.realm_id == Grant.realm_id, SignInPolicy.tenant_id == Grant.tenant_id
            ),
        )
    )
