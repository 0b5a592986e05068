"""Run the jobs that transactions enqueued.

PgQueuer works here on connections of its own that touch its tables alone: a job opens its own
transactions. It polls, since its NOTIFY trigger is not installed. Its log keeps the text and the
trace of what a job raises, so a job raises codes only.

A job is held by heartbeats: who is killed loses it to another worker when its lease is over. Who
is told to stop hands back what he cannot finish, so that another one takes it at once.

An attempt is counted when a job is taken, not when it has failed: otherwise a job that kills its
worker each time would be taken for ever.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job, TracebackRecord
from pgqueuer.domain.types import JobId, QueueEntrypoint, QueueExecutionMode, QueueManagerId
from pgqueuer.ports.driver import NotifyCallback
from pgqueuer.ports.repository import EntrypointExecutionParameter
from pgqueuer.queries import Queries

from flatbed.tenants.kit.database.limits import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    server_settings,
)
from flatbed.tenants.kit.database.session import PlaneSession
from flatbed.tenants.kit.database.urls import plain
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.failures import failure_code
from flatbed.tenants.kit.jobs.failures import SlowError
from flatbed.tenants.kit.jobs.queue import SessionDriver
from flatbed.tenants.kit.metrics import JOBS

log = structlog.get_logger(__name__)

JobHandler = Callable[[Mapping[str, UUID]], Coroutine[None, None, None]]
Jobs = Mapping[str, JobHandler]
"""What each job does, given the ids that were enqueued with it. It may run twice."""

ATTEMPTS: Final = 6
FIRST_PAUSE: Final = timedelta(seconds=1)
POLL: Final = timedelta(seconds=1)
CONNECTIONS: Final = 3
BATCH: Final = 4
AT_ONCE: Final = 2 * BATCH
"""Jobs that a worker holds: more would wait for each other's connections until they fail."""
LEASE: Final = timedelta(seconds=30)
"""A job whose worker has not been heard of for so long belongs to whoever takes it next.

Heartbeats come every half of it and may be an eighth late: one lost one does not lose the job.
"""
GRACE: Final = timedelta(seconds=10)
"""How long the jobs that have begun may go on when the worker is told to stop."""
UNWINDING: Final = timedelta(seconds=3)
"""How long a cancelled job may take to roll back before it is handed back regardless."""
AWAY: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that ends just as it is used
)
HANDED_BACK: Final = "handed-back"
WORKER_DIED: Final = "worker-died"
"""The code of a job whose workers all died while they held it."""
COUNT_TAKEN: Final = """
UPDATE pgqueuer SET attempts = attempts + 1
WHERE id = ANY($1::bigint[]) AND queue_manager_id = $2
"""
HAND_BACK: Final = """
UPDATE pgqueuer SET status = 'queued', queue_manager_id = NULL, execute_after = NOW(),
    attempts = attempts - 1, updated = NOW()
WHERE id = $1 AND queue_manager_id = $2
"""
PUT_BACK: Final = """
WITH put_back AS (
    UPDATE pgqueuer SET status = 'queued', queue_manager_id = NULL,
        execute_after = NOW() + $3::interval, updated = NOW()
    WHERE id = $1 AND queue_manager_id = $2
    RETURNING id, entrypoint, priority
)
INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority, traceback)
SELECT id, 'queued', entrypoint, priority, $4::jsonb FROM put_back
"""


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


class _Queries(Queries):
    """PgQueuer's statements, but for attempts, which are counted when a job is taken."""

    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[QueueEntrypoint, EntrypointExecutionParameter],
        queue_manager_id: QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[Job]:
        """Take jobs, each with the number of attempts before this one."""
        jobs = await super().dequeue(
            batch_size, entrypoints, queue_manager_id, global_concurrency_limit, heartbeat_timeout
        )
        if jobs:
            ids = [job.id for job in jobs]
            await self.driver.execute(COUNT_TAKEN, ids, queue_manager_id)
        return jobs

    async def retry_job(
        self, job: Job, delay: timedelta, traceback_record: TracebackRecord | None
    ) -> None:
        """Put the job back into the queue; handed back, at once and without an attempt counted."""
        context = traceback_record.additional_context if traceback_record else None
        try:
            if context is not None and context.get("reason") == HANDED_BACK:
                await self.driver.execute(HAND_BACK, job.id, job.queue_manager_id)
            else:
                record = traceback_record.model_dump_json() if traceback_record else None
                await self.driver.execute(PUT_BACK, job.id, job.queue_manager_id, delay, record)
        except AWAY as error:
            # PgQueuer would hold it as dead. Left alone, it is taken again after its lease.
            log.warning("job_left_to_its_lease", job_id=job.id, code=failure_code(error))


