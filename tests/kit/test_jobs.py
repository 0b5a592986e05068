"""Jobs: enqueued with their transaction, run at least once, dead ones kept without their texts."""

import asyncio
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from datetime import timedelta
from uuid import UUID

import pytest

from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import AgencySession, TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs import runner
from flatbed.tenants.kit.jobs.queue import enqueue
from flatbed.tenants.kit.jobs.runner import JobHandler, dead_jobs, revive_jobs, run_jobs
from flatbed.tenants.kit.problems import ConflictError
from tests.support.world import World

SECRET = "the e-mail of Ada Lovelace"


class Runs:
    """A job that remembers its ids."""

    def __init__(self) -> None:
        self.ids: list[Mapping[str, UUID]] = []

    async def __call__(self, ids: Mapping[str, UUID]) -> None:
        self.ids.append(ids)


@pytest.fixture
def job() -> str:
    """A name of its own: the queue is shared by the tests of a process."""
    return f"job-{uuid7()}"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ATTEMPTS", 2)
    monkeypatch.setattr(runner, "FIRST_PAUSE", timedelta(milliseconds=1))


async def drain(world: World, job: str, handler: JobHandler) -> None:
    await asyncio.wait_for(run_jobs(world.url, {job: handler}, asyncio.Event(), drain=True), 30)


class TestEnqueue:
    async def test_a_committed_transaction_runs_exactly_one_job(
        self, world: World, job: str
    ) -> None:
        runs, candidate_id = Runs(), uuid7()
        async with world.tenant() as session:
            mutation(session, "thing.made", "off", uuid7())
            await enqueue(session, job, tenant_id=session.tenant_id, candidate_id=candidate_id)
        await drain(world, job, runs)
        await drain(world, job, runs)
        assert runs.ids == [{"tenant_id": world.tenants[0], "candidate_id": candidate_id}]

    async def test_it_is_rolled_back_with_its_transaction(self, world: World, job: str) -> None:
        runs = Runs()

        async def work() -> None:
            async with world.tenant() as session:
                mutation(session, "thing.made", "off", uuid7())
                await enqueue(session, job, tenant_id=session.tenant_id)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await work()
        await drain(world, job, runs)
        assert runs.ids == []

    async def test_as_the_first_statement_of_a_session_it_is_rolled_back_too(
        self, world: World, job: str
    ) -> None:
        """SQLAlchemy begins lazily: on the raw connection the job would survive."""
        runs = Runs()

        async def work(
            opened: AbstractAsyncContextManager[TenantSession | AgencySession],
        ) -> None:
            async with opened as session:
                await enqueue(session, job, realm_id=session.realm_id)
                raise ZeroDivisionError

        for opened in (world.tenant(), world.agency()):
            with pytest.raises(ZeroDivisionError):
                await work(opened)
        await drain(world, job, runs)
        assert runs.ids == []

    async def test_as_the_first_statement_of_a_session_it_is_committed(
        self, world: World, job: str
    ) -> None:
        runs = Runs()
        async with world.agency() as session:
            await enqueue(session, job, realm_id=session.realm_id)
        await drain(world, job, runs)
        assert runs.ids == [{"realm_id": world.realm_id}]

    async def test_nobody_sees_it_before_the_commit(self, world: World, job: str) -> None:
        runs = Runs()
        async with world.tenant() as session:
            await enqueue(session, job, tenant_id=session.tenant_id)
            await drain(world, job, runs)
            assert runs.ids == []
        await drain(world, job, runs)
        assert len(runs.ids) == 1


