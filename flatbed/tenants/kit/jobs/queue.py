"""Enqueue a job inside the session's own transaction: rolled back with it, committed with it."""

import asyncio
import json
from typing import Any, Self
from uuid import UUID

from pgqueuer.core.tm import TaskManager
from pgqueuer.ports.driver import Driver, NotifyCallback
from pgqueuer.queries import Queries
from sqlalchemy import text

from flatbed.tenants.kit.database.session import PlaneSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint


class TransactionMissingError(RuntimeError):
    """The driver's connection is not in a transaction: the job would survive a rollback."""


class SessionDriver(Driver):
    """PgQueuer's port on the asyncpg connection that a session's transaction runs on."""

    def __init__(self, session: PlaneSession) -> None:
        self._session = session
        self._shutdown = asyncio.Event()

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Rows of a statement, inside the transaction."""
        connection = await self._connection()
        return [dict(row) for row in await connection.fetch(query, *args)]

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement, inside the transaction."""
        connection = await self._connection()
        tag: str = await connection.execute(query, *args)
        return tag

    async def _connection(self) -> Any:  # noqa: ANN401 - asyncpg ships no types here
        # SQLAlchemy begins with the first statement; the raw connection would commit at once.
        await self._session.flush()
        await self._session.execute(text("SELECT 1"))
        raw = await (await self._session.connection()).get_raw_connection()
        connection: Any = raw.driver_connection
        if not connection.is_in_transaction():
            raise TransactionMissingError
        return connection

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:  # noqa: ARG002 - the port's signature
        """Not offered: the worker polls, enqueuers do not listen."""
        raise TransactionMissingError

    async def notify(self, channel: str, payload: str) -> None:
        """Nobody listens: the worker polls."""

    @property
    def shutdown(self) -> asyncio.Event:
        """Never set: the driver lives as long as its session."""
        return self._shutdown

    @property
    def tm(self) -> TaskManager:
        """No background tasks."""
        return TaskManager()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


async def enqueue(session: PlaneSession, job: str, **ids: UUID) -> None:
    """Ask the worker to run ``job`` with these ids once this transaction has committed.

    Ids only: a job reads everything else itself, in a transaction of its own.
    """
    payload = json.dumps({name: str(value) for name, value in ids.items()}).encode()
    await Queries(SessionDriver(session)).enqueue(job, payload)
    failpoint(Failpoint.JOB_ENQUEUED)
