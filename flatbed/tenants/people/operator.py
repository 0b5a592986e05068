"""What an operator does to a person's account, each in one login on its locked row."""

from dataclasses import dataclass

import structlog

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.people.accounts import repository
from flatbed.tenants.people.mailing.jobs import mail_notice
from flatbed.tenants.people.models import UserAccount
from flatbed.tenants.people.ports import GrantEnding
from flatbed.tenants.people.sessions.repository import end_all

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """The account, and of how many browsers its person was signed out."""

    account: UserAccount
    sessions: int


@dataclass(frozen=True, slots=True)
class Accounts:
    """Changes accounts by their address as it is stored; ``grants`` ends what was lent."""

    grants: GrantEnding

    async def disable(self, session: LoginSession, email: str) -> Ended:
        """Switch the account off: signed out everywhere, and what acts for it stops.

        Applications, and the personal clients of staff, which stay off when the account is switched
        on again. One that an admin makes or switches on meanwhile is his own doing.

        Raises:
            NotFoundError: nobody has the address.
        """
        account = await _locked(session, email)
        now = system_now()
        account.active, account.updated_at = False, now
        sessions = await end_all(session, account.id, now)
        await repository.end_resets(session, account.id, now)
        await self.grants.of_user(session, account.id)
        await self.grants.personal_clients(session, account.id)
        log.info("user_disabled", user_id=str(account.id), sessions=sessions)
        return Ended(account, sessions)

    async def enable(self, session: LoginSession, email: str) -> Ended:
        """Let the person sign in again; what had ended does not come back.

        Raises:
            NotFoundError: nobody has the address.
        """
        account = await _locked(session, email)
        if account.active:
            return Ended(account, 0)
        now = system_now()
        account.active, account.updated_at = True, now
        # What slipped in while the account was being switched off must not wake.
        sessions = await end_all(session, account.id, now)
        await self.grants.of_user(session, account.id)
        await self.grants.personal_clients(session, account.id)
        log.info("user_enabled", user_id=str(account.id))
        return Ended(account, sessions)

    async def reset_totp(self, session: LoginSession, email: str) -> Ended:
        """Forget the second factor and its recovery codes: signed out everywhere, every grant ends.

        Raises:
            NotFoundError: nobody has the address.
        """
        account = await _locked(session, email)
        now = system_now()
        had_one = account.totp_at is not None
        account.totp_box = account.totp_at = account.totp_step = None
        account.updated_at = now
        await repository.forget_recovery_codes(session, account.id)
        if had_one:
            await mail_notice(session, account.id, "second-factor-off")
        sessions = await end_all(session, account.id, now)
        # What he lost may be the device on which an application acts for him, too.
        await self.grants.of_user(session, account.id)
        log.info("user_totp_reset", user_id=str(account.id), sessions=sessions)
        return Ended(account, sessions)


async def _locked(session: LoginSession, email: str) -> UserAccount:
    found = await repository.account_of(session, email)
    account = None if found is None else await repository.lock_account(session, found.id)
    if account is None:
        raise NotFoundError
    return account