class TestRunJobs:
    async def test_a_job_that_fails_once_is_tried_again(self, world: World, job: str) -> None:
        attempts = 0

        async def stumble(_: Mapping[str, UUID]) -> None:
            nonlocal attempts
            attempts += 1
            if attempts == 1:
                raise ConflictError

        async with world.tenant() as session:
            await enqueue(session, job)
        await drain(world, job, stumble)
        assert attempts == 2
        async with world.reading() as reading:
            assert job not in [dead.name for dead in await dead_jobs(reading)]

    async def test_a_job_that_keeps_failing_ends_in_the_dead_letters_and_can_be_revived(
        self, world: World, job: str
    ) -> None:
        runs = Runs()

        async def fail(_: Mapping[str, UUID]) -> None:
            raise RuntimeError(SECRET)

        async with world.tenant() as session:
            await enqueue(session, job)
        await drain(world, job, fail)
        async with world.agency() as agency:
            (dead,) = [dead for dead in await dead_jobs(agency) if dead.name == job]
            await revive_jobs(agency, [dead.id])
        await drain(world, job, runs)
        assert runs.ids == [{}]

    async def test_the_text_of_an_error_is_stored_nowhere(
        self,
        world: World,
        job: str,
        admin_connection: Plain,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        async def fail(_: Mapping[str, UUID]) -> None:
            try:
                raise ValueError(SECRET)
            except ValueError as cause:
                raise RuntimeError(SECRET) from cause

        async with world.tenant() as session:
            await enqueue(session, job)
        await drain(world, job, fail)
        logged = await admin_connection.fetch(
            "SELECT traceback::text FROM pgqueuer_log WHERE entrypoint = $1", job
        )
        traces = " ".join(row["traceback"] or "" for row in logged)
        assert "RuntimeError" in traces
        assert SECRET not in traces
        assert "Lovelace" not in caplog.text

    async def test_told_to_stop_it_finishes_what_it_has_begun(self, world: World, job: str) -> None:
        begun, stop, finished = asyncio.Event(), asyncio.Event(), Runs()

        async def slow(ids: Mapping[str, UUID]) -> None:
            begun.set()
            await asyncio.sleep(0.3)
            await finished(ids)

        async with world.tenant() as session:
            await enqueue(session, job)
        running = asyncio.create_task(run_jobs(world.url, {job: slow}, stop))
        await asyncio.wait_for(begun.wait(), 10)
        stop.set()
        await asyncio.wait_for(running, 10)
        assert finished.ids == [{}]
        await drain(world, job, finished)
        assert len(finished.ids) == 1

    async def test_it_holds_no_more_jobs_than_its_connections_can_serve(
        self, world: World, job: str
    ) -> None:
        now = most = done = 0

        async def busy(_: Mapping[str, UUID]) -> None:
            nonlocal now, most, done
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.02)
            now -= 1
            done += 1

        async with world.tenant() as session:
            for _ in range(40):
                await enqueue(session, job)
        await drain(world, job, busy)
        assert done == 40
        assert 1 < most <= runner.AT_ONCE

    async def test_two_workers_run_each_job_once(self, world: World, job: str) -> None:
        runs = Runs()
        wanted = [uuid7() for _ in range(30)]
        async with world.tenant() as session:
            for id_ in wanted:
                await enqueue(session, job, id=id_)
        await asyncio.gather(drain(world, job, runs), drain(world, job, runs))
        assert sorted(ids["id"] for ids in runs.ids) == sorted(wanted)


WORKER = """
import asyncio, sys
from datetime import timedelta
from flatbed.tenants.kit.jobs.runner import run_jobs

async def slow(ids):
    print("begun", flush=True)
    await asyncio.sleep(600)

async def main(url, job, lease):
    await run_jobs(url, {job: slow}, asyncio.Event(), lease=timedelta(seconds=float(lease)))

asyncio.run(main(*sys.argv[1:]))
"""


