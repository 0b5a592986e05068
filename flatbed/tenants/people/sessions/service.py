"""Sessions of browsers: opaque cookies, kept as HMAC, idle 30 minutes and 12 hours at most.

A cookie never lives on through a sign-in: who planted one has nothing of it. The id of the same
person's session does, since what he lent to applications from that browser hangs on it. Sessions
live by the system's time in every realm.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from flatbed.tenants.access.principal import FRESH_FOR
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.people.accounts.repository import hold_account, lock_account
from flatbed.tenants.people.models import ONE_FACTOR, UserAccount, UserSession
from flatbed.tenants.people.ports import GrantEnding
from flatbed.tenants.people.sessions import repository

COOKIE: Final = "__Host-flatbed"
USE: Final = "user-session"
LONGEST: Final = timedelta(hours=12)
AGENT_LENGTH: Final = 200
_COOKIE_LENGTH: Final = 43


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who sits at a browser; ``auth_at`` is when he last proved it, ``acr`` how."""

    session_id: UUID
    user_id: UUID
    name: str = field(repr=False)
    email: str = field(repr=False)
    locale: str
    acr: str
    auth_at: datetime

    @property
    def binding(self) -> bytes:
        """What the forms of his pages are bound to."""
        return self.session_id.bytes

    def is_fresh(self, now: datetime) -> bool:
        """Whether he proved who he is lately enough for a step-up."""
        return now - self.auth_at <= FRESH_FOR


@dataclass(frozen=True, slots=True)
class Sessions:
    """Finds, begins and ends sessions, and with one what was lent to applications from it.

    Who signs out of a browser, or leaves it to another, is no longer there: what he let do
    something in his absence (``offline_access``) goes on. A browser that he ends from another one
    is one that he does not trust: then nothing does.
    """

    keyring: Keyring
    grants: GrantEnding
    now: Callable[[], datetime] = system_now

    async def of(self, session: LoginSession, cookie: str | None) -> SignedIn | None:
        """Who the cookie's browser is signed in as, None for nobody any more."""
        if cookie is None or len(cookie) != _COOKIE_LENGTH or not cookie.isascii():
            return None
        now = self.now()
        found = await repository.find_session(session, self._digest(cookie), now)
        if found is None:
            return None
        row, account = found
        await repository.touch(session, row.id, now)
        return SignedIn(
            session_id=row.id,
            user_id=account.id,
            name=account.name,
            email=account.email,
            locale=account.locale,
            acr=row.acr,
            auth_at=row.auth_at,
        )

    async def begin(
        self,
        session: LoginSession,
        account: UserAccount,
        *,
        acr: str,
        agent: str,
        before: str | None,
        auth_at: datetime | None = None,
    ) -> str | None:
        """Sign the person in. Returns the new cookie.

        None: he was switched off, has changed his password since it was looked at, or has a second
        factor since and did not show it.

        Args:
            session: the login's transaction.
            account: as it was when he proved who he is.
            acr: how he did.
            agent: what his browser says of itself.
            before: the cookie that it came with; it is worth nothing afterwards.
            auth_at: when he proved who he is; None: just now.
        """
        password_at = account.password_at
        held = await hold_account(session, account.id)
        if held is None or not held.active or held.password_at != password_at:
            return None
        if acr == ONE_FACTOR and held.totp_at is not None:
            return None
        now, cookie = self.now(), secrets.token_urlsafe(32)
        row = UserSession(
            id=await self._succeed(session, held.id, before, now),
            user_id=held.id,
            digest=self._digest(cookie),
            acr=acr,
            agent=agent[:AGENT_LENGTH],
            created_at=now,
            auth_at=auth_at or now,
            seen_at=now,
            expires_at=now + LONGEST,
        )
        await repository.add_session(session, row)
        return cookie

    async def hold(self, session: LoginSession, person: SignedIn) -> UserAccount | None:
        """The person, alone until this transaction ends; None: his session has ended meanwhile.

        Whatever ends sessions of his waits, or was waited for: who is signed out while his request
        is under way changes nothing any more, and is not signed in anew by it.
        """
        account = await lock_account(session, person.user_id)
        alive = await repository.is_alive(session, person.user_id, person.session_id, self.now())
        return account if alive else None

    async def end(self, session: LoginSession, cookie: str | None) -> None:
        """Sign the browser of this cookie out; what was lent for a person's presence ends."""
        if cookie is not None:
            await self._leave(session, self._digest(cookie))

    async def live(self, session: LoginSession, user_id: UUID) -> Sequence[UserSession]:
        """The browsers that the person is signed in with, the newest first."""
        return await repository.live_sessions(session, user_id, self.now())

    async def end_one(self, session: LoginSession, user_id: UUID, session_id: UUID) -> bool:
        """End one of the person's sessions and what he lent from it. False: he has no such one."""
        await lock_account(session, user_id)
        if not await repository.end_one(session, user_id, session_id, self.now()):
            return False
        await self.grants.of_session(session, session_id)
        return True

    async def end_others(self, session: LoginSession, user_id: UUID, kept: UUID) -> int:
        """As :meth:`end_one`, of all but one. Returns how many there were."""
        await lock_account(session, user_id)
        ended = await repository.end_others(session, user_id, kept, self.now())
        for session_id in ended:
            await self.grants.of_session(session, session_id)
        return len(ended)

    async def _succeed(
        self, session: LoginSession, user_id: UUID, before: str | None, now: datetime
    ) -> UUID:
        """The id of the next session in place of the one of this cookie, which ends."""
        if before is None:
            return uuid7()
        digest = self._digest(before)
        same = await repository.take_place(session, digest, user_id, now)
        if same is not None:
            return same
        await self._leave(session, digest)
        return uuid7()

    async def _leave(self, session: LoginSession, digest: bytes) -> None:
        for session_id in await repository.end_digest(session, digest, self.now()):
            await self.grants.of_presence(session, session_id)

    def _digest(self, cookie: str) -> bytes:
        return self.keyring.mac(USE, cookie.encode("utf-8", "replace"))
