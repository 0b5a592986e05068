"""A new password: by the old one, or by a link that was mailed.

Whoever is signed in with the old one is signed out. A second factor stays as it is: a link in a
mail does not stand for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller, LoginSession
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.people.accounts import repository as accounts
from flatbed.tenants.people.addresses import normal
from flatbed.tenants.people.links import PASSWORD_RESET, read_link
from flatbed.tenants.people.mailing.jobs import mail_notice, mail_reset
from flatbed.tenants.people.models import UserAccount
from flatbed.tenants.people.new_password import repository
from flatbed.tenants.people.new_password.repository import OpenReset
from flatbed.tenants.people.ports import GrantEnding
from flatbed.tenants.people.rules.failures import Subject
from flatbed.tenants.people.rules.passwords import Weakness, judge
from flatbed.tenants.people.sessions.repository import end_all
from flatbed.tenants.people.sessions.service import Sessions, SignedIn
from flatbed.tenants.people.signing_in.service import NOBODY, Browser, SigningIn


@dataclass(frozen=True, slots=True)
class Changed:
    """The cookie in place of the session's old one."""

    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewPasswords:
    """Changes and resets, each with transactions of its own."""

    database: Database
    keyring: Keyring
    sessions: Sessions
    signing_in: SigningIn
    grants: GrantEnding
    now: Callable[[], datetime] = system_now

    async def change(
        self, caller: Caller, browser: Browser, person: SignedIn, current: str, new: str
    ) -> Changed | Weakness | None:
        """Put a new password in place of the current one; every other browser is signed out.

        None: the current one is not right.

        Raises:
            TooManyFailuresError: too many tries.
            UnavailableError: too many sign in at once.
        """
        weakness = judge(new, email=person.email)
        if weakness is not None:
            return weakness
        tries = await self.signing_in.tried(caller, browser, person.email)
        async with self.database.login(caller=caller) as session:
            found = await accounts.find_account(session, person.user_id)
        stored = None if found is None else found.password_hash
        verdict = await self.signing_in.verified(tries, caller, current, stored)
        if found is None or not verdict.ok:
            return None
        async with self.database.login(caller=caller) as session:
            await self.signing_in.was_right(session, tries)
        hashed = await self.signing_in.passwords.hash(new)
        async with self.database.login(caller=caller) as session:
            account = await self.sessions.hold(session, person)
            if account is None or account.password_at != found.password_at:
                return None
            await self._store(session, account, hashed)
            await self.sessions.end_others(session, account.id, person.session_id)
            # Who knew the old one may have let in what acts in his absence, and signed out.
            await self.grants.of_user(session, account.id, kept=person.session_id)
            cookie = await self.sessions.begin(
                session,
                account,
                acr=person.acr,
                agent=browser.agent,
                before=browser.session,
                auth_at=person.auth_at,
            )
        return None if cookie is None else Changed(cookie)

    async def ask(self, caller: Caller, browser: Browser, email: str) -> None:
        """Have a link mailed, if somebody active has the address. Nobody is told whether.

        Raises:
            TooManyFailuresError: ten were asked for within a minute, for this address and network.
        """
        address = normal(email) or NOBODY
        failures = self.signing_in.failures
        await failures.begin(failures.key(Subject.RESET, address, browser.address), caller)
        reset_id = uuid7()
        async with self.database.login(caller=caller) as session:
            await repository.add_reset(session, reset_id, address, self.now())
            # Also for nobody, which takes as long: the job finds nothing to send.
            await mail_reset(session, reset_id)

    async def open(self, session: LoginSession, token: str) -> OpenReset | None:
        """Whose new password the link is for; None: it is unknown, altered, used or expired."""
        reset_id = self._id(token)
        if reset_id is None:
            return None
        return await repository.find_open(session, reset_id, self.now())

    async def reset(self, caller: Caller, token: str, new: str) -> OpenReset | Weakness | None:
        """Use the link up for a new password; every browser is signed out, every grant ends.

        None: the link is not good any more.

        Raises:
            UnavailableError: too many sign in at once.
        """
        reset_id = self._id(token)
        async with self.database.login(caller=caller) as session:
            found = await self.open(session, token)
        if reset_id is None or found is None:
            return None
        weakness = judge(new, email=found.email)
        if weakness is not None:
            return weakness
        hashed = await self.signing_in.passwords.hash(new)
        async with self.database.login(caller=caller) as session:
            account = await accounts.lock_account(session, found.user_id)
            is_good = await repository.use_reset(session, reset_id, self.now())
            if account is None or not account.active or not is_good:
                return None
            await self._store(session, account, hashed)
            await end_all(session, account.id, self.now())
            await self.grants.of_user(session, account.id)
        return found

    def _id(self, token: str) -> UUID | None:
        return read_link(self.keyring, PASSWORD_RESET, token)

    async def _store(self, session: LoginSession, account: UserAccount, hashed: str) -> None:
        now = self.now()
        account.password_hash, account.password_at, account.updated_at = hashed, now, now
        await session.flush()
        await accounts.end_resets(session, account.id, now)
        await mail_notice(session, account.id, "password-changed")
