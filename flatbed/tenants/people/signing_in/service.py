"""Signing in: a password, then a second factor where there is one.

Unknown, inactive and wrong all take the same work and get the same answer. A try is counted
before it is looked at (``failures``), outside the transaction that signs in.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller, LoginSession
from flatbed.tenants.kit.edge.addresses import Address
from flatbed.tenants.kit.problems import UnavailableError
from flatbed.tenants.people import totp
from flatbed.tenants.people.accounts import repository as accounts
from flatbed.tenants.people.addresses import normal
from flatbed.tenants.people.failures.counting import Failures, Try
from flatbed.tenants.people.models import ONE_FACTOR, TWO_FACTORS, UserAccount
from flatbed.tenants.people.passwords import Passwords, Verdict
from flatbed.tenants.people.policy.repository import needs_second_factor
from flatbed.tenants.people.rules.failures import Subject
from flatbed.tenants.people.sessions.service import Sessions
from flatbed.tenants.people.signing_in import half, repository

NOBODY: Final = "nobody"
Tries = tuple[Try, ...]
"""What is counted of one try, until it was right."""


@dataclass(frozen=True, slots=True)
class Browser:
    """Whose request it is: where from, what it calls itself, and the cookies that it came with."""

    address: Address | None
    agent: str
    session: str | None = field(repr=False)
    half: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entered:
    """Signed in; the new session's cookie, and whether he must first get a second factor."""

    cookie: str = field(repr=False)
    must_enrol: bool = False


@dataclass(frozen=True, slots=True)
class HalfWay:
    """The password was right, the second factor is asked next; the cookie that says so."""

    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SigningIn:
    """The two steps, each with transactions of its own."""

    database: Database
    keyring: Keyring
    passwords: Passwords
    failures: Failures
    sessions: Sessions
    now: Callable[[], datetime] = system_now

    async def tried(self, caller: Caller, browser: Browser, email: str) -> Tries:
        """Count a try to show who one is, before it is looked at.

        Raises:
            TooManyFailuresError: ten failed within a minute, for this address and network.
        """
        key = self.failures.key(Subject.ACCOUNT, email, browser.address)
        return (await self.failures.begin(key, caller),)

    async def tried_code(self, caller: Caller, browser: Browser, email: str) -> Tries:
        """As :meth:`tried`, of a code.

        Raises:
            TooManyFailuresError: as there; or ten codes failed for this address from anywhere.
        """
        tries = await self.tried(caller, browser, email)
        anywhere = self.failures.key(Subject.CODE, email, None)
        return (*tries, await self.failures.begin(anywhere, caller))

    async def was_right(self, session: LoginSession, tries: Tries) -> None:
        """Take the tries back: they were none of a stranger's."""
        for one in tries:
            await self.failures.succeeded(session, one)

    async def verified(
        self, tries: Tries, caller: Caller, password: str, stored: str | None
    ) -> Verdict:
        """Whether the password is right. One that nobody could look at was no failed try.

        Raises:
            UnavailableError: too many sign in at once.
        """
        try:
            return await self.passwords.verify(password, stored)
        except UnavailableError:
            async with self.database.login(caller=caller) as session:
                await self.was_right(session, tries)
            raise

    async def by_password(
        self, caller: Caller, browser: Browser, email: str, password: str
    ) -> Entered | HalfWay | None:
        """The first step; None: it is not right.

        Raises:
            TooManyFailuresError: ten tries failed within a minute, for this address and network.
            UnavailableError: too many sign in at once.
        """
        # What is no address is nobody's, and takes as long.
        address = normal(email) or NOBODY
        tries = await self.tried(caller, browser, address)
        async with self.database.login(caller=caller) as session:
            account = await accounts.account_of(session, address)
        stored = None if account is None else account.password_hash
        verdict = await self.verified(tries, caller, password, stored)
        if account is None or not verdict.ok or not account.active:
            return None
        # Before the account is locked, which who types a code holds while he takes his tries back.
        async with self.database.login(caller=caller) as session:
            await self.was_right(session, tries)
        async with self.database.login(caller=caller) as session:
            if verdict.rehash is not None:
                await repository.store_rehash(
                    session, account.id, account.password_hash, verdict.rehash
                )
            if account.totp_at is not None:
                return HalfWay(half.sealed(self.keyring, account, self.now()))
            return await self._enter(session, account, browser, ONE_FACTOR)

    async def by_code(self, caller: Caller, browser: Browser, code: str) -> Entered | None:
        """The second step: a device's code, or a recovery code; None: it is not right.

        Raises:
            TooManyFailuresError: as at the first step, whose tries count together with these; or
                ten codes failed from anywhere.
            HalfGoneError: the first step is too long ago, or was overtaken.
        """
        async with self.database.login(caller=caller) as session:
            account = await self.half_way(session, browser.half)
        tries = await self.tried_code(caller, browser, account.email)
        async with self.database.login(caller=caller) as session:
            if not await self.proves(session, account, code):
                return None
            await self.was_right(session, tries)
            return await self._enter(session, account, browser, TWO_FACTORS)

    async def new(self, session: LoginSession, user_id: UUID, browser: Browser) -> Entered | None:
        """Let in whoever has just made his account, and so chosen his password."""
        account = await accounts.find_account(session, user_id)
        if account is None:
            return None
        return await self._enter(session, account, browser, ONE_FACTOR)

    async def half_way(self, session: LoginSession, cookie: str | None) -> UserAccount:
        """Who typed the right password and is asked for a code.

        Raises:
            HalfGoneError: nobody, or not any more.
        """
        found = half.opened(self.keyring, cookie, self.now())
        account = None if found is None else await accounts.find_account(session, found.user_id)
        if found is None or account is None or not found.is_of(account) or account.totp_at is None:
            raise HalfGoneError
        return account

    async def proves(self, session: LoginSession, account: UserAccount, code: str) -> bool:
        """Whether the code is the person's and was not used before; it is used up by this."""
        if account.totp_box is not None:
            secret = totp.opened(self.keyring, account.id, account.totp_box)
            step = totp.accepted_step(secret, code, self.now().timestamp(), account.totp_step)
            if step is not None:
                return await repository.use_step(session, account.id, account.totp_box, step)
        digest = totp.recovery_digest(self.keyring, account.id, code)
        if digest is None:
            return False
        return await repository.use_recovery_code(session, account.id, digest, self.now())

    async def _enter(
        self, session: LoginSession, account: UserAccount, browser: Browser, acr: str
    ) -> Entered | None:
        cookie = await self.sessions.begin(
            session, account, acr=acr, agent=browser.agent, before=browser.session
        )
        if cookie is None:
            return None
        return Entered(cookie, acr == ONE_FACTOR and await needs_second_factor(session, account.id))


class HalfGoneError(Exception):
    """The first step of signing in is to be done again."""
