"""The worker process: doorbell, jobs and housekeeping, until it is told to stop.

Any number of workers run beside each other; each step of their work is idempotent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from flatbed.app.wiring import Program
from flatbed.tenants.kit import idempotency
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.deadlines import DeadlineHandlers
from flatbed.tenants.kit.failures import failure_code
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs.runner import JobHandler, run_jobs
from flatbed.tenants.kit.sweep import SWEEP, Poller, sweep_realm
from flatbed.tenants.organizations.walk import every_realm, tenants_of

log = structlog.get_logger(__name__)

IDLE: Final = timedelta(milliseconds=250)
"""How long an audit row may wait to be sealed."""
HOUSEKEEPING: Final = timedelta(hours=1)
AFTER_FAILURE: Final = timedelta(seconds=5)


async def run_worker(program: Program, stop: asyncio.Event) -> None:
    """Work until ``stop`` is set; what has begun is finished."""
    database, handlers = program.database, program.deadlines
    jobs = {**program.jobs, SWEEP: _sweeping(database, handlers)}
    poller = Poller(database, handlers)

    async def answer() -> timedelta:
        answered, _ = await poller.poll()
        return timedelta() if answered else IDLE

    async def work() -> timedelta:
        await run_jobs(program.database_url, jobs, stop)
        return IDLE

    async def tidy() -> timedelta:
        await purge(database)
        return HOUSEKEEPING

    log.info("worker_started", jobs=sorted(jobs), deadlines=sorted(handlers))
    async with asyncio.TaskGroup() as group:
        for step in (answer, work, tidy):
            group.create_task(_repeat(step, stop))
    log.info("worker_stopped")


async def purge(database: Database) -> None:
    """Delete idempotency keys past their seven days, of every tenant of every realm."""
    caller = Caller("system:purge", str(uuid7()))
    async for realm_id in every_realm(database, caller):
        async with database.agency(realm_id=realm_id, caller=caller, clock=Clock()) as agency:
            await idempotency.purge(agency)
        async for tenant_id in tenants_of(database, realm_id, caller):
            async with database.tenant(
                realm_id=realm_id, tenant_id=tenant_id, caller=caller, clock=Clock()
            ) as tenant:
                await idempotency.purge(tenant)


def _sweeping(database: Database, handlers: DeadlineHandlers) -> JobHandler:
    async def sweep(ids: Mapping[str, UUID]) -> None:
        await sweep_realm(database, handlers, ids["realm_id"])

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
