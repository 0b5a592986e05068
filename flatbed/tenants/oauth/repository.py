"""All SQL of the OAuth server.

The functions that take a plain :class:`~sqlalchemy.orm.Session` run inside Authlib's synchronous
grants, on the login transaction of the request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import CursorResult, Row, Select, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.kernel_tables import Realm
from flatbed.tenants.kit.database.session import AgencyReadSession, AgencySession, LoginSession
from flatbed.tenants.oauth.models import ClientSecret, OAuthClient, SigningKey, UsedAssertion
from flatbed.tenants.organizations.models import Organization, Staff

USED_EVERY = timedelta(minutes=1)
KEYS_LOCK: Final = 0x6B657973
"""Advisory lock of a database: signing keys are turned by one at a time."""
PURGED_AT_ONCE: Final = 5000


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
            .where(ClientSecret.oauth_client_id == client_id, _live(now))
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
    """Forget assertions that have expired, as many as fit a statement.

    Returns whether some may be left.
    """
    key = tuple_(UsedAssertion.oauth_client_id, UsedAssertion.digest)
    old = (
        select(UsedAssertion.oauth_client_id, UsedAssertion.digest)
        .where(UsedAssertion.expires_at <= now)
        .limit(PURGED_AT_ONCE)
    )
    gone = cast(
        "CursorResult[Any]", await session.execute(delete(UsedAssertion).where(key.in_(old)))
    )
    return gone.rowcount == PURGED_AT_ONCE


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


async def all_keys(session: LoginSession) -> list[SigningKey]:
    """Every signing key as it is now, the active one first, then by age."""
    return list(
        await session.scalars(
            select(SigningKey)
            .order_by(SigningKey.state != "active", SigningKey.created_at, SigningKey.kid)
            .execution_options(populate_existing=True)
        )
    )


async def turn_of_keys(session: LoginSession) -> None:
    """Wait until nobody else turns the signing keys; what is read afterwards stays."""
    await session.execute(select(func.pg_advisory_xact_lock(KEYS_LOCK)))


async def add_active_key(session: LoginSession, values: Mapping[str, Any]) -> None:
    """Insert the active key unless there is one: of two processes at once, one wins."""
    await session.execute(insert(SigningKey).values(**values).on_conflict_do_nothing())


async def add_key(session: LoginSession, values: Mapping[str, Any]) -> None:
    """Insert a signing key."""
    await session.execute(insert(SigningKey).values(**values))


async def promote_key(session: LoginSession, kid: str, now: datetime) -> None:
    """Let the key sign from now on."""
    await session.execute(
        update(SigningKey)
        .where(SigningKey.kid == kid, SigningKey.state == "next")
        .values(state="active", activated_at=now)
        .execution_options(synchronize_session=False)
    )


async def retire_key(session: LoginSession, kid: str, now: datetime, *, revoke: bool) -> None:
    """Erase the private part: the key signs no more; revoked, it verifies no more either."""
    values: dict[str, Any] = {
        "state": "retired",
        "private_box": None,
        "retired_at": func.coalesce(SigningKey.retired_at, now),
    }
    await session.execute(
        update(SigningKey)
        .where(SigningKey.kid == kid)
        .values(**values, **({"revoked_at": now} if revoke else {}))
        .execution_options(synchronize_session=False)
    )


async def find_client(
    session: AgencyReadSession, client_id: UUID, *, lock: bool = False
) -> OAuthClient | None:
    """The client of this id in the transaction's realm, unless it is deleted."""
    statement = select(OAuthClient).where(
        OAuthClient.realm_id == session.realm_id,
        OAuthClient.id == client_id,
        OAuthClient.deleted_at.is_(None),
    )
    if lock:
        statement = statement.with_for_update(key_share=True)
    return await session.scalar(statement)


async def list_clients(
    session: AgencyReadSession, window: Window, *, tenant_id: UUID | None, staff_id: UUID | None
) -> Sequence[OAuthClient]:
    """The realm's clients by last change, of one owner if asked, up to ``window.limit``."""
    statement = select(OAuthClient).where(
        OAuthClient.realm_id == session.realm_id, OAuthClient.deleted_at.is_(None)
    )
    if tenant_id is not None:
        statement = statement.where(OAuthClient.tenant_id == tenant_id)
    if staff_id is not None:
        statement = statement.where(OAuthClient.staff_id == staff_id)
    beyond = window.beyond(OAuthClient.updated_at, OAuthClient.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(OAuthClient.updated_at, OAuthClient.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def add_client(session: AgencySession, client: OAuthClient) -> None:
    """Insert the client."""
    session.add(client)
    await session.flush()


async def count_live_secrets(session: AgencySession, client_id: UUID, now: datetime) -> int:
    """How many secrets of the client work now."""
    found = await session.scalar(
        select(func.count())
        .select_from(ClientSecret)
        .where(
            ClientSecret.realm_id == session.realm_id,
            ClientSecret.oauth_client_id == client_id,
            _live(now),
        )
    )
    return found or 0


async def add_secret(session: AgencySession, secret: ClientSecret) -> None:
    """Insert the secret's HMAC."""
    session.add(secret)
    await session.flush()


async def find_live_secret(
    session: AgencySession, client_id: UUID, secret_id: UUID, now: datetime
) -> ClientSecret | None:
    """The secret of this client that works now."""
    return await session.scalar(
        select(ClientSecret).where(
            ClientSecret.realm_id == session.realm_id,
            ClientSecret.id == secret_id,
            ClientSecret.oauth_client_id == client_id,
            _live(now),
        )
    )


async def delete_secrets(session: AgencySession, client_id: UUID) -> None:
    """Delete every secret that the client ever had."""
    await session.execute(
        delete(ClientSecret).where(
            ClientSecret.realm_id == session.realm_id, ClientSecret.oauth_client_id == client_id
        )
    )


async def secrets_of(
    session: AgencyReadSession, client_ids: Sequence[UUID], now: datetime
) -> Sequence[ClientSecret]:
    """The live secrets of these clients, the oldest first."""
    return (
        await session.scalars(
            select(ClientSecret)
            .where(
                ClientSecret.realm_id == session.realm_id,
                ClientSecret.oauth_client_id.in_(client_ids),
                _live(now),
            )
            .order_by(ClientSecret.id)
        )
    ).all()


def _live(now: datetime) -> Any:  # noqa: ANN401 - SQLAlchemy's own expression type
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
