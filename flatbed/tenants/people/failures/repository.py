"""All SQL of the counts of failures. Each is one statement: none is lost among many at once."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

from flatbed.tenants.kit.database.purging import delete_some
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.people.models import FailureCount
from flatbed.tenants.people.rules.failures import MOST, WINDOW


@dataclass(frozen=True, slots=True)
class Count:
    """So many failures since then."""

    began_at: datetime
    count: int


async def find_count(session: LoginSession, key: bytes) -> Count | None:
    """What is counted under this key, of whatever age."""
    row = (
        await session.execute(
            select(FailureCount.began_at, FailureCount.count).where(FailureCount.key == key)
        )
    ).one_or_none()
    return None if row is None else Count(*row)


async def add_failure(session: LoginSession, key: bytes, now: datetime) -> None:
    """Count one more, in a new window if the last one has ended."""
    await session.execute(_counting(key, now, capped=False))


async def take_try(session: LoginSession, key: bytes, now: datetime) -> Count | None:
    """Count one more unless the window is full; None: it is, and nothing was counted."""
    row = (await session.execute(_counting(key, now, capped=True))).one_or_none()
    return None if row is None else Count(*row)


async def give_back(session: LoginSession, key: bytes, began_at: datetime) -> None:
    """Count one less, unless another window has begun since."""
    await session.execute(
        update(FailureCount)
        .where(
            FailureCount.key == key,
            FailureCount.began_at == began_at,
            FailureCount.count > 0,
        )
        .values(count=FailureCount.count - 1)
        .execution_options(synchronize_session=False)
    )


async def purge_failures(session: LoginSession, now: datetime) -> bool:
    """Forget windows that have ended. Returns whether some may be left."""
    return await delete_some(session, FailureCount, _over(now))


def _counting(key: bytes, now: datetime, *, capped: bool) -> ReturningInsert[datetime, int]:
    fresh = insert(FailureCount).values(key=key, began_at=now, count=1)
    over = _over(now)
    return fresh.on_conflict_do_update(
        index_elements=[FailureCount.key],
        set_={
            "began_at": case((over, now), else_=FailureCount.began_at),
            "count": case((over, 1), else_=FailureCount.count + 1),
        },
        where=or_(over, FailureCount.count < MOST) if capped else None,
    ).returning(FailureCount.began_at, FailureCount.count)


def _over(now: datetime) -> ColumnElement[bool]:
    return or_(FailureCount.began_at <= now - WINDOW, FailureCount.began_at > now + WINDOW)
