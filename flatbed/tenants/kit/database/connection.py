"""The asyncpg connection that cannot begin without a context, nor commit a failed transaction.

A connection that is lost under COMMIT leaves it open what became of the transaction: that is an
error of its own (SQLSTATE 08007), since such a transaction must not be repeated unasked.
"""

from typing import TYPE_CHECKING, Any

import asyncpg
from asyncpg.exceptions import TransactionResolutionUnknownError

from flatbed.tenants.kit.database.context import Context
from flatbed.tenants.kit.failpoints import Failpoint, failpoint


class ContextMissingError(RuntimeError):
    """A transaction was begun on a connection that nobody had bound to a context."""


class TransactionAbortedError(RuntimeError):
    """COMMIT was answered with ROLLBACK.

    An error of the database was swallowed inside the transaction: PostgreSQL then rolls back and
    reports success, and the caller would hold a 2xx for nothing.
    """


_UNDER_COMMIT = "the connection was lost while COMMIT was under way"

if TYPE_CHECKING:
    # Generic in the stubs, not at run time.
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection


class BoundConnection(Connection):
    """Sends the context in the round trip of BEGIN, and checks what COMMIT answers.

    SQLAlchemy begins lazily through asyncpg's own transaction object, whose ``BEGIN`` and
    ``COMMIT`` pass through :meth:`execute`: one simple query carries BEGIN and every SET LOCAL.
    """

    __slots__ = ("_context", "_pooled", "_writes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - asyncpg's own signature
        super().__init__(*args, **kwargs)
        self._context: Context | None = None
        # Until the pool hands it out, the dialect asks the server for its version and settings.
        self._pooled = False
        self._writes = True

    def bind(self, context: Context | None) -> None:
        """Set the context of the next transaction; None refuses the next one."""
        self._context = context
        self._pooled = True

    @property
    def writes(self) -> bool:
        """Whether the last transaction that began was meant to write."""
        return self._writes

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ANN401, ASYNC109 - asyncpg's own signature
        """Run a statement; see the class for BEGIN and COMMIT."""
        if query.startswith("COMMIT"):
            return await self._commit(query, timeout)
        beginning = not args and query.startswith("BEGIN")
        if beginning:
            query = self._begin(query)
        tag = await super().execute(query, *args, timeout=timeout)
        if beginning:
            failpoint(Failpoint.TRANSACTION_BEGUN)
        return tag

    async def _commit(self, query: str, timeout: float | None) -> str:  # noqa: ASYNC109 - as above
        failpoint(Failpoint.COMMIT_SENDING)
        # On a connection that is known to be lost nothing is sent, so nothing is in doubt.
        doubtful = self._writes and not self.is_closed()
        try:
            tag = await super().execute(query, timeout=timeout)
        except Exception as error:
            if not doubtful or _was_refused(error):
                raise
            self.terminate()
            raise TransactionResolutionUnknownError(_UNDER_COMMIT) from error
        if tag != "COMMIT":
            raise TransactionAbortedError
        failpoint(Failpoint.COMMIT_ANSWERED)
        return tag

    def _begin(self, query: str) -> str:
        if not self._pooled:
            return query
        if self._context is None:
            raise ContextMissingError
        self._writes = "READ ONLY" not in query.upper()
        return f"{query.rstrip().rstrip(';')}; {self._context.statements()}"


def _was_refused(error: Exception) -> bool:
    """Whether the server itself says that COMMIT failed, and goes on: nothing was committed."""
    state: str = getattr(error, "sqlstate", None) or ""
    return bool(state) and not state.startswith(("08", "57P"))
