"""An error as a code: what logs and dead letters may hold, since a text may hold values of rows."""

from typing import Final

from sqlalchemy.exc import DBAPIError

from flatbed.tenants.kit.problems import Problem

TRANSIENT: Final = frozenset({"40001", "40P01", "55P03"})
"""SQLSTATEs after which the same transaction may succeed: serialisation, deadlock, lock wait."""


def failure_code(error: BaseException) -> str:
    """The problem's code, else ``sql-<SQLSTATE>``, else the type's name."""
    if isinstance(error, Problem):
        return error.code
    sqlstate = _sqlstate(error)
    return type(error).__name__ if sqlstate is None else f"sql-{sqlstate.lower()}"


def is_transient(error: BaseException) -> bool:
    """Whether doing the whole transaction again at once is worth it."""
    return _sqlstate(error) in TRANSIENT


def _sqlstate(error: BaseException) -> str | None:
    if not isinstance(error, DBAPIError):
        return None
    found: str | None = getattr(error.orig, "sqlstate", None)
    return found
