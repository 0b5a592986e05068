"""SQL of the operations on clients and their secrets.

On the agency plane they are the realm's, in an ISV's transaction that ISV's own. Row security
says the same; here it is said once more, so that one of the two may fail.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, select, update

from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import (
    AgencySession,
    EitherReadSession,
    EitherSession,
    TenantReadSession,
)
from flatbed.tenants.oauth.models import ClientSecret, OAuthClient
from flatbed.tenants.oauth.repository import is_live


async def find_client(
    session: EitherReadSession, client_id: UUID, *, lock: bool = False
) -> OAuthClient | None:
    """The client of this id that the transaction may manage, unless it is deleted."""
    statement = select(OAuthClient).where(
        _mine(session, OAuthClient),
        OAuthClient.id == client_id,
        OAuthClient.deleted_at.is_(None),
    )
    if lock:
        statement = statement.with_for_update(key_share=True)
    return await session.scalar(statement)


async def list_clients(
    session: EitherReadSession, window: Window, *, tenant_id: UUID | None, staff_id: UUID | None
) -> Sequence[OAuthClient]:
    """The clients by last change, of one owner if asked, up to ``window.limit``."""
    statement = select(OAuthClient).where(
        _mine(session, OAuthClient), OAuthClient.deleted_at.is_(None)
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


async def switch_off(session: AgencySession, staff_id: UUID) -> Sequence[UUID]:
    """Let no client of the staff member act any more. Returns which did."""
    statement = (
        update(OAuthClient)
        .where(_mine(session, OAuthClient), OAuthClient.staff_id == staff_id, OAuthClient.active)
        .values(active=False, updated_at=session.now(), version=OAuthClient.version + 1)
        .returning(OAuthClient.id)
        .execution_options(synchronize_session=False)
    )
    return (await session.scalars(statement)).all()


async def add_client(session: EitherSession, client: OAuthClient) -> None:
    """Insert the client."""
    session.add(client)
    await session.flush()


async def count_live_secrets(session: EitherSession, client_id: UUID, now: datetime) -> int:
    """How many secrets of the client work now."""
    found = await session.scalar(
        select(func.count())
        .select_from(ClientSecret)
        .where(
            _mine(session, ClientSecret),
            ClientSecret.oauth_client_id == client_id,
            is_live(now),
        )
    )
    return found or 0


async def add_secret(session: EitherSession, secret: ClientSecret) -> None:
    """Insert the secret's HMAC."""
    session.add(secret)
    await session.flush()


async def find_live_secret(
    session: EitherSession, client_id: UUID, secret_id: UUID, now: datetime
) -> ClientSecret | None:
    """The secret of this client that works now."""
    return await session.scalar(
        select(ClientSecret).where(
            _mine(session, ClientSecret),
            ClientSecret.id == secret_id,
            ClientSecret.oauth_client_id == client_id,
            is_live(now),
        )
    )


async def delete_secrets(session: EitherSession, client_id: UUID) -> None:
    """Delete every secret that the client ever had."""
    await session.execute(
        delete(ClientSecret).where(
            _mine(session, ClientSecret), ClientSecret.oauth_client_id == client_id
        )
    )


async def secrets_of(
    session: EitherReadSession, client_ids: Sequence[UUID], now: datetime
) -> Sequence[ClientSecret]:
    """The live secrets of these clients, the oldest first."""
    return (
        await session.scalars(
            select(ClientSecret)
            .where(
                _mine(session, ClientSecret),
                ClientSecret.oauth_client_id.in_(client_ids),
                is_live(now),
            )
            .order_by(ClientSecret.id)
        )
    ).all()


def _mine(
    session: EitherReadSession, table: type[OAuthClient | ClientSecret]
) -> ColumnElement[bool]:
    of_realm = table.realm_id == session.realm_id
    if isinstance(session, TenantReadSession):
        return and_(of_realm, table.tenant_id == session.tenant_id)
    return of_realm
