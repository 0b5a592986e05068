"""Deadlines: each at its own instant, in order, once; a failing one blocks nobody."""

import asyncio
import contextlib
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from structlog.testing import capture_logs

from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.context import CandidateRange
from flatbed.tenants.kit.database.engine import Database, create_engine
from flatbed.tenants.kit.database.kernel_tables import AuditPending, Deadline
from flatbed.tenants.kit.database.limits import LIMITS
from flatbed.tenants.kit.database.session import PlaneSession, TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.deadlines import (
    ATTEMPTS,
    DeadlineHandler,
    Swept,
    cancel,
    dead_letters,
    revive,
    schedule,
    sweep_tenant,
)
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import UnavailableError
from tests.support.deadlines import DAY, Journal, fail, set_deadline, wakeups
from tests.support.world import World


async def sweep(world: World, until: datetime, **handlers: DeadlineHandler) -> Swept:
    return await sweep_tenant(world.database, handlers, world.realm_id, world.tenants[0], until)


async def open_deadlines(world: World) -> list[Deadline]:
    async with world.reading() as session:
        statement = select(Deadline).where(Deadline.done_at.is_(None))
        return list((await session.scalars(statement)).all())


class TestSchedule:
    async def test_the_same_deadline_is_open_once_and_moves(self, world: World) -> None:
        candidate_id, now = uuid7(), system_now()
        subject_id = await set_deadline(world, now + DAY, candidate_id=candidate_id)
        for due_at in (now + DAY, now + 2 * DAY):
            await set_deadline(world, due_at, candidate_id=candidate_id, subject_id=subject_id)
        (deadline,) = await open_deadlines(world)
        assert deadline.due_at == now + 2 * DAY
        journal = Journal()
        assert await sweep(world, now + DAY, note=journal) == Swept()
        assert await sweep(world, now + 2 * DAY, note=journal) == Swept(handled=1)

    async def test_a_done_deadline_may_be_set_again(self, world: World) -> None:
        candidate_id, now, journal = uuid7(), system_now(), Journal()
        subject_id = await set_deadline(world, now, candidate_id=candidate_id)
        await sweep(world, now, note=journal)
        await set_deadline(world, now, candidate_id=candidate_id, subject_id=subject_id)
        await sweep(world, now, note=journal)
        assert len(journal.lines) == 2

    async def test_it_is_rolled_back_with_its_transaction(self, world: World) -> None:
        async def work() -> None:
            async with world.tenant() as session:
                await schedule(
                    session,
                    candidate_id=uuid7(),
                    kind="note",
                    subject_id=uuid7(),
                    due_at=session.now(),
                )
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await work()
        assert await open_deadlines(world) == []
        assert await wakeups(world) == 0

    async def test_a_hunter_sets_and_sees_deadlines_of_his_candidate_only(
        self, world: World
    ) -> None:
        mine = uuid7()
        await set_deadline(world, system_now())
        async with world.tenant(candidates=CandidateRange.one(mine)) as session:
            await schedule(
                session, candidate_id=mine, kind="note", subject_id=uuid7(), due_at=session.now()
            )
            (seen,) = (await session.scalars(select(Deadline))).all()
        assert seen.candidate_id == mine


class TestCancel:
    async def test_a_cancelled_deadline_does_not_happen(self, world: World) -> None:
        candidate_id, journal, now = uuid7(), Journal(), system_now()
        subject_id = await set_deadline(world, now, candidate_id=candidate_id)
        async with world.tenant() as session:
            found = [
                await cancel(session, candidate_id=candidate_id, kind="note", subject_id=subject_id)
                for _ in range(2)
            ]
        assert found == [True, False]
        assert await sweep(world, now, note=journal) == Swept()
        assert journal.lines == []


