"""SQL that ends grants: one statement each, which nobody can come between."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Update, all_, literal, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from flatbed.tenants.access.scopes import OFFLINE
from flatbed.tenants.kit.database.session import (
    AgencySession,
    LoginSession,
    PlaneSession,
    TenantSession,
)
from flatbed.tenants.oauth.grants.ending.ended import (
    MEMBERSHIP_ENDED,
    SESSION_ENDED,
    STAFF_ENDED,
    USER_ENDED,
    Ended,
)
from flatbed.tenants.oauth.grants.models import Grant
from flatbed.tenants.organizations.models import Staff

_Row = tuple[UUID, UUID, UUID | None, UUID | None, UUID | None, UUID, str | None]


def end(session: Session, grant_id: UUID, now: datetime, reason: str) -> list[Ended]:
    """End one grant, unless it has ended."""
    return _read(session.execute(_ending(Grant.id == grant_id, now, reason)).all())


async def end_of_session(session: LoginSession, session_id: UUID, now: datetime) -> list[Ended]:
    """End what was granted from one browser."""
    return await _end(session, Grant.session_id == session_id, now, SESSION_ENDED)


async def end_of_presence(session: LoginSession, session_id: UUID, now: datetime) -> list[Ended]:
    """End what was granted from one browser, but for ``offline_access``."""
    mine = (Grant.session_id == session_id) & (literal(OFFLINE) != all_(Grant.scopes))
    return await _end(session, mine, now, SESSION_ENDED)


async def end_of_user(
    session: LoginSession, user_id: UUID, now: datetime, kept: UUID | None
) -> list[Ended]:
    """End all that a person granted, in every realm, but from the browser session ``kept``."""
    mine = Grant.user_id == user_id
    if kept is not None:
        mine &= Grant.session_id.is_distinct_from(kept)
    return await _end(session, mine, now, USER_ENDED)


async def staff_places(session: LoginSession, user_id: UUID) -> Sequence[tuple[UUID, UUID]]:
    """Realm and staff id of each place that the person has among the staff."""
    rows = await session.execute(select(Staff.realm_id, Staff.id).where(Staff.user_id == user_id))
    return [(row[0], row[1]) for row in rows]


async def end_of_client(
    session: LoginSession, user_id: UUID, client_id: UUID, now: datetime, reason: str
) -> list[Ended]:
    """End all that a person granted to one client."""
    mine = (Grant.user_id == user_id) & (Grant.oauth_client_id == client_id)
    return await _end(session, mine, now, reason)


async def end_of_membership(
    session: TenantSession | AgencySession, membership_id: UUID, now: datetime
) -> list[Ended]:
    """End what a person granted as member of an ISV."""
    mine = (Grant.realm_id == session.realm_id) & (Grant.membership_id == membership_id)
    return await _end(session, mine, now, MEMBERSHIP_ENDED)


async def end_of_staff(session: AgencySession, staff_id: UUID, now: datetime) -> list[Ended]:
    """End what a person granted as staff of the agency."""
    mine = (Grant.realm_id == session.realm_id) & (Grant.staff_id == staff_id)
    return await _end(session, mine, now, STAFF_ENDED)


async def _end(
    session: PlaneSession, which: ColumnElement[bool], now: datetime, reason: str
) -> list[Ended]:
    return _read((await session.execute(_ending(which, now, reason))).all())


def _ending(which: ColumnElement[bool], now: datetime, reason: str) -> ReturningUpdate[*_Row]:
    statement: Update = (
        update(Grant)
        .where(which, Grant.revoked_at.is_(None), Grant.ends_at > now)
        .values(revoked_at=now, revoke_reason=reason)
        .execution_options(synchronize_session=False)
    )
    return statement.returning(
        Grant.id,
        Grant.realm_id,
        Grant.tenant_id,
        Grant.membership_id,
        Grant.staff_id,
        Grant.oauth_client_id,
        Grant.revoke_reason,
    )


def _read(rows: Sequence[Row[*_Row]]) -> list[Ended]:
    return [Ended(*row[:6], reason=str(row[6])) for row in rows]
