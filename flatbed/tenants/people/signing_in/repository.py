"""SQL of signing in: what is used up by it, each in one statement, so that of two one wins."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, update

from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.people.models import RecoveryCode, UserAccount


async def use_step(session: LoginSession, user_id: UUID, box: bytes, step: int) -> bool:
    """Take a code's time step. Returns whether neither it nor a later one was taken before.

    Nothing is taken where the person has another secret by now than that of ``box``.
    """
    statement = (
        update(UserAccount)
        .where(
            UserAccount.id == user_id,
            UserAccount.totp_box == box,
            or_(UserAccount.totp_step.is_(None), UserAccount.totp_step < step),
        )
        .values(totp_step=step)
        .returning(UserAccount.id)
        .execution_options(synchronize_session=False)
    )
    return await session.scalar(statement) is not None


async def use_recovery_code(
    session: LoginSession, user_id: UUID, digest: bytes, now: datetime
) -> bool:
    """Use a recovery code up. Returns whether it is one of the person's that was not used."""
    statement = (
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user_id,
            RecoveryCode.digest == digest,
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.user_id)
        .execution_options(synchronize_session=False)
    )
    return await session.scalar(statement) is not None


async def store_rehash(session: LoginSession, user_id: UUID, old: str, new: str) -> None:
    """Keep the password hashed with today's parameters, unless it was changed meanwhile."""
    await session.execute(
        update(UserAccount)
        .where(UserAccount.id == user_id, UserAccount.password_hash == old)
        .values(password_hash=new)
        .execution_options(synchronize_session=False)
    )