class Stuck:
    """A job that goes on until it is cancelled, or beyond."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.begun = asyncio.Event()
        self.cancelled = False
        self._deaf = deaf

    async def __call__(self, _: Mapping[str, UUID]) -> None:
        self.begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled = True
            if self._deaf:
                await asyncio.sleep(1)
            raise


def was_cut_off(stuck: Stuck) -> bool:
    return stuck.cancelled


class TestLease:
    async def test_the_job_of_a_killed_worker_is_taken_within_the_lease_and_30_seconds(
        self, world: World, job: str
    ) -> None:
        """And not before: while its worker lives, its heartbeats hold it."""
        lease, taken = timedelta(seconds=2), asyncio.Event()

        async def take(_: Mapping[str, UUID]) -> None:
            taken.set()

        async with world.tenant() as session:
            await enqueue(session, job)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", WORKER, world.url, job, str(lease.total_seconds())),
            stdout=asyncio.subprocess.PIPE,
        )
        stop = asyncio.Event()
        try:
            assert process.stdout is not None
            assert await asyncio.wait_for(process.stdout.readline(), 20) == b"begun\n"
            other = asyncio.create_task(run_jobs(world.url, {job: take}, stop, lease=lease))
            with suppress(TimeoutError):
                await asyncio.wait_for(taken.wait(), 3.5)
            assert not taken.is_set()
            killed = time.monotonic()
            process.send_signal(signal.SIGKILL)
            await asyncio.wait_for(taken.wait(), lease.total_seconds() + 30)
            assert time.monotonic() - killed < lease.total_seconds() + 5
            stop.set()
            await asyncio.wait_for(other, 10)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def test_the_lease_outlives_a_lost_heartbeat_and_is_no_longer_than_30_seconds(self) -> None:
        assert timedelta(seconds=10) <= runner.LEASE <= timedelta(seconds=30)


class TestHandBack:
    @pytest.mark.parametrize("deaf", [False, True])
    async def test_a_job_that_cannot_be_finished_is_free_for_another_worker_at_once(
        self,
        world: World,
        job: str,
        admin_connection: Plain,
        monkeypatch: pytest.MonkeyPatch,
        *,
        deaf: bool,
    ) -> None:
        monkeypatch.setattr(runner, "UNWINDING", timedelta(seconds=0.3))
        stuck, runs, stop = Stuck(deaf=deaf), Runs(), asyncio.Event()
        async with world.tenant() as session:
            await enqueue(session, job)
        grace = timedelta(seconds=0.3)
        running = asyncio.create_task(run_jobs(world.url, {job: stuck}, stop, grace=grace))
        await asyncio.wait_for(stuck.begun.wait(), 10)
        stop.set()
        await asyncio.sleep(0.1)
        assert not was_cut_off(stuck)
        await asyncio.wait_for(running, 5)
        assert was_cut_off(stuck)
        row = await admin_connection.fetchrow(
            "SELECT status::text, attempts, queue_manager_id FROM pgqueuer WHERE entrypoint = $1",
            job,
        )
        assert row is not None
        assert tuple(row) == ("queued", 0, None)
        started = time.monotonic()
        await drain(world, job, runs)
        assert runs.ids == [{}]
        assert time.monotonic() - started < runner.LEASE.total_seconds() / 2

    async def test_a_worker_that_is_cancelled_loses_no_job(
        self, world: World, job: str, admin_connection: Plain
    ) -> None:
        """PgQueuer deletes the job of a cancelled task."""
        stuck = Stuck()
        async with world.tenant() as session:
            await enqueue(session, job)
        running = asyncio.create_task(run_jobs(world.url, {job: stuck}, asyncio.Event()))
        await asyncio.wait_for(stuck.begun.wait(), 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, 5)
        kept = "SELECT status::text FROM pgqueuer WHERE entrypoint = $1"
        assert await admin_connection.fetchval(kept, job) == "queued"

    async def test_a_job_that_cannot_be_put_back_now_is_not_dead(
        self, world: World, job: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The database went away in between: the job comes again when its lease is over."""
        cut, runs = 0, Runs()
        execute = runner.PollingDriver.execute

        async def execute_or_fail(driver: runner.PollingDriver, query: str, *args: object) -> str:
            nonlocal cut
            if "attempts + 1" in query and not cut:
                cut += 1
                raise ConnectionResetError
            return await execute(driver, query, *args)

        async def stumble(ids: Mapping[str, UUID]) -> None:
            await runs(ids)
            if len(runs.ids) == 1:
                raise ConflictError

        monkeypatch.setattr(runner.PollingDriver, "execute", execute_or_fail)
        async with world.tenant() as session:
            await enqueue(session, job)
        stop, lease = asyncio.Event(), timedelta(seconds=1)
        running = asyncio.create_task(run_jobs(world.url, {job: stumble}, stop, lease=lease))
        async with asyncio.timeout(15):
            while len(runs.ids) < 2:  # noqa: ASYNC110 - the handler's second run sets no event
                await asyncio.sleep(0.05)
        stop.set()
        await asyncio.wait_for(running, 10)
        assert cut == 1
