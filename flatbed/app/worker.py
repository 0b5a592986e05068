"""The worker process: doorbell, jobs and housekeeping, until it is told to stop.

Any number of workers run beside each other; each step of their work is idempotent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from flatbed.app.wiring import Program
from flatbed.billing.collection.collector import Collector
from flatbed.billing.reconciliation.tasks import ask_if_due
from flatbed.billing.stripe_events.inbox import GapFiller, ask_again
from flatbed.tenants.kit import idempotency
from flatbed.tenants.kit.audit import DEADLINE, SEAL
from flatbed.tenants.kit.backlog import oldest_wakeup
from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller, LoginSession
from flatbed.tenants.kit.deadlines import DeadlineHandlers, dead_letters
from flatbed.tenants.kit.failures import failure_code
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs.housekeeping import purge_log
from flatbed.tenants.kit.jobs.runner import GRACE, LEASE, JobHandler, count_jobs, run_jobs
from flatbed.tenants.kit.metrics import (
    DEAD_DEADLINES,
    DEAD_JOBS,
    OLDEST_WAKEUP,
    QUEUED_JOBS,
    counting,
    exported,
)
from flatbed.tenants.kit.sweep import SWEEP, Poller
from flatbed.tenants.oauth.grants.purging.repository import purge_grants
from flatbed.tenants.oauth.repository import purge_assertions
from flatbed.tenants.organizations.walk import every_realm, tenants_of
from flatbed.tenants.people.failures.repository import purge_failures
from flatbed.tenants.people.new_password.repository import purge_resets
from flatbed.tenants.people.sessions.repository import purge_sessions

log = structlog.get_logger(__name__)

IDLE: Final = timedelta(milliseconds=250)
"""How long an audit row may wait to be sealed."""
HOUSEKEEPING: Final = timedelta(hours=1)
LISTENING: Final = timedelta(minutes=10)
"""Between two looks for events that no webhook brought."""
COUNTING: Final = timedelta(seconds=30)
AFTER_FAILURE: Final = timedelta(seconds=5)
LOGIN_PURGES: Final = (
    purge_assertions,
    purge_failures,
    purge_grants,
    purge_sessions,
    purge_resets,
)
"""What the login plane holds that has had its time."""


async def run_worker(
    program: Program, stop: asyncio.Event, *, grace: timedelta = GRACE, lease: timedelta = LEASE
) -> None:
    """Work until ``stop`` is set; what has begun is finished.

    Args:
        program: its database, jobs and handlers.
        stop: set to stop.
        grace: how long the work that has begun may go on after ``stop``. Then jobs are handed
            back, and everything else is rolled back: the next worker finds it as it was.
        lease: how long a worker that is not heard of keeps a job.
    """
    database, handlers = program.database, program.deadlines
    jobs = {**program.jobs, SWEEP: _sweeping(database, handlers, stop.is_set)}
    gaps = GapFiller(program.collector)
    pollers = [
        Poller(database, handlers, topics=(topic,), over=stop.is_set) for topic in (DEADLINE, SEAL)
    ]

    async def answer(poller: Poller) -> timedelta:
        answered, _ = await poller.poll()
        return timedelta() if answered else IDLE

    async def work() -> timedelta:
        await run_jobs(program.database_url, jobs, stop, grace=grace, lease=lease)
        return IDLE

    async def tidy() -> timedelta:
        await purge_job_log(database)
        await purge(database)
        await compare_books(program.collector)
        return HOUSEKEEPING

    async def turn_keys() -> timedelta:
        await program.rotor.turn_if_due()
        return HOUSEKEEPING

    async def listen() -> timedelta:
        await gaps.fill()
        await ask_again(program.collector)  # Stripe has just answered
        return LISTENING

    async def count_letters() -> timedelta:
        await count_dead_letters(database)
        return HOUSEKEEPING

    async def count() -> timedelta:
        await count_waiting(database)
        return COUNTING

    log.info("worker_started", jobs=sorted(jobs), deadlines=sorted(handlers))
    with exported():
        async with asyncio.TaskGroup() as group:
            group.create_task(_repeat(work, stop))
            answering = [
                group.create_task(_repeat(partial(answer, poller), stop)) for poller in pollers
            ]
            housework = [
                group.create_task(_repeat(step, stop))
                for step in (tidy, turn_keys, count, count_letters, listen)
            ]
            await stop.wait()
            for task in housework:
                task.cancel()  # the next worker does it again
            _, late = await asyncio.wait(answering, timeout=grace.total_seconds())
            for task in late:
                task.cancel()
    log.info("worker_stopped", cut_off=len(late))


async def compare_books(collector: Collector) -> None:
    """Ask for the daily reconciliation of every ISV that is due; one failure stops no other."""
    caller = Caller("system:reconcile", str(uuid7()))
    async for realm_id in every_realm(collector.database, caller):
        async for tenant_id in tenants_of(collector.database, realm_id, caller):
            await _tried(partial(ask_if_due, collector, realm_id, tenant_id), "reconcile_failed")


async def _tried(step: Callable[[], Awaitable[object]], event: str) -> None:
    try:
        await step()
    except Exception as error:  # noqa: BLE001 - it is tried again with the next round
        log.warning(event, code=failure_code(error))


async def count_waiting(database: Database) -> None:
    """Set the gauges of what waits, and of the jobs that are no longer tried."""
    caller = Caller("system:count", str(uuid7()))
    with counting(OLDEST_WAKEUP, QUEUED_JOBS, DEAD_JOBS):
        async with database.worker(caller=caller) as session:
            oldest = await oldest_wakeup(session)
            queued, dead = await count_jobs(session)
    OLDEST_WAKEUP.set(oldest.total_seconds())
    QUEUED_JOBS.set(queued)
    DEAD_JOBS.set(dead)


async def count_dead_letters(database: Database) -> None:
    """Set the gauge of the deadlines that are no longer tried: a walk over every tenant."""
    with counting(DEAD_DEADLINES):
        DEAD_DEADLINES.set(await _letters(database, Caller("system:count", str(uuid7()))))


async def _letters(database: Database, caller: Caller) -> int:
    letters = 0
    async for realm_id in every_realm(database, caller):
        async for tenant_id in tenants_of(database, realm_id, caller):
            async with database.tenant_read(
                realm_id=realm_id, tenant_id=tenant_id, caller=caller, clock=Clock()
            ) as tenant:
                letters += len(await dead_letters(tenant))
    return letters


async def purge(database: Database) -> None:
    """Delete what has had its time.

    Assertions that have expired, counts of failures that have ended, codes, refresh tokens and
    grants past their end, sessions and password resets a day after it, and idempotency keys past
    their seven days, of every tenant of every realm.
    """
    caller = Caller("system:purge", str(uuid7()))
    for old in LOGIN_PURGES:
        await _purged(partial(_purge_login, database, caller, old))
    async for realm_id in every_realm(database, caller):
        await _purged(partial(_purge_agency, database, realm_id, caller))
        async for tenant_id in tenants_of(database, realm_id, caller):
            await _purged(partial(_purge_tenant, database, realm_id, tenant_id, caller))


async def purge_job_log(database: Database) -> None:
    """Delete what the jobs' log holds past its seven days."""
    await _purged(partial(_purge_job_log, database, Caller("system:purge", str(uuid7()))))


