"""SQL of the authorization endpoint, in the login plane."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.dialects.postgresql import insert

from flatbed.tenants.access.principal import Role, member_role
from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.oauth.clients.standing import ACTIVE
from flatbed.tenants.oauth.grants.authorizing.places import Place
from flatbed.tenants.oauth.grants.models import AuthorizationCode, Consent, Grant
from flatbed.tenants.oauth.models import OAuthClient
from flatbed.tenants.organizations.models import Organization, Staff
from flatbed.tenants.people.accounts.repository import hold_account
from flatbed.tenants.people.models import Membership, UserSession
from flatbed.tenants.people.sessions.repository import lives


async def memberships(session: LoginSession, client: OAuthClient, user_id: UUID) -> Sequence[Place]:
    """The person's memberships of the ISVs that the application serves, by name."""
    statement = (
        select(Membership, Organization.name)
        .join(
            Organization,
            and_(
                Organization.realm_id == Membership.realm_id,
                Organization.id == Membership.tenant_id,
            ),
        )
        .where(
            Membership.realm_id == client.realm_id,
            Membership.user_id == user_id,
            Membership.active,
            Organization.status == ACTIVE,
        )
        .order_by(Organization.name, Organization.id)
    )
    if client.tenant_id is not None:
        statement = statement.where(Membership.tenant_id == client.tenant_id)
    return [
        Place(name, member_role(row.role), tenant_id=row.tenant_id, membership_id=row.id)
        for row, name in (await session.execute(statement)).all()
    ]


async def staff_places(session: LoginSession, realm_id: UUID, user_id: UUID) -> Sequence[Place]:
    """The person's place among the agency's staff, if he has one."""
    statement = (
        select(Staff, Realm.name)
        .join(Realm, Realm.id == Staff.realm_id)
        .where(Staff.realm_id == realm_id, Staff.user_id == user_id, Staff.active)
    )
    return [
        Place(name, Role(row.role), staff_id=row.id)
        for row, name in (await session.execute(statement)).all()
    ]


async def owner_name(session: LoginSession, client: OAuthClient) -> str:
    """Whose application it is: the ISV's name, or the agency's."""
    if client.tenant_id is None:
        statement = select(Realm.name).where(Realm.id == client.realm_id)
    else:
        statement = select(Organization.name).where(
            Organization.realm_id == client.realm_id, Organization.id == client.tenant_id
        )
    return (await session.scalars(statement)).one()


async def consented(session: LoginSession, user_id: UUID, client_id: UUID) -> frozenset[str]:
    """The scopes to which the person agreed for the application."""
    found = await session.scalar(
        select(Consent.scopes).where(
            Consent.user_id == user_id, Consent.oauth_client_id == client_id
        )
    )
    return frozenset(found or ())


async def remember_consent(
    session: LoginSession, user_id: UUID, client_id: UUID, scopes: frozenset[str], now: datetime
) -> None:
    """Note the scopes to which the person has agreed by now."""
    written = insert(Consent).values(
        user_id=user_id, oauth_client_id=client_id, scopes=sorted(scopes), granted_at=now
    )
    await session.execute(
        written.on_conflict_do_update(
            index_elements=[Consent.user_id, Consent.oauth_client_id],
            set_={"scopes": written.excluded.scopes, "granted_at": written.excluded.granted_at},
        )
    )


@dataclass(frozen=True, slots=True)
class Made:
    """A grant and its code, to be written."""

    grant: Grant
    code: AuthorizationCode


async def hold_person(
    session: LoginSession, user_id: UUID, session_id: UUID, now: datetime
) -> bool:
    """Whether the person is signed in, and stays so until this transaction ends.

    Whoever signs him out or switches him off waits, and then finds the grant that he has to end.
    """
    # The account first, as whoever ends sessions of his does.
    account = await hold_account(session, user_id)
    if account is None or not account.active:
        return False
    statement = (
        select(UserSession.id)
        .where(UserSession.id == session_id, UserSession.user_id == user_id, lives(now))
        .with_for_update(read=True)
    )
    return await session.scalar(statement) is not None


async def add(session: LoginSession, made: Made) -> None:
    """Insert the grant, then its code."""
    session.add(made.grant)
    await session.flush()
    session.add(made.code)
    await session.flush()
