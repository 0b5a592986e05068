"""The worker process: it answers the bell, runs jobs, tidies up, and stops when told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from flatbed.app import worker
from flatbed.app.wiring import Program
from flatbed.app.worker import purge, run_worker
from flatbed.tenants.kit import idempotency
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.kernel_tables import AuditEntry, Deadline, IdempotencyKey
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.deadlines import schedule
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs.queue import enqueue
from flatbed.tenants.organizations.models import Organization
from tests.support.world import World


async def ignore(_: TenantSession, __: Deadline) -> None:
    """A deadline of which only the closing matters."""


@asynccontextmanager
async def working(
    world: World, jobs: Mapping[str, Callable[[Mapping[str, UUID]], Awaitable[None]]]
) -> AsyncIterator[asyncio.Event]:
    program = SimpleNamespace(
        database=world.database, database_url=world.url, deadlines={"note": ignore}, jobs=jobs
    )
    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(cast("Program", program), stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(running, 15)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await condition():  # noqa: ASYNC110 - another connection's commit sets no event
            await asyncio.sleep(0.05)


class TestRunWorker:
    async def test_it_seals_sweeps_and_runs_jobs_until_it_is_stopped(self, world: World) -> None:
        job, seen = f"job-{uuid7()}", list[Mapping[str, UUID]]()

        async def note(ids: Mapping[str, UUID]) -> None:
            seen.append(ids)

        async with working(world, {job: note}):
            async with world.tenant() as session:
                mutation(session, "thing.made", "off", uuid7())
                await schedule(
                    session,
                    candidate_id=uuid7(),
                    kind="note",
                    subject_id=uuid7(),
                    due_at=session.now(),
                )
                await enqueue(session, job, tenant_id=session.tenant_id)

            async def done() -> bool:
                async with world.reading() as reading:
                    sealed = await reading.scalar(select(func.count()).select_from(AuditEntry))
                    closed = await reading.scalar(
                        select(func.count()).where(Deadline.done_at.is_not(None))
                    )
                return (sealed, closed, len(seen)) == (1, 1, 1)

            await until(done)
        assert seen == [{"tenant_id": world.tenants[0]}]

    async def test_the_sweep_job_sweeps_its_realm(self, world: World) -> None:
        async with world.tenant() as session:
            await schedule(
                session,
                candidate_id=uuid7(),
                kind="note",
                subject_id=uuid7(),
                due_at=session.now() + timedelta(days=3),
            )
        await world.advance(timedelta(days=4))
        async with world.agency() as agency:
            await enqueue(agency, "sweep", realm_id=world.realm_id)
        async with working(world, {}):

            async def done() -> bool:
                async with world.reading() as reading:
                    waiting = select(func.count()).where(Deadline.done_at.is_(None))
                    return await reading.scalar(waiting) == 0

            await until(done)

    async def test_a_step_that_fails_is_tried_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker, "AFTER_FAILURE", timedelta(milliseconds=10))
        calls = 0

        async def flaky(_: object) -> None:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise ConnectionError

        monkeypatch.setattr(worker, "purge", flaky)
        async with working(world, {}):

            async def again() -> bool:
                return calls == 2

            await until(again)


class TestPurge:
    async def test_old_keys_of_every_tenant_are_deleted(self, world: World) -> None:
        old = system_now() - idempotency.LIFETIME - timedelta(hours=1)
        async with world.agency() as agency:
            for tenant_id in world.tenants:
                agency.add(
                    Organization(
                        realm_id=world.realm_id,
                        id=tenant_id,
                        slug=f"isv-{tenant_id.hex}",
                        name="An ISV",
                        country="DE",
                        time_zone="Europe/Berlin",
                        currency="EUR",
                        status="active",
                        created_at=system_now(),
                        updated_at=system_now(),
                    )
                )
        for tenant_id in world.tenants:
            async with world.tenant(tenant_id) as session:
                for key in ("old", "young"):
                    session.add(
                        IdempotencyKey(
                            tenant_id=tenant_id,
                            client_id=uuid7(),
                            key=key,
                            fingerprint="f",
                            created_at=system_now(),
                        )
                    )
                await session.flush()
                await session.execute(
                    update(IdempotencyKey).where(IdempotencyKey.key == "old").values(created_at=old)
                )
        await purge(world.database)
        for tenant_id in world.tenants:
            async with world.reading(tenant_id) as reading:
                assert (await reading.scalars(select(IdempotencyKey.key))).all() == ["young"]
