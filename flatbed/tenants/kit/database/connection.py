"""The asyncpg connection that cannot begin without a context, nor commit a failed transaction."""

from typing import TYPE_CHECKING, Any

import asyncpg

from flatbed.tenants.kit.database.context import Context


class ContextMissingError(RuntimeError):
    """A transaction was begun on a connection that nobody had bound to a context."""


class TransactionAbortedError(RuntimeError):
    """COMMIT was answered with ROLLBACK.

    An error of the database was swallowed inside the transaction: PostgreSQL then rolls back and
    reports success, and the caller would hold a 2xx for nothing.
    """


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

    __slots__ = ("_context", "_pooled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - asyncpg's own signature
        super().__init__(*args, **kwargs)
        self._context: Context | None = None
        # Until the pool hands it out, the dialect asks the server for its version and settings.
        self._pooled = False

    def bind(self, context: Context | None) -> None:
        """Set the context of the next transaction; None refuses the next one."""
        self._context = context
        self._pooled = True

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ANN401, ASYNC109 - asyncpg's own signature
        """Run a statement; see the class for BEGIN and COMMIT."""
        if not args and query.startswith("BEGIN"):
            query = self._begin(query)
        tag = await super().execute(query, *args, timeout=timeout)
        if query.startswith("COMMIT") and tag != "COMMIT":
            raise TransactionAbortedError
        return tag

    def _begin(self, query: str) -> str:
        if not self._pooled:
            return query
        if self._context is None:
            raise ContextMissingError
        return f"{query.rstrip().rstrip(';')}; {self._context.statements()}"
