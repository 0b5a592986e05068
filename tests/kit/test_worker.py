"""The worker process: it answers the bell, runs jobs, tidies up, and stops when told."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import pytest
from prometheus_client import Counter, Gauge
from sqlalchemy import func, select, update

from flatbed.app import worker
from flatbed.app.wiring import Program
from flatbed.app.worker import count_dead_letters, count_waiting, purge, run_worker
from flatbed.billing.collection.collector import Collector
from flatbed.tenants.kit import deadlines, idempotency, metrics
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.backlog import oldest_wakeup
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.crypto import Keyring
from flatbed.tenants.kit.database.kernel_tables import AuditEntry, Deadline, IdempotencyKey
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.deadlines import DeadlineHandlers, schedule
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs.queue import enqueue
from flatbed.tenants.kit.problems import ConflictError
from flatbed.tenants.kit.sweep import Poller
from flatbed.tenants.oauth.keys.rotation import Rotor
from flatbed.tenants.organizations.models import Organization
from tests.support.world import World

pytestmark = pytest.mark.own_database


async def ignore(_: TenantSession, __: Deadline) -> None:
    """A deadline of which only the closing matters."""


@asynccontextmanager
async def working(
    world: World, jobs: Mapping[str, Callable[[Mapping[str, UUID]], Awaitable[None]]]
) -> AsyncIterator[asyncio.Event]:
    program, stop = _program(world, {"note": ignore}, jobs), asyncio.Event()
    running = asyncio.create_task(run_worker(program, stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(running, 60)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
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

    async def test_what_cannot_be_finished_in_the_grace_is_rolled_back_and_done_by_the_next(
        self, world: World
    ) -> None:
        begun, handled = asyncio.Event(), list[UUID]()

        async def stuck(session: TenantSession, deadline: Deadline) -> None:
            mutation(session, "thing.made", "off", deadline.id)
            await session.flush()
            begun.set()
            await asyncio.sleep(60)

        async def note(_: TenantSession, deadline: Deadline) -> None:
            handled.append(deadline.id)

        async with world.tenant() as session:
            await schedule(
                session,
                candidate_id=uuid7(),
                kind="slow",
                subject_id=uuid7(),
                due_at=session.now(),
            )
        grace, stop = timedelta(seconds=0.5), asyncio.Event()
        first = _program(world, {"slow": stuck}, {})
        running = asyncio.create_task(run_worker(first, stop, grace=grace))
        await asyncio.wait_for(begun.wait(), 60)
        stop.set()
        await asyncio.wait_for(running, 30)
        async with world.reading() as reading:
            assert await reading.scalar(select(func.count()).select_from(AuditEntry)) == 0
        stop = asyncio.Event()
        running = asyncio.create_task(run_worker(_program(world, {"slow": note}, {}), stop))
        await until(lambda: _has_one(handled))
        stop.set()
        await asyncio.wait_for(running, 30)
        assert len(handled) == 1


class TestCountWaiting:
    async def test_what_waits_and_what_is_dead_is_counted(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(deadlines, "ATTEMPTS", 1)
        await _organizations(world)
        await count_waiting(world.database)
        await count_dead_letters(world.database)
        before = _gauges()
        failed = _value(metrics.DEADLINES.labels("bad", "dead"))
        async with world.tenant() as session:
            await schedule(
                session,
                candidate_id=uuid7(),
                kind="bad",
                subject_id=uuid7(),
                due_at=session.now(),
            )
            await enqueue(session, f"job-{uuid7()}")
        await asyncio.sleep(0.05)
        await count_waiting(world.database)
        waiting = _gauges()
        assert waiting["queued"] == before["queued"] + 1
        assert waiting["oldest"] >= 0.05
        await Poller(world.database, {"bad": _break}).poll(world.realm_id)
        await count_waiting(world.database)
        await count_dead_letters(world.database)
        assert _gauges()["letters"] == before["letters"] + 1
        assert _value(metrics.DEADLINES.labels("bad", "dead")) == failed + 1

    async def test_what_could_not_be_counted_is_not_what_it_was(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(*_: object) -> None:
            raise ConnectionError

        await count_waiting(world.database)
        await count_dead_letters(world.database)
        assert not [one for one in metrics.COUNTED if math.isnan(_value(one))]
        monkeypatch.setattr(worker, "count_jobs", away)
        with pytest.raises(ConnectionError):
            await count_waiting(world.database)
        lost = [metrics.OLDEST_WAKEUP, metrics.QUEUED_JOBS, metrics.DEAD_JOBS]
        assert [one for one in metrics.COUNTED if math.isnan(_value(one))] == lost
        monkeypatch.setattr(worker, "_letters", away)
        with pytest.raises(ConnectionError):
            await count_dead_letters(world.database)
        assert math.isnan(_value(metrics.DEAD_DEADLINES))

    async def test_the_worker_shows_what_it_counts_while_it_runs(self, world: World) -> None:
        shown = b"\nflatbed_jobs_queued "
        assert shown not in metrics.page()
        async with working(world, {}):

            async def counted() -> bool:
                text = metrics.page()
                return shown in text and shown + b"NaN" not in text

            await until(counted)
        assert shown not in metrics.page()

    async def test_a_leap_of_a_sandboxs_clock_makes_no_wakeup_old(self, world: World) -> None:
        async with world.tenant() as session:
            await schedule(
                session,
                candidate_id=uuid7(),
                kind="note",
                subject_id=uuid7(),
                due_at=session.now() + timedelta(days=3),
            )
        await world.advance(timedelta(days=400))
        async with world.worker() as worker_session:
            oldest = await oldest_wakeup(worker_session)
        assert timedelta() < oldest < timedelta(hours=1)
        await Poller(world.database, {"note": ignore}).poll(world.realm_id)

    async def test_answers_and_failures_are_counted(self, world: World) -> None:
        sealed, failed = _value(metrics.SEALED), _value(metrics.WAKEUPS.labels("seal", "failed"))
        answered = _value(metrics.WAKEUPS.labels("seal", "answered"))
        async with world.tenant() as session:
            mutation(session, "thing.made", "off", uuid7())
        await Poller(world.database, {}).poll(world.realm_id)
        assert _value(metrics.SEALED) == sealed + 2
        assert _value(metrics.WAKEUPS.labels("seal", "answered")) == answered + 1
        assert _value(metrics.WAKEUPS.labels("seal", "failed")) == failed


def _program(
    world: World,
    handlers: DeadlineHandlers,
    jobs: Mapping[str, Callable[[Mapping[str, UUID]], Awaitable[None]]],
) -> Program:
    found = SimpleNamespace(
        database=world.database,
        database_url=world.url,
        deadlines=handlers,
        jobs=jobs,
        collector=Collector(world.database, None),
        rotor=Rotor(world.database, Keyring(b"x" * 32), timedelta(days=90)),
    )
    return cast("Program", found)


async def _has_one(found: list[UUID]) -> bool:
    return len(found) == 1


async def _break(_: TenantSession, __: Deadline) -> None:
    raise ConflictError


def _value(metric: Counter | Gauge) -> float:
    [family] = metric.collect()
    [sample] = [one for one in family.samples if not one.name.endswith("_created")]
    found: float = sample.value
    return found


def _gauges() -> dict[str, float]:
    return {
        "queued": _value(metrics.QUEUED_JOBS),
        "oldest": _value(metrics.OLDEST_WAKEUP),
        "letters": _value(metrics.DEAD_DEADLINES),
    }


async def _organizations(world: World) -> None:
    """Housekeeping walks the ISVs that exist."""
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


class TestPurge:
    async def test_old_keys_of_every_tenant_are_deleted(self, world: World) -> None:
        old = system_now() - idempotency.LIFETIME - timedelta(hours=1)
        await _organizations(world)
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
