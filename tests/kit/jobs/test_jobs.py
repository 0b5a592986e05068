"""Jobs: enqueued with their transaction, run at least once, dead ones kept without their texts."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from uuid import UUID

import pytest

from flatbed.app.worker import _sweeping
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.canonical import digest
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import AgencySession, TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs import runner
from flatbed.tenants.kit.jobs.queue import enqueue, enqueue_missing
from flatbed.tenants.kit.jobs.runner import JobHandler, dead_jobs, revive_jobs, run_jobs
from flatbed.tenants.kit.problems import ConflictError
from flatbed.tenants.kit.sweep import Poller
from tests.kit.jobs.work import Runs, drain
from tests.support.deadlines import DAY, Journal, set_deadline
from tests.support.world import World

SECRET = "the e-mail of Ada Lovelace"


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


class TestEnqueueMissing:
    async def test_only_what_neither_waits_nor_runs_is_asked_for(
        self, world: World, job: str
    ) -> None:
        runs, first, second = Runs(), {"event_id": uuid7()}, {"event_id": uuid7()}
        for wanted, asked in (([], 0), ([first], 1), ([first, second], 1), ([second], 0)):
            async with world.worker() as session:
                assert await enqueue_missing(session, job, wanted) == asked
        await drain(world, job, runs)
        assert sorted(runs.ids, key=str) == sorted([first, second], key=str)
        async with world.worker() as session:
            assert await enqueue_missing(session, job, [first]) == 1
        await drain(world, job, runs)
        assert len(runs.ids) == 3

    async def test_a_dead_one_is_tried_again_with_all_its_attempts(
        self, world: World, job: str, admin_connection: Plain
    ) -> None:
        runs, wanted = Runs(), [{"event_id": uuid7()}]
        async with world.worker() as session:
            await enqueue_missing(session, job, wanted)
        await admin_connection.execute(
            "UPDATE pgqueuer SET status = 'failed', attempts = 6 WHERE entrypoint = $1", job
        )
        await drain(world, job, runs)
        assert runs.ids == []
        async with world.worker() as session:
            assert await enqueue_missing(session, job, wanted) == 1
        await drain(world, job, runs)
        assert runs.ids == wanted
        left = "SELECT count(*) FROM pgqueuer WHERE entrypoint = $1"
        assert await admin_connection.fetchval(left, job) == 0


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


class TestSweepJob:
    async def test_a_realm_that_is_being_swept_keeps_no_job_waiting(
        self, world: World, job: str, admin_connection: Plain
    ) -> None:
        """As many moves of its clock as a worker holds jobs, while somebody is at its tenant."""
        await set_deadline(world, system_now() - DAY)
        journal, runs, sweeps = Journal(), Runs(), 0
        real = _sweeping(world.database, {"note": journal}, bool)

        async def sweep(ids: Mapping[str, UUID]) -> None:
            nonlocal sweeps
            sweeps += 1
            await real(ids)

        turn = int(digest(["sweep", world.tenants[0]])[:15], 16)
        await admin_connection.execute("SELECT pg_advisory_lock($1)", turn)
        try:
            async with world.agency() as session:
                for _ in range(runner.AT_ONCE):
                    await enqueue(session, f"{job}-sweep", realm_id=world.realm_id)
            async with world.agency() as session:
                await enqueue(session, job)
            jobs: dict[str, JobHandler] = {f"{job}-sweep": sweep, job: runs}
            await asyncio.wait_for(run_jobs(world.url, jobs, asyncio.Event(), drain=True), 30)
            assert runs.ids == [{}]
            assert sweeps == runner.AT_ONCE
            assert journal.lines == []
        finally:
            await admin_connection.execute("SELECT pg_advisory_unlock($1)", turn)
        # The wake-up stands: whoever comes next handles it.
        await Poller(world.database, {"note": journal}).poll(world.realm_id)
        assert len(journal.lines) == 1
