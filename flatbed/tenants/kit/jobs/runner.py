"""Run the jobs that transactions enqueued.

PgQueuer works here on connections of its own that touch its tables alone: a job opens its own
transactions. It polls, since its NOTIFY trigger is not installed. Its log keeps the text and the
trace of what a job raises, so a job raises codes only.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job
from pgqueuer.domain.types import JobId, QueueExecutionMode
from pgqueuer.ports.driver import NotifyCallback
from pgqueuer.queries import Queries

from flatbed.tenants.kit.database.session import PlaneSession
from flatbed.tenants.kit.database.urls import plain
from flatbed.tenants.kit.failures import failure_code
from flatbed.tenants.kit.jobs.queue import SessionDriver

log = structlog.get_logger(__name__)

JobHandler = Callable[[Mapping[str, UUID]], Awaitable[None]]
Jobs = Mapping[str, JobHandler]
"""What each job does, given the ids that were enqueued with it. It may run twice."""

ATTEMPTS: Final = 6
FIRST_PAUSE: Final = timedelta(seconds=1)
POLL: Final = timedelta(seconds=1)
CONNECTIONS: Final = 3


class JobFailedError(Exception):
    """A job failed for the last time; the text is a code."""


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A job that is held for a person to look at."""

    id: int
    name: str
    enqueued_at: datetime


class PollingDriver(AsyncpgPoolDriver):
    """The pool, without LISTEN and NOTIFY."""

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        """Nobody notifies."""

    async def notify(self, channel: str, payload: str) -> None:
        """Nobody listens."""


async def run_jobs(url: str, jobs: Jobs, stop: asyncio.Event, *, drain: bool = False) -> None:
    """Run jobs until told to stop; those that have begun are finished.

    Args:
        url: the database, as role ``flatbed_app``.
        jobs: the handlers by name; a job without one waits.
        stop: set to stop.
        drain: return when the queue is empty.
    """
    async with asyncpg.create_pool(
        plain(url),
        min_size=1,
        max_size=CONNECTIONS,
        server_settings={"application_name": "flatbed-jobs"},
    ) as pool:
        manager = QueueManager(Queries(PollingDriver(pool)))
        for name, handler in jobs.items():
            manager.entrypoint(name, on_failure="hold", accepts_context=False)(_entry(handler))
        stopping = asyncio.create_task(_forward(stop, manager.shutdown))
        mode = QueueExecutionMode.drain if drain else QueueExecutionMode.continuous
        try:
            await manager.run(dequeue_timeout=POLL, mode=mode)
        finally:
            stopping.cancel()


async def dead_jobs(session: PlaneSession) -> Sequence[DeadJob]:
    """The held jobs, newest first; a hundred at most."""
    jobs = await Queries(SessionDriver(session)).list_failed_jobs()
    return [DeadJob(job.id, job.entrypoint, job.created) for job in jobs]


async def revive_jobs(session: PlaneSession, ids: Sequence[int]) -> None:
    """Let held jobs be tried again."""
    await Queries(SessionDriver(session)).requeue_jobs([JobId(id_) for id_ in ids])


def _entry(handler: JobHandler) -> Callable[[Job], Awaitable[None]]:
    async def run(job: Job) -> None:
        try:
            await handler(_ids(job))
        except Exception as error:  # noqa: BLE001 - whatever it is, its text must not be stored
            code = failure_code(error)
            final = job.attempts + 1 >= ATTEMPTS
            log.warning("job_failed", job=job.entrypoint, job_id=job.id, code=code, dead=final)
            failure: Exception = JobFailedError(code)
            if not final:
                failure = RetryRequested(FIRST_PAUSE * 2**job.attempts, reason=code)
        else:
            return
        # Outside the handler's context: a chained exception would be stored with its text.
        raise failure

    return run


def _ids(job: Job) -> dict[str, UUID]:
    content = json.loads(job.payload or b"{}")
    return {name: UUID(value) for name, value in content.items()}


async def _forward(stop: asyncio.Event, shutdown: asyncio.Event) -> None:
    await stop.wait()
    shutdown.set()
