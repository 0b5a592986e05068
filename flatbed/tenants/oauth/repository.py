"""SQL of who calls: a client with its owner, and what it proves itself by.

The operations on clients have theirs in ``clients/repository.py``.

The functions that take a plain :class:`~sqlalchemy.orm.Session` run inside Authlib's synchronous
grants, on the login transaction of the request.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.purging import delete_some
from flatbed.tenants.kit.database.session import AgencyReadSession, LoginSession
from flatbed.tenants.oauth.models import ClientSecret, OAuthClient, UsedAssertion
from flatbed.tenants.organizations.models import Organization, Staff

USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Owned:
    """A client with what its owner is now."""

    client: OAuthClient
    organization_status: str | None
    staff_role: str | None
    staff_active: bool | None
    realm_kind: str
    clock_offset: timedelta


def find_owned(session: Session, client_id: UUID) -> Owned | None:
    """The client of this id in whatever realm: the login plane sees all."""
    row = session.execute(_owned().where(OAuthClient.id == client_id)).one_or_none()
    return None if row is None else _read_owned(row)


def live_secrets(session: Session, client_id: UUID, now: datetime) -> list[ClientSecret]:
    """The client's secrets that are neither revoked nor expired, the oldest first."""
    return list(
        session.scalars(
            select(ClientSecret)
            .where(ClientSecret.oauth_client_id == client_id, is_live(now))
            .order_by(ClientSecret.id)
        )
    )


def touch_secret(session: Session, secret: ClientSecret, now: datetime) -> None:
    """Note the use, at most once a minute: token requests of a client must not queue for a row."""
    if secret.last_used_at is not None and secret.last_used_at > now - USED_EVERY:
        return
    session.execute(
        update(ClientSecret)
        .where(
            ClientSecret.realm_id == secret.realm_id,
            ClientSecret.id == secret.id,
            or_(
                ClientSecret.last_used_at.is_(None),
                ClientSecret.last_used_at <= now - USED_EVERY,
            ),
        )
        .values(last_used_at=now)
        .execution_options(synchronize_session=False)
    )


def use_assertion(
    session: Session, client_id: UUID, digest: bytes, expires_at: datetime, request_id: str
) -> bool:
    """Note that the client's assertion is used. Returns whether this is the first request to.

    Of several at once each waits for the one before it. A request that is run again, since nobody
    knows whether its first run was committed, is still the first.
    """
    statement = insert(UsedAssertion).values(
        oauth_client_id=client_id, digest=digest, expires_at=expires_at, request_id=request_id
    )
    sent = statement.excluded.request_id
    written = session.execute(
        statement.on_conflict_do_update(
            index_elements=[UsedAssertion.oauth_client_id, UsedAssertion.digest],
            set_={"request_id": sent},
            where=UsedAssertion.request_id == sent,
        ).returning(UsedAssertion.digest)
    )
    return written.first() is not None


async def purge_assertions(session: LoginSession, now: datetime) -> bool:
    """Forget assertions that have expired. Returns whether some may be left."""
    return await delete_some(session, UsedAssertion, UsedAssertion.expires_at <= now)


async def realm_of_client(session: LoginSession, client_id: UUID) -> Realm | None:
    """The realm of a client that is not deleted."""
    return await session.scalar(
        select(Realm)
        .join(OAuthClient, OAuthClient.realm_id == Realm.id)
        .where(OAuthClient.id == client_id, OAuthClient.deleted_at.is_(None))
    )


async def realm_of_slug(session: LoginSession, slug: str) -> Realm | None:
    """The realm of this slug."""
    return await session.scalar(select(Realm).where(Realm.slug == slug))


async def owned_in_realm(session: AgencyReadSession, client_id: UUID) -> Owned | None:
    """The client of this id in the transaction's realm, with what its owner is now."""
    row = (
        await session.execute(
            _owned().where(OAuthClient.realm_id == session.realm_id, OAuthClient.id == client_id)
        )
    ).one_or_none()
    return None if row is None else _read_owned(row)


def is_live(now: datetime) -> ColumnElement[bool]:
    """Of a secret: it is neither revoked nor expired."""
    return and_(
        ClientSecret.revoked_at.is_(None),
        or_(ClientSecret.expires_at.is_(None), ClientSecret.expires_at > now),
    )


def _owned() -> Select[OAuthClient, str, str, bool, str, int]:
    return (
        select(
            OAuthClient,
            Organization.status,
            Staff.role,
            Staff.active,
            Realm.kind,
            Realm.clock_offset_us,
        )
        .join(Realm, Realm.id == OAuthClient.realm_id)
        .outerjoin(
            Organization,
            and_(
                Organization.realm_id == OAuthClient.realm_id,
                Organization.id == OAuthClient.tenant_id,
            ),
        )
        .outerjoin(
            Staff, and_(Staff.realm_id == OAuthClient.realm_id, Staff.id == OAuthClient.staff_id)
        )
    )


def _read_owned(row: Row[OAuthClient, str, str, bool, str, int]) -> Owned:
    client, status, role, active, kind, offset = row
    return Owned(client, status, role, active, kind, timedelta(microseconds=offset))
