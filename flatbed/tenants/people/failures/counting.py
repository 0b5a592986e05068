"""Counting failures, so that nobody tries passwords by the thousand.

Two ways. What a person types can be guessed, so a try is counted before it is looked at and taken
back when it was right: of any number at once no more than ten are ever looked at. Counting
(`begin`) is a transaction of its own, since that of the request is rolled back when it fails. Call
it before that one begins, never inside: it would hold a connection and wait for another. A try is
taken back (`succeeded`) in the transaction that it was for: all of it holds, or nothing.

A client's secret cannot be guessed, and a good client signs in many times a second: only its
failures are counted (`wait`, `failed`), within the login that answers it, which is committed also
where it refuses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller, LoginSession
from flatbed.tenants.kit.edge.addresses import Address
from flatbed.tenants.people.failures import repository
from flatbed.tenants.people.failures.errors import TooManyFailuresError
from flatbed.tenants.people.rules.failures import (
    Subject,
    message_of,
    prefix_of,
    wait_seconds,
)

USE: Final = "failure-count"


@dataclass(frozen=True, slots=True)
class Try:
    """One try, counted as a failure until it is taken back."""

    key: bytes
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Failures:
    """The counts of a deployment, shared by its processes.

    Args:
        database: opens the transactions.
        keyring: makes the keys of the counts: the table holds no name and no address.
        now: system time.
    """

    database: Database
    keyring: Keyring
    now: Callable[[], datetime] = system_now

    def key(self, subject: Subject, name: str, address: Address | None) -> bytes:
        """The key of what fails: an account by its e-mail address, or a client by its id."""
        return self.keyring.mac(USE, message_of(subject, name, prefix_of(address)))

    async def begin(self, key: bytes, caller: Caller) -> Try:
        """Count a try before it is looked at.

        Raises:
            TooManyFailuresError: the window is full; nothing was counted.
        """
        now = self.now()
        async with self.database.login(caller=caller) as session:
            count = await repository.take_try(session, key, now)
            if count is not None:
                return Try(key, count.began_at)
            found = await repository.find_count(session, key)
        # Another's try may have been taken back meanwhile: then there is room in a moment.
        raise TooManyFailuresError(_wait(found, now) or 1)

    async def succeeded(self, session: LoginSession, tried: Try) -> None:
        """Take the try back: it was none of a stranger's."""
        await repository.give_back(session, tried.key, tried.began_at)

    async def wait(self, session: LoginSession, key: bytes) -> int | None:
        """For how many seconds whoever has failed too often is refused; None: he is not."""
        return _wait(await repository.find_count(session, key), self.now())

    async def failed(self, session: LoginSession, key: bytes) -> None:
        """Count a failure."""
        await repository.add_failure(session, key, self.now())


def _wait(found: repository.Count | None, now: datetime) -> int | None:
    return None if found is None else wait_seconds(found.began_at, found.count, now)
