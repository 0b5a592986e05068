"""Turning the signing keys: by the worker's schedule, and when an operator asks.

One transaction turns them, one at a time. What changed is logged by kids alone.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.oauth.keys import repository
from flatbed.tenants.oauth.keys.keyset import CALLER, SigningKeyMissingError, fresh, opened, record
from flatbed.tenants.oauth.rules.rotation import (
    ACTIVE,
    NEXT,
    KeyRecord,
    Plan,
    Wish,
    find,
    plan,
    promotable_from,
)

log = structlog.get_logger(__name__)


class UnknownSigningKeyError(ValueError):
    """A key that was to be revoked is not there."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was done, and the keys as they are now."""

    active: KeyRecord
    following: KeyRecord
    retired: str | None
    """The kid of the key that no longer signs; None: nothing was rotated."""
    revoked: frozenset[str]

    @property
    def next_from(self) -> datetime:
        """From when the next key may sign."""
        return promotable_from(self.following)


@dataclass(frozen=True, slots=True)
class Rotor:
    """Turns the keys of a deployment.

    Args:
        database: opens the transactions.
        keyring: encrypts the private parts.
        period: how long a key signs by schedule.
        now: system time.
    """

    database: Database
    keyring: Keyring
    period: timedelta
    now: Callable[[], datetime] = system_now

    async def keys(self) -> list[KeyRecord]:
        """All keys that there ever were, the active one first, then by age."""
        async with self.database.login(caller=CALLER) as session:
            return [record(row) for row in await repository.all_keys(session)]

    async def turn_if_due(self) -> Rotation | None:
        """Do what the schedule asks for, if anything; any number of workers may ask at once."""
        if self._plan(await self.keys(), Wish.SCHEDULE) == Plan():
            return None
        return await self._turn(Wish.SCHEDULE)

    async def rotate(self, *, at_once: bool = False, revoke: Collection[str] = ()) -> Rotation:
        """Let the next key sign, if it was published for 24 hours, and make another next one.

        Of two at once, one rotates; the other tells of what it finds.

        Args:
            at_once: however long it was published: for an active key that is compromised.
            revoke: kids of keys to take away; an active one is replaced at once.

        Raises:
            UnknownSigningKeyError: there is no key to revoke of this kid; nothing is done.
            SigningKeyMissingError: there is no active key.
            SigningKeyUnreadableError: the deployment runs with another secret.
        """
        keys = await self.keys()
        unknown = set(revoke) - {key.kid for key in keys}
        if unknown:
            raise UnknownSigningKeyError(f"no signing key is called {min(unknown)}")
        wish = Wish.AT_ONCE if at_once else Wish.ON_DEMAND
        return await self._turn(wish, revoke, find(keys, ACTIVE))

    def _plan(self, keys: list[KeyRecord], wish: Wish, revoke: Collection[str] = ()) -> Plan:
        return plan(keys, self.now(), wish, period=self.period, revoke=revoke)

    async def _turn(
        self, wish: Wish, revoke: Collection[str] = (), seen: KeyRecord | None = None
    ) -> Rotation:
        async with self.database.login(caller=CALLER) as session:
            await repository.turn_of_keys(session)
            rows = await repository.all_keys(session)
            keys = [record(row) for row in rows]
            active = find(keys, ACTIVE)
            if active is None:
                raise SigningKeyMissingError
            if seen is not None and seen.kid != active.kid:
                # Another was faster: who asked wanted the key gone that he saw.
                wish = Wish.SCHEDULE
            todo = self._plan(keys, wish, revoke)
            for row in rows:
                if row.kid == todo.promote:
                    opened(self.keyring, row)  # or no process could sign
            await self._apply(session, todo)
            after = [record(row) for row in await repository.all_keys(session)]
        return self._told(after, todo)

    async def _apply(self, session: LoginSession, todo: Plan) -> None:
        now = self.now()
        for kid in sorted(todo.revoke):
            await repository.retire_key(session, kid, now, revoke=True)
        if todo.retire is not None and todo.retire not in todo.revoke:
            await repository.retire_key(session, todo.retire, now, revoke=False)
        if todo.promote is not None:
            await repository.promote_key(session, todo.promote, now)
        for state in todo.make:
            await repository.add_key(session, fresh(self.keyring, state, now))
        if todo.rotates:
            failpoint(Failpoint.SIGNING_KEY_ROTATED)

    @staticmethod
    def _told(keys: list[KeyRecord], todo: Plan) -> Rotation:
        active, following = find(keys, ACTIVE), find(keys, NEXT)
        if active is None or following is None:
            raise SigningKeyMissingError
        done = Rotation(active, following, todo.retire, todo.revoke)
        kids: dict[str, Any] = {"active": active.kid, "next": following.kid}
        if todo.rotates or todo.revoke:
            revoked = sorted(todo.revoke)
            log.info("signing_key_rotated", **kids, retired=todo.retire, revoked=revoked)
        elif todo.make:
            log.info("next_signing_key_made", **kids)
        return done