@dataclass(slots=True)
class _Running:
    """Lets handlers work until there is no more time for them."""

    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def finish(self, work: Coroutine[None, None, None]) -> bool:
        """Do it. Returns False if it was cut off."""
        task, over = asyncio.create_task(work), asyncio.create_task(self.over.wait())
        # Cancelled itself, it goes on: PgQueuer deletes a job whose task is cancelled.
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=UNWINDING.total_seconds())
        if not task.done() or task.cancelled():
            return False
        task.result()
        return True


async def run_jobs(
    url: str,
    jobs: Jobs,
    stop: asyncio.Event,
    *,
    drain: bool = False,
    lease: timedelta = LEASE,
    grace: timedelta = GRACE,
) -> None:
    """Run jobs until told to stop; those that have begun are finished, or handed back.

    Args:
        url: the database, as role ``flatbed_app``.
        jobs: the handlers by name; a job without one waits.
        stop: set to stop.
        drain: return when the queue is empty.
        lease: how long a worker that is not heard of keeps a job; the same in every worker.
        grace: how long the jobs that have begun may go on after ``stop``.
    """
    async with asyncpg.create_pool(
        plain(url),
        min_size=1,
        max_size=CONNECTIONS,
        timeout=CONNECT_SECONDS,
        command_timeout=ANSWER_SECONDS,
        server_settings=server_settings("flatbed-jobs"),
    ) as pool:
        manager, running = QueueManager(_Queries(PollingDriver(pool))), _Running()
        for name, handler in jobs.items():
            manager.entrypoint(name, on_failure="hold", accepts_context=False)(
                _entry(handler, running)
            )
        stopping = asyncio.create_task(_stop(stop, manager.shutdown, running, grace))
        mode = QueueExecutionMode.drain if drain else QueueExecutionMode.continuous
        working = asyncio.create_task(
            manager.run(
                dequeue_timeout=POLL,
                batch_size=BATCH,
                max_concurrent_tasks=AT_ONCE,
                mode=mode,
                heartbeat_timeout=lease,
            )
        )
        try:
            await asyncio.shield(working)
        except asyncio.CancelledError:
            running.over.set()
            manager.shutdown.set()
            await asyncio.wait({working})
            raise
        finally:
            stopping.cancel()


async def dead_jobs(session: PlaneSession) -> Sequence[DeadJob]:
    """The held jobs, newest first; a hundred at most."""
    jobs = await Queries(SessionDriver(session)).list_failed_jobs()
    return [DeadJob(job.id, job.entrypoint, job.created) for job in jobs]


async def revive_jobs(session: PlaneSession, ids: Sequence[int]) -> None:
    """Let held jobs be tried again."""
    await Queries(SessionDriver(session)).requeue_jobs([JobId(id_) for id_ in ids])


async def count_jobs(session: PlaneSession) -> tuple[int, int]:
    """How many jobs wait for a worker, and how many are dead."""
    found = await Queries(SessionDriver(session)).queue_size()
    waiting = sum(one.count for one in found if one.status == "queued")
    return waiting, sum(one.count for one in found if one.status == "failed")


def _entry(handler: JobHandler, running: _Running) -> Callable[[Job], Awaitable[None]]:
    async def run(job: Job) -> None:
        if job.attempts >= ATTEMPTS:
            log.error("job_dead", job=job.entrypoint, job_id=job.id, code=WORKER_DIED)
            JOBS.labels(job.entrypoint, "dead").inc()
            raise JobFailedError(WORKER_DIED)
        try:
            failpoint(Failpoint.JOB_TAKEN)
            is_finished = await running.finish(handler(_ids(job)))
            failpoint(Failpoint.JOB_DONE)
        except Exception as error:  # noqa: BLE001 - whatever it is, its text must not be stored
            code = failure_code(error)
            final = job.attempts + 1 >= ATTEMPTS
            log.warning("job_failed", job=job.entrypoint, job_id=job.id, code=code, dead=final)
            JOBS.labels(job.entrypoint, "dead" if final else "failed").inc()
            failure: Exception = JobFailedError(code)
            if not final:
                pause = error.first_pause if isinstance(error, SlowError) else FIRST_PAUSE
                failure = RetryRequested(pause * 2**job.attempts, reason=code)
        else:
            JOBS.labels(job.entrypoint, "done" if is_finished else HANDED_BACK).inc()
            if is_finished:
                return
            log.warning("job_handed_back", job=job.entrypoint, job_id=job.id)
            failure = RetryRequested(reason=HANDED_BACK)
        # Outside the handler's context: a chained exception would be stored with its text.
        raise failure

    return run


def _ids(job: Job) -> dict[str, UUID]:
    content = json.loads(job.payload or b"{}")
    return {name: UUID(value) for name, value in content.items()}


async def _stop(
    stop: asyncio.Event, shutdown: asyncio.Event, running: _Running, grace: timedelta
) -> None:
    await stop.wait()
    shutdown.set()
    await asyncio.sleep(grace.total_seconds())
    running.over.set()
