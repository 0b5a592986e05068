"""The jobs that mail people, as the transactions ask for them."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.kit.jobs.queue import enqueue
from flatbed.tenants.mail.port import Notice

RESET_JOB: Final = "send_password_reset"
NOTICE_JOBS: Final[Mapping[Notice, str]] = {
    "password-changed": "send_password_changed",
    "second-factor-on": "send_second_factor_on",
    "second-factor-off": "send_second_factor_off",
    "recovery-codes-made": "send_recovery_codes_made",
}


async def mail_reset(session: LoginSession, reset_id: UUID) -> None:
    """Mail the link of a password reset, once this transaction has committed."""
    await enqueue(session, RESET_JOB, reset_id=reset_id)


async def mail_notice(session: LoginSession, user_id: UUID, notice: Notice) -> None:
    """Tell the person what was done to his account, once this transaction has committed."""
    await enqueue(session, NOTICE_JOBS[notice], user_id=user_id)
