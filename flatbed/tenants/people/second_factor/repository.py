"""SQL for recovery codes as they are made and counted."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, insert, select

from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.people.models import RecoveryCode


async def add_codes(session: LoginSession, user_id: UUID, digests: Sequence[bytes]) -> None:
    """Store the codes of a person, none of them used."""
    rows = [{"user_id": user_id, "digest": digest} for digest in digests]
    await session.execute(insert(RecoveryCode), rows)


async def count_unused(session: LoginSession, user_id: UUID) -> int:
    """How many codes the person has left."""
    statement = select(func.count()).where(
        RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
    )
    return await session.scalar(statement) or 0
