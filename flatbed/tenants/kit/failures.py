"""An error as a code: what logs and dead letters may hold, since a text may hold values of rows."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import stamina
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError
from stamina.instrumentation import set_on_retry_hooks

from flatbed.tenants.kit.problems import Problem

T = TypeVar("T")

# Its own log line about a retry holds the error's text.
set_on_retry_hooks(())

TRANSIENT: Final = frozenset({"40001", "40P01", "55P03"})
"""SQLSTATEs after which the same transaction may succeed: serialisation, deadlock, lock wait."""


CONFLICTS: Final = frozenset({"40001", "40P01"})
"""The database asks for the whole transaction again."""
IN_DOUBT: Final = "08007"
"""The connection was lost under COMMIT: it is not known whether the transaction took effect."""
READ_ONLY: Final = "25006"
"""The transaction, or the server, takes no writes."""
_AWAY: Final = frozenset({"53300", "57P01", "57P02", "57P03"})
"""Too many connections, shut down, crashed, starting up."""


def failure_code(error: BaseException) -> str:
    """The problem's code, else ``sql-<SQLSTATE>``, else the type's name."""
    if isinstance(error, Problem):
        return error.code
    sqlstate = sqlstate_of(error)
    return type(error).__name__ if sqlstate is None else f"sql-{sqlstate.lower()}"


def is_transient(error: Exception) -> bool:
    """Whether doing the whole transaction again at once is worth it."""
    return sqlstate_of(error) in TRANSIENT or is_outdated(error)


def is_outdated(error: BaseException) -> bool:
    """Whether a migration changed what a statement was prepared on; prepared anew, it works."""
    outdated = AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError
    return isinstance(error, DBAPIError) and isinstance(error.orig, outdated)


async def retried(work: Callable[[], Awaitable[T]]) -> T:
    """Do a whole transaction, again up to twice where the database asks for it."""
    return await stamina.retry(on=is_transient, attempts=3)(_awaited)(work)


async def _awaited(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


def sqlstate_of(error: BaseException) -> str | None:
    """The SQLSTATE behind an error, where the server or the driver named one."""
    if not isinstance(error, DBAPIError):
        return None
    found: str | None = getattr(error.orig, "sqlstate", None)
    return found


def is_lost(error: BaseException) -> bool:
    """Whether there was no connection, or it was lost: nothing is wrong with the transaction.

    One lost under COMMIT is among them; see `IN_DOUBT`.
    """
    if not isinstance(error, DBAPIError):
        return False
    state = sqlstate_of(error) or ""
    if state.startswith("08") or state in _AWAY:
        return True
    # Found closed by the driver, or thrown away as one that leads to a standby (`engine`).
    return error.connection_invalidated
