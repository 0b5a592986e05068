"""Passwords: hashed and verified. None is logged, stored or named in an error.

Argon2id takes a core for its whole time. It runs in threads of its own, as many as there are
cores; so many may wait for one, and who comes then is told to come back: a flood of sign-ins
must not stop the process.
"""

import asyncio
import os
import secrets
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import Final, TypeVar

import structlog
from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher

from flatbed.tenants.kit.problems import UnavailableError
from flatbed.tenants.people.rules import passwords as rules

log = structlog.get_logger(__name__)

T = TypeVar("T")

MEMORY_KIB: Final = 19_456
ROUNDS: Final = 2
LANES: Final = 1
"""OWASP's first choice for Argon2id; a library's own defaults change with its versions."""
WAITING: Final = 32
RETRY_SECONDS: Final = 1


class UnusablePasswordError(ValueError):
    """A password was to be hashed that is empty, unreadable or too long: `judge` was not asked."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the password is right.

    ``rehash``: what to store in place of the old hash, which was made with other parameters.
    """

    ok: bool
    rehash: str | None = field(default=None, repr=False)


def _new_hasher() -> PasswordHash:
    return PasswordHash([Argon2Hasher(memory_cost=MEMORY_KIB, time_cost=ROUNDS, parallelism=LANES)])


@cache
def _of_nobody() -> str:
    """What nobody's password is held against; as dear as a sign-in, so it is made once."""
    return _new_hasher().hash(secrets.token_urlsafe(32))


class Passwords:
    """Hashes and verifies.

    Args:
        workers: threads; None: as many as cores.
        waiting: how many may wait for one.
    """

    def __init__(self, *, workers: int | None = None, waiting: int = WAITING) -> None:
        count = workers or os.cpu_count() or 1
        self._hasher = _new_hasher()
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="argon2")
        self._most = count + waiting
        self._inside = 0
        self._lock = Lock()
        self._nobodys = _of_nobody()

    @property
    def inside(self) -> int:
        """How many are being worked on or wait."""
        return self._inside

    async def hash(self, password: str) -> str:
        """What to store of a password that the rules take.

        Raises:
            UnavailableError: too many wait.
            UnusablePasswordError: no rule would have taken it.
        """
        spelt = rules.normal(password)
        if not spelt:
            raise UnusablePasswordError
        return await self._run(lambda: self._hasher.hash(spelt))

    async def verify(self, password: str, stored: str | None) -> Verdict:
        """Whether the password is the one that was stored.

        Nobody's (``stored`` is None) takes as long as a wrong one, so that the time does not tell
        who has an account.

        Raises:
            UnavailableError: too many wait.
        """
        spelt = rules.normal(password)
        if spelt is None or not stored:
            return await self._run(lambda: self._nobody(spelt or ""))
        return await self._run(lambda: self._compare(spelt, stored))

    def close(self) -> None:
        """Let the threads go; who still waits is cancelled."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _nobody(self, spelt: str) -> Verdict:
        self._hasher.verify(spelt, self._nobodys)
        return Verdict(ok=False)

    def _compare(self, spelt: str, stored: str) -> Verdict:
        try:
            ok, rehash = self._hasher.verify_and_update(spelt, stored)
        except PwdlibError:
            log.warning("password_hash_unreadable")
            return self._nobody(spelt)
        return Verdict(ok, rehash)

    async def _run(self, work: Callable[[], T]) -> T:
        with self._lock:
            if self._inside >= self._most:
                raise UnavailableError(headers={"Retry-After": str(RETRY_SECONDS)})
            self._inside += 1
        try:
            future = self._threads.submit(work)
        except BaseException:
            self._left(None)
            raise
        # One that is cancelled before its turn leaves the line at once; a running one cannot be
        # stopped, and keeps its place until it is done.
        future.add_done_callback(self._left)
        return await asyncio.wrap_future(future)

    def _left(self, _: Future[T] | None) -> None:
        with self._lock:
            self._inside -= 1
