"""Enqueue a job inside the session's own transaction: rolled back with it, committed with it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self
from uuid import UUID

from pgqueuer.core.tm import TaskManager
from pgqueuer.domain.types import JobId
from pgqueuer.ports.driver import Driver, NotifyCallback
from pgqueuer.queries import Queries
from sqlalchemy import CursorResult
from sqlalchemy.orm import Session

from flatbed.tenants.kit.database.session import PlaneSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint

_THERE: Final = """
SELECT id, status, payload FROM pgqueuer WHERE entrypoint = $1 AND payload = ANY($2::bytea[])
"""


class ListeningError(RuntimeError):
    """Nobody listens here: the worker polls."""


class SessionDriver(Driver):
    """PgQueuer's port on the connection of a session, inside the session's transaction.

    Through SQLAlchemy, not on asyncpg's connection below it: SQLAlchemy begins with the first
    statement, so that below it a job could be committed at once, and an error would come as the
    driver's own, which nobody knows for a deadlock or a lost connection.
    """

    def __init__(self, session: PlaneSession) -> None:
        self._session = session
        self._shutdown = asyncio.Event()

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Rows of a statement."""
        result = await self._run(query, args)
        return [{str(name): value for name, value in row.items()} for row in result.mappings()]

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement; how many rows it concerned."""
        return str((await self._run(query, args)).rowcount)

    async def _run(self, query: str, args: tuple[object, ...]) -> CursorResult[Any]:
        def run(session: Session) -> CursorResult[Any]:
            session.flush()
            return session.connection().exec_driver_sql(query, args)

        return await self._session.run_sync(run)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:  # noqa: ARG002 - the port's signature
        """Not offered."""
        raise ListeningError

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
    await _enqueue(Queries(SessionDriver(session)), job, _payload(ids))


async def enqueue_missing(
    session: PlaneSession, job: str, wanted: Sequence[Mapping[str, UUID]]
) -> int:
    """Ask for ``job`` once for each of these ids; who asks again and again heaps up nothing.

    What waits or runs is left, and one that is held as dead is tried again instead of another.
    Returns how many were asked for.
    """
    if not wanted:
        return 0
    there, dead = set[bytes](), dict[bytes, JobId]()
    payloads = [_payload(ids) for ids in wanted]
    connection = await session.connection()
    for row in await connection.exec_driver_sql(_THERE, (job, payloads)):
        if row.status == "failed":
            dead[row.payload] = JobId(row.id)
        else:
            there.add(row.payload)
    queries = Queries(SessionDriver(session))
    await queries.requeue_jobs([id_ for payload, id_ in dead.items() if payload not in there])
    for payload in payloads:
        if payload not in there and payload not in dead:
            await _enqueue(queries, job, payload)
    return sum(payload not in there for payload in payloads)


async def _enqueue(queries: Queries, job: str, payload: bytes) -> None:
    await queries.enqueue(job, payload)
    failpoint(Failpoint.JOB_ENQUEUED)


def _payload(ids: Mapping[str, UUID]) -> bytes:
    return json.dumps({name: str(value) for name, value in ids.items()}).encode()