class TestSweepTenant:
    async def test_each_is_handled_at_its_own_instant_in_due_order(self, world: World) -> None:
        journal, start = Journal(), system_now()
        days = [30, 2, 89, 7, 45]
        subjects = {day: await set_deadline(world, start + day * DAY) for day in days}
        await set_deadline(world, start + 91 * DAY)
        swept = await sweep(world, start + 90 * DAY, note=journal)
        assert swept == Swept(handled=5)
        assert journal.lines == [(subjects[day], start + day * DAY) for day in sorted(days)]
        async with world.reading() as session:
            instants = (await session.scalars(select(AuditPending.at))).all()
        assert sorted(instants) == [start + day * DAY for day in sorted(days)]

    async def test_what_a_handler_schedules_is_swept_in_the_same_call_if_due(
        self, world: World
    ) -> None:
        start, journal = system_now(), Journal()

        async def first(session: TenantSession, deadline: Deadline) -> None:
            await schedule(
                session,
                candidate_id=deadline.candidate_id,
                kind="note",
                subject_id=deadline.subject_id,
                due_at=session.now() + 5 * DAY,
            )

        subject_id = await set_deadline(world, start + DAY, kind="first")
        between = await set_deadline(world, start + 3 * DAY)
        await sweep(world, start + 10 * DAY, first=first, note=journal)
        assert journal.lines == [(between, start + 3 * DAY), (subject_id, start + 6 * DAY)]

    async def test_a_handler_may_set_its_own_successor(self, world: World) -> None:
        start, instants = system_now(), list[datetime]()

        async def every_week(session: TenantSession, deadline: Deadline) -> None:
            instants.append(session.now())
            await schedule(
                session,
                candidate_id=deadline.candidate_id,
                kind="weekly",
                subject_id=deadline.subject_id,
                due_at=session.now() + 7 * DAY,
            )

        await set_deadline(world, start, kind="weekly")
        swept = await sweep(world, start + 30 * DAY, weekly=every_week)
        assert instants == [start + week * 7 * DAY for week in range(5)]
        assert swept.handled == 5
        (successor,) = await open_deadlines(world)
        assert successor.due_at == start + 35 * DAY

    async def test_a_handler_may_cancel_what_it_handles(self, world: World) -> None:
        calls = 0

        async def accept(session: TenantSession, deadline: Deadline) -> None:
            nonlocal calls
            calls += 1
            await cancel(
                session,
                candidate_id=deadline.candidate_id,
                kind=deadline.kind,
                subject_id=deadline.subject_id,
            )

        now = system_now()
        await set_deadline(world, now, kind="accept")
        assert await sweep(world, now, accept=accept) == Swept(handled=1)
        assert calls == 1

    async def test_work_that_was_overtaken_by_a_cancellation_is_rolled_back(
        self, world: World
    ) -> None:
        candidate_id, now = uuid7(), system_now()
        subject_id = await set_deadline(world, now, candidate_id=candidate_id)

        async def slow(session: TenantSession, deadline: Deadline) -> None:
            mutation(session, "deadline.met", "cand", deadline.candidate_id)
            async with world.tenant() as request:
                await cancel(request, candidate_id=candidate_id, kind="note", subject_id=subject_id)

        assert await sweep(world, now, note=slow) == Swept()
        async with world.reading() as session:
            assert await session.scalar(select(func.count()).select_from(AuditPending)) == 0

    async def test_a_failing_handler_blocks_no_other_and_is_tried_again_later(
        self, world: World
    ) -> None:
        now, journal = system_now(), Journal()
        await set_deadline(world, now - DAY, kind="broken")
        fine = await set_deadline(world, now)
        with capture_logs() as logs:
            swept = await sweep(world, now, broken=fail, note=journal)
        assert swept == Swept(handled=1, failed=1)
        assert [line[0] for line in journal.lines] == [fine]
        (line,) = logs
        assert (line["event"], line["code"]) == ("deadline_failed", "RuntimeError")
        assert "Lovelace" not in str(logs)
        assert await sweep(world, now, broken=journal) == Swept()
        later = now + timedelta(minutes=2)
        assert await sweep(world, later, broken=journal) == Swept(handled=1)
        assert journal.lines[-1][1] == now - DAY

    async def test_a_deadline_that_keeps_failing_becomes_a_visible_dead_letter(
        self, world: World
    ) -> None:
        now, journal = system_now(), Journal()
        subject_id = await set_deadline(world, now, kind="broken")
        for day in range(ATTEMPTS + 2):
            await sweep(world, now + day * DAY, broken=fail)
        async with world.reading() as session:
            (dead,) = await dead_letters(session)
        assert (dead.subject_id, dead.attempts) == (subject_id, ATTEMPTS)
        async with world.tenant() as session:
            await revive(session)
        assert await sweep(world, now, broken=journal) == Swept(handled=1)

    async def test_a_deadline_without_a_handler_is_a_failure_not_a_loss(self, world: World) -> None:
        now = system_now()
        await set_deadline(world, now, kind="unheard-of")
        assert await sweep(world, now) == Swept(failed=1)
        assert len(await open_deadlines(world)) == 1

    async def test_a_swallowed_database_error_is_a_failure(self, world: World) -> None:
        now = system_now()

        async def swallow(session: TenantSession, _: Deadline) -> None:
            with contextlib.suppress(Exception):
                await (await session.connection()).exec_driver_sql("SELECT 1/0")

        await set_deadline(world, now)
        assert await sweep(world, now, note=swallow) == Swept(failed=1)

    async def test_sweepers_of_one_tenant_handle_each_deadline_once_and_in_order(
        self, world: World
    ) -> None:
        journal, start = Journal(), system_now()
        for hour in range(20):
            await set_deadline(world, start + timedelta(hours=hour))
        swept = await asyncio.gather(*(sweep(world, start + DAY, note=journal) for _ in range(4)))
        assert sum(one.handled for one in swept) == 20
        instants = [at for _, at in journal.lines]
        assert instants == [start + timedelta(hours=hour) for hour in range(20)]

    async def test_a_tenants_sweep_leaves_other_tenants_alone(self, world: World) -> None:
        journal, now = Journal(), system_now()
        await set_deadline(world, now, tenant_id=world.tenants[1])
        assert await sweep(world, now, note=journal) == Swept()

    async def test_a_sweeper_waits_for_another_longer_than_any_lock_may_take(
        self, world: World
    ) -> None:
        """It holds no transaction meanwhile: what waits in one is ended by lock_timeout."""
        now, journal = system_now(), Journal()
        await set_deadline(world, now)
        await set_deadline(world, now)
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(session: TenantSession, deadline: Deadline) -> None:
            begun.set()
            await go_on.wait()
            await journal(session, deadline)

        engine = create_engine(world.url, pool_size=2, limits={**LIMITS, "lock_timeout": 100})
        quick = World(world.url, Database(engine), world.realm_id, world.tenants)
        first = asyncio.create_task(sweep(quick, now, note=slow))
        await begun.wait()
        second = asyncio.create_task(sweep(quick, now, note=journal))
        await asyncio.sleep(0.4)
        assert not second.done()
        assert journal.lines == []
        go_on.set()
        swept = await first + await second
        assert swept == Swept(handled=2)
        assert len(journal.lines) == 2
        await quick.database.close()

    async def test_a_lost_connection_is_no_failure_of_the_deadline(
        self, world: World, admin_connection: Plain
    ) -> None:
        now, journal, runs = system_now(), Journal(), 0
        await set_deadline(world, now)

        async def unlucky(session: TenantSession, deadline: Deadline) -> None:
            nonlocal runs
            runs += 1
            await journal(session, deadline)
            if runs == 1:
                pid = await session.scalar(text("SELECT pg_backend_pid()"))
                assert await admin_connection.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
                await session.execute(text("SELECT 1"))

        assert await sweep(world, now, note=unlucky) == Swept(handled=1)
        async with world.reading() as session:
            assert await session.scalar(select(func.count()).select_from(AuditPending)) == 1

    async def test_a_database_that_is_away_is_no_failure_of_the_deadline(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now, runs = system_now(), 0
        await set_deadline(world, now)

        async def away(_: TenantSession, __: Deadline) -> None:
            nonlocal runs
            runs += 1
            monkeypatch.setattr(PlaneSession, "scalar", silent)
            raise TimeoutError  # what the driver raises

        async def silent(*_: object) -> None:
            raise TimeoutError

        with pytest.raises(UnavailableError):
            await sweep(world, now, note=away)
        monkeypatch.undo()
        assert runs == 1
        (deadline,) = await open_deadlines(world)
        assert (deadline.attempts, deadline.retry_at) == (0, None)
        assert await sweep(world, now, note=Journal()) == Swept(handled=1)

    async def test_one_that_loses_its_connection_each_time_keeps_nobody_waiting(
        self, world: World
    ) -> None:
        """The database is there, so the deadline itself is what fails, and dies in the end."""
        now, journal, runs = system_now(), Journal(), 0
        poison = await set_deadline(world, now - DAY, kind="poison")
        behind = await set_deadline(world, now, kind="note")

        async def kill_itself(session: TenantSession, _: Deadline) -> None:
            nonlocal runs
            runs += 1
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

        swept = await sweep(world, now, poison=kill_itself, note=journal)
        assert swept == Swept(handled=1, failed=1)
        assert journal.lines == [(behind, now)]
        assert runs == 2
        (deadline,) = await open_deadlines(world)
        assert (deadline.subject_id, deadline.attempts) == (poison, 1)
        for _ in range(ATTEMPTS):
            now += DAY
            await sweep(world, now, poison=kill_itself)
        async with world.reading() as session:
            (letter,) = await dead_letters(session)
        assert letter.subject_id == poison
