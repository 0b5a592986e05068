"""SQL for ways to a new password."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, insert, literal, select, update

from flatbed.tenants.kit.database.purging import delete_some
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.people.models import PasswordReset, UserAccount

MOST: Final = 3
WITHIN: Final = timedelta(minutes=15)
LASTS: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class OpenReset:
    """A reset that may be used, and whose it is."""

    user_id: UUID
    email: str = field(repr=False)


async def add_reset(session: LoginSession, reset_id: UUID, email: str, now: datetime) -> None:
    """Make a way to a new password for the active account of this address, if there is one.

    One statement, whoever is asked for: its time tells little. Three within a quarter of an hour
    are enough for anybody.
    """
    recent = (
        select(func.count())
        .select_from(PasswordReset)
        .where(PasswordReset.user_id == UserAccount.id, PasswordReset.created_at > now - WITHIN)
        .scalar_subquery()
    )
    row = select(literal(reset_id), UserAccount.id, literal(now), literal(now + LASTS)).where(
        UserAccount.email == email, UserAccount.active, recent < MOST
    )
    columns = ["id", "user_id", "created_at", "expires_at"]
    await session.execute(insert(PasswordReset).from_select(columns, row, include_defaults=False))


async def find_open(session: LoginSession, reset_id: UUID, now: datetime) -> OpenReset | None:
    """The reset of this id, if it may be used."""
    statement = (
        select(UserAccount.id, UserAccount.email)
        .join(PasswordReset, PasswordReset.user_id == UserAccount.id)
        .where(
            PasswordReset.id == reset_id,
            PasswordReset.used_at.is_(None),
            PasswordReset.expires_at > now,
            UserAccount.active,
        )
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else OpenReset(*row)


async def use_reset(session: LoginSession, reset_id: UUID, now: datetime) -> bool:
    """Use the reset up. Returns whether it was good until now: of several at once one wins."""
    statement = (
        update(PasswordReset)
        .where(
            PasswordReset.id == reset_id,
            PasswordReset.used_at.is_(None),
            PasswordReset.expires_at > now,
        )
        .values(used_at=now)
        .returning(PasswordReset.id)
        .execution_options(synchronize_session=False)
    )
    return await session.scalar(statement) is not None


async def purge_resets(session: LoginSession, now: datetime) -> bool:
    """Forget resets a day after their end. Returns whether some may be left."""
    old = PasswordReset.expires_at <= now - timedelta(days=1)
    return await delete_some(session, PasswordReset, old)
