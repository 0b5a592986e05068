"""SQL for what mails are made of."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.people.models import PasswordReset, UserAccount


@dataclass(frozen=True, slots=True)
class Asked:
    """A password reset, and whose it is."""

    email: str = field(repr=False)
    locale: str
    active: bool
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


async def find_reset(session: LoginSession, reset_id: UUID) -> Asked | None:
    """The password reset of this id."""
    statement = (
        select(
            UserAccount.email,
            UserAccount.locale,
            UserAccount.active,
            PasswordReset.created_at,
            PasswordReset.expires_at,
            PasswordReset.used_at,
        )
        .join(UserAccount, UserAccount.id == PasswordReset.user_id)
        .where(PasswordReset.id == reset_id)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else Asked(*row)
