"""An error as a code: what logs and dead letters may hold, since a text may hold values of rows."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import stamina
from sqlalchemy.exc import DBAPIError
from stamina.instrumentation import set_on_retry_hooks

from flatbed.tenants.kit.problems import Problem

T = TypeVar("T")

# Its own log line about a retry holds the error's text.
set_on_retry_hooks(())

TRANSIENT: Final = frozenset({"40001", "40P01", "55P03"})
"""SQLSTATEs after which the same transaction may succeed: serialisation, deadlock, lock wait."""


def failure_code(error: BaseException) -> str:
    """The problem's code, else ``sql-<SQLSTATE>``, else the type's name."""
    if isinstance(error, Problem):
        return error.code
    sqlstate = _sqlstate(error)
    return type(error).__name__ if sqlstate is None else f"sql-{sqlstate.lower()}"


def is_transient(error: Exception) -> bool:
    """Whether doing the whole transaction again at once is worth it."""
    return _sqlstate(error) in TRANSIENT


async def retried(work: Callable[[], Awaitable[T]]) -> T:
    """Do a whole transaction, again up to twice where the database asks for it."""
    return await stamina.retry(on=is_transient, attempts=3)(_awaited)(work)


async def _awaited(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


def _sqlstate(error: BaseException) -> str | None:
    if not isinstance(error, DBAPIError):
        return None
    found: str | None = getattr(error.orig, "sqlstate", None)
    return found
