"""Getting a second factor, new recovery codes, and giving it up again.

A secret is stored only when a code of it was shown: until then the page that shows it holds it,
sealed for this person and a quarter of an hour.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller, LoginSession
from flatbed.tenants.people import totp
from flatbed.tenants.people.accounts import repository as accounts
from flatbed.tenants.people.mailing.jobs import mail_notice
from flatbed.tenants.people.models import ONE_FACTOR, TWO_FACTORS, UserAccount
from flatbed.tenants.people.policy.repository import needs_second_factor
from flatbed.tenants.people.ports import GrantEnding
from flatbed.tenants.people.seals import Seal
from flatbed.tenants.people.second_factor import repository
from flatbed.tenants.people.sessions.service import Sessions, SignedIn
from flatbed.tenants.people.signing_in.service import Browser, SigningIn

SEAL: Final = Seal("totp-enrolment", timedelta(minutes=15))


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the person has a second factor and must have one, and his codes that are left."""

    has_one: bool
    is_required: bool
    codes_left: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A new secret as it is shown, and as the page keeps it."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The recovery codes, shown once, and the cookie in place of the session's old one."""

    codes: list[str] = field(repr=False)
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """What a person does to his second factor. Each step that shows something again is counted."""

    database: Database
    keyring: Keyring
    sessions: Sessions
    signing_in: SigningIn
    grants: GrantEnding
    now: Callable[[], datetime] = system_now

    async def standing(self, session: LoginSession, user_id: UUID) -> Standing:
        """How it stands."""
        account = await accounts.find_account(session, user_id)
        return Standing(
            account is not None and account.totp_at is not None,
            await needs_second_factor(session, user_id),
            await repository.count_unused(session, user_id),
        )

    def offer(self, person: SignedIn) -> Offer:
        """A new secret for the person; nothing is stored."""
        return self._offered(person, totp.new_secret())

    def again(self, person: SignedIn, sealed: str) -> Offer:
        """The secret that his page has kept; a new one where that is too old or none of his."""
        secret = self._unsealed(person.user_id, sealed)
        return self.offer(person) if secret is None else self._offered(person, secret)

    async def enrol(
        self, caller: Caller, browser: Browser, person: SignedIn, sealed: str, code: str
    ) -> Enrolled | None:
        """Store the secret, whose device has shown this code; sign out every other browser.

        None: the code is not of it, the offer is too old, there is a second factor already, or the
        session has ended meanwhile.
        """
        secret = self._unsealed(person.user_id, sealed)
        if secret is None:
            return None
        now = self.now()
        step = totp.accepted_step(secret, code, now.timestamp(), None)
        if step is None:
            return None
        async with self.database.login(caller=caller, repeatable=False) as session:
            account = await self.sessions.hold(session, person)
            if account is None or account.totp_at is not None:
                return None
            account.totp_box = totp.sealed(self.keyring, account.id, secret)
            account.totp_at, account.totp_step, account.updated_at = now, step, now
            codes = await self._new_codes(session, account)
            await mail_notice(session, account.id, "second-factor-on")
            cookie = await self._changed(session, account, browser, person, TWO_FACTORS)
        return None if cookie is None else Enrolled(codes, cookie)

    async def renew_codes(
        self, caller: Caller, browser: Browser, person: SignedIn, code: str
    ) -> list[str] | None:
        """Ten new recovery codes in place of the old ones; None: the code is not right.

        Raises:
            TooManyFailuresError: too many tries.
        """
        tries = await self.signing_in.tried_code(caller, browser, person.email)
        async with self.database.login(caller=caller, repeatable=False) as session:
            account = await self.sessions.hold(session, person)
            if account is None or not await self.signing_in.proves(session, account, code):
                return None
            await self.signing_in.was_right(session, tries)
            codes = await self._new_codes(session, account)
            await mail_notice(session, account.id, "recovery-codes-made")
        return codes

    async def remove(
        self, caller: Caller, browser: Browser, person: SignedIn, password: str, code: str
    ) -> str | None:
        """Give the second factor up. Returns the cookie of a session that rests on a password.

        Every other browser is signed out, every grant ends. None: password or code is not right, he
        must have a second factor, or the session has ended meanwhile.

        Raises:
            TooManyFailuresError: too many tries.
            UnavailableError: too many sign in at once.
        """
        tries = await self.signing_in.tried_code(caller, browser, person.email)
        async with self.database.login(caller=caller) as session:
            found = await accounts.find_account(session, person.user_id)
        stored = None if found is None else found.password_hash
        if not (await self.signing_in.verified(tries, caller, password, stored)).ok:
            return None
        async with self.database.login(caller=caller, repeatable=False) as session:
            account = await self.sessions.hold(session, person)
            if account is None or found is None or account.password_at != found.password_at:
                return None
            if await needs_second_factor(session, account.id):
                return None
            if not await self.signing_in.proves(session, account, code):
                return None
            await self.signing_in.was_right(session, tries)
            account.totp_box = account.totp_at = account.totp_step = None
            account.updated_at = self.now()
            await accounts.forget_recovery_codes(session, account.id)
            # They say that he proved himself by two factors.
            await self.grants.of_user(session, account.id)
            await mail_notice(session, account.id, "second-factor-off")
            await session.flush()
            return await self._changed(session, account, browser, person, ONE_FACTOR)

    async def _changed(
        self,
        session: LoginSession,
        account: UserAccount,
        browser: Browser,
        person: SignedIn,
        acr: str,
    ) -> str | None:
        """His session by the factors that he has now, in place of all that he had."""
        await self.sessions.end_others(session, account.id, person.session_id)
        return await self.sessions.begin(
            session,
            account,
            acr=acr,
            agent=browser.agent,
            before=browser.session,
            auth_at=person.auth_at,
        )

    async def _new_codes(self, session: LoginSession, account: UserAccount) -> list[str]:
        codes = totp.new_recovery_codes()
        digests = [totp.recovery_digest(self.keyring, account.id, code) for code in codes]
        await accounts.forget_recovery_codes(session, account.id)
        await repository.add_codes(session, account.id, [one for one in digests if one is not None])
        return codes

    def _offered(self, person: SignedIn, secret: str) -> Offer:
        sealed = SEAL.put(self.keyring, person.user_id, secret.encode(), self.now())
        return Offer(secret, totp.provisioning_uri(secret, person.email), sealed)

    def _unsealed(self, user_id: UUID, sealed: str) -> str | None:
        found = SEAL.opened(self.keyring, sealed, self.now())
        if found is None or found.user_id != user_id:
            return None
        return found.content.decode()


async def needs_enrolment(session: LoginSession, user_id: UUID) -> bool:
    """Whether the person must get a second factor before he goes on to an application."""
    account = await accounts.find_account(session, user_id)
    if account is None or account.totp_at is not None:
        return False
    return await needs_second_factor(session, user_id)
