"""SQL for sessions, all of it in the login plane."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, select, update

from flatbed.tenants.kit.database.purging import delete_some
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.people.models import UserAccount, UserSession

IDLE: Final = timedelta(minutes=30)
SEEN_EVERY: Final = timedelta(minutes=1)


def lives(now: datetime) -> ColumnElement[bool]:
    """Whether somebody is signed in in the session; one that lay idle never wakes again."""
    return and_(
        UserSession.revoked_at.is_(None),
        UserSession.expires_at > now,
        UserSession.seen_at > now - IDLE,
    )


async def find_session(
    session: LoginSession, digest: bytes, now: datetime
) -> tuple[UserSession, UserAccount] | None:
    """The live session of this cookie with its person, if he is active."""
    row = await session.execute(
        select(UserSession, UserAccount)
        .join(UserAccount, UserAccount.id == UserSession.user_id)
        .where(UserSession.digest == digest, lives(now), UserAccount.active)
        .execution_options(populate_existing=True)
    )
    found = row.one_or_none()
    return None if found is None else (found[0], found[1])


async def is_alive(session: LoginSession, user_id: UUID, session_id: UUID, now: datetime) -> bool:
    """Whether the person's session of this id still lives."""
    mine = and_(UserSession.user_id == user_id, UserSession.id == session_id)
    return bool(await session.scalar(select(exists().where(mine, lives(now)))))


async def touch(session: LoginSession, session_id: UUID, now: datetime) -> None:
    """Note that the session is in use, at most once a minute."""
    await session.execute(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.seen_at <= now - SEEN_EVERY)
        .values(seen_at=now)
        .execution_options(synchronize_session=False)
    )


async def take_place(
    session: LoginSession, digest: bytes, user_id: UUID, now: datetime
) -> UUID | None:
    """Delete the person's own live session of this cookie. Returns its id, for the next one.

    What was lent to applications from a browser hangs on that id. Of two at once one gets it.
    """
    statement = (
        delete(UserSession)
        .where(UserSession.digest == digest, UserSession.user_id == user_id, lives(now))
        .returning(UserSession.id)
        .execution_options(synchronize_session=False)
    )
    return await session.scalar(statement)


async def add_session(session: LoginSession, row: UserSession) -> None:
    """Insert the session."""
    session.add(row)
    await session.flush()


async def live_sessions(
    session: LoginSession, user_id: UUID, now: datetime
) -> Sequence[UserSession]:
    """The browsers that the person is signed in with, the newest first."""
    statement = (
        select(UserSession)
        .where(UserSession.user_id == user_id, lives(now))
        .order_by(UserSession.created_at.desc(), UserSession.id)
    )
    return (await session.scalars(statement)).all()


async def count_sessions(session: LoginSession, user_id: UUID, now: datetime) -> int:
    """In how many browsers the person is signed in."""
    statement = select(func.count()).where(UserSession.user_id == user_id, lives(now))
    return await session.scalar(statement) or 0


async def end_digest(session: LoginSession, digest: bytes, now: datetime) -> Sequence[UUID]:
    """End the session of this cookie, if there is one. Returns which."""
    return await _end(session, UserSession.digest == digest, now)


async def end_one(session: LoginSession, user_id: UUID, session_id: UUID, now: datetime) -> bool:
    """End one session of the person. Returns whether there was one to end."""
    which = and_(UserSession.user_id == user_id, UserSession.id == session_id)
    return bool(await _end(session, which, now))


async def end_all(session: LoginSession, user_id: UUID, now: datetime) -> int:
    """Sign the person out everywhere. Returns of how many browsers."""
    count = await count_sessions(session, user_id, now)
    await _end(session, UserSession.user_id == user_id, now)
    return count


async def end_others(
    session: LoginSession, user_id: UUID, kept: UUID, now: datetime
) -> Sequence[UUID]:
    """End every session of the person but one, also those that lie idle. Returns which."""
    others = and_(UserSession.user_id == user_id, UserSession.id != kept)
    return await _end(session, others, now)


async def purge_sessions(session: LoginSession, now: datetime) -> bool:
    """Forget sessions a day after their end. Returns whether some may be left."""
    return await delete_some(
        session, UserSession, UserSession.expires_at <= now - timedelta(days=1)
    )


async def _end(session: LoginSession, which: ColumnElement[bool], now: datetime) -> Sequence[UUID]:
    statement = (
        update(UserSession)
        .where(which, UserSession.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(UserSession.id)
        .execution_options(synchronize_session=False)
    )
    return (await session.scalars(statement)).all()
