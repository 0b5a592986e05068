"""Who holds a job, and what becomes of it when its worker dies or is told to stop."""

import asyncio
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.jobs import runner
from flatbed.tenants.kit.jobs.queue import enqueue
from flatbed.tenants.kit.jobs.runner import dead_jobs, revive_jobs, run_jobs
from flatbed.tenants.kit.problems import ConflictError
from tests.kit.jobs.work import Runs, drain
from tests.support.world import World

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


SHORT_LEASE = timedelta(seconds=1)


async def kill_a_worker(world: World, job: str) -> None:
    """Let a worker take the job, and die of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", WORKER, world.url, job, str(SHORT_LEASE.total_seconds())),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 20) == b"begun\n"
    finally:
        process.kill()
        await process.wait()


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

    async def test_a_job_that_kills_its_worker_each_time_ends_in_the_dead_letters(
        self, world: World, job: str, admin_connection: Plain
    ) -> None:
        async with world.tenant() as session:
            await enqueue(session, job)
        for attempt in range(runner.ATTEMPTS):
            await kill_a_worker(world, job)
            taken = await admin_connection.fetchrow(
                "SELECT status::text, attempts FROM pgqueuer WHERE entrypoint = $1", job
            )
            assert taken is not None
            assert tuple(taken) == ("picked", attempt + 1)
        runs = Runs()
        await drain(world, job, runs, lease=SHORT_LEASE)
        assert runs.ids == []
        async with world.agency() as agency:
            (dead,) = [dead for dead in await dead_jobs(agency) if dead.name == job]
            await revive_jobs(agency, [dead.id])
        await drain(world, job, runs)
        assert runs.ids == [{}]

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
            if query == runner.PUT_BACK and not cut:
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