async def _purged(some: Callable[[], Awaitable[bool]]) -> None:
    """Purge to the end; what fails is logged and tried again with the next round."""
    try:
        while await some():
            pass
    except Exception as error:  # noqa: BLE001 - one owner, or the log, must not stop the others
        log.warning("purge_failed", code=failure_code(error))


async def _purge_job_log(database: Database, caller: Caller) -> bool:
    async with database.worker(caller=caller) as session:
        return await purge_log(session)


async def _purge_login(
    database: Database, caller: Caller, old: Callable[[LoginSession, datetime], Awaitable[bool]]
) -> bool:
    async with database.login(caller=caller) as session:
        return await old(session, system_now())


async def _purge_agency(database: Database, realm_id: UUID, caller: Caller) -> bool:
    async with database.agency(realm_id=realm_id, caller=caller, clock=Clock()) as session:
        return await idempotency.purge(session)


async def _purge_tenant(
    database: Database, realm_id: UUID, tenant_id: UUID, caller: Caller
) -> bool:
    async with database.tenant(
        realm_id=realm_id, tenant_id=tenant_id, caller=caller, clock=Clock()
    ) as session:
        return await idempotency.purge(session)


def _sweeping(
    database: Database, handlers: DeadlineHandlers, over: Callable[[], bool]
) -> JobHandler:
    async def sweep(ids: Mapping[str, UUID]) -> None:
        # Its share, and waiting for nobody: a job that did would keep its place from the others.
        # What is left has its wake-up, and the doorbell goes on.
        await Poller(database, handlers, over=over).poll(ids["realm_id"])

    return sweep


async def _repeat(step: Callable[[], Awaitable[timedelta]], stop: asyncio.Event) -> None:
    """Do the step until told to stop, after the pause that it asks for."""
    while not stop.is_set():
        try:
            pause = await step()
        except Exception as error:  # noqa: BLE001 - the database may be away for a while
            log.warning("worker_step_failed", code=failure_code(error))
            pause = AFTER_FAILURE
        try:
            await asyncio.wait_for(stop.wait(), pause.total_seconds())
        except TimeoutError:
            continue
