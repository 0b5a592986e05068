"""Deadlines: each at its own instant, in order, once; a failing one blocks nobody."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from flatbed.tenants.kit.audit import mutation, record
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.context import CandidateRange
from flatbed.tenants.kit.database.kernel_tables import (
    AgencyAuditEntry,
    AuditEntry,
    AuditPending,
    Deadline,
    Wakeup,
)
from flatbed.tenants.kit.database.session import TenantSession
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
from flatbed.tenants.kit.sweep import Poller, sweep_realm
from tests.support.world import World

DAY = timedelta(days=1)


class Journal:
    """A handler that remembers what it was called for, and when by its session's clock."""

    def __init__(self) -> None:
        self.lines: list[tuple[UUID, datetime]] = []

    async def __call__(self, session: TenantSession, deadline: Deadline) -> None:
        self.lines.append((deadline.subject_id, session.now()))
        mutation(session, "deadline.met", "cand", deadline.candidate_id)


async def set_deadline(
    world: World,
    due_at: datetime,
    *,
    kind: str = "note",
    subject_id: UUID | None = None,
    candidate_id: UUID | None = None,
    tenant_id: UUID | None = None,
) -> UUID:
    subject_id = subject_id or uuid7()
    async with world.tenant(tenant_id) as session:
        await schedule(
            session,
            candidate_id=candidate_id or uuid7(),
            kind=kind,
            subject_id=subject_id,
            due_at=due_at,
        )
    return subject_id


async def sweep(world: World, until: datetime, **handlers: DeadlineHandler) -> Swept:
    return await sweep_tenant(world.database, handlers, world.realm_id, world.tenants[0], until)


async def open_deadlines(world: World) -> list[Deadline]:
    async with world.reading() as session:
        statement = select(Deadline).where(Deadline.done_at.is_(None))
        return list((await session.scalars(statement)).all())


async def wakeups(world: World) -> int:
    async with world.worker() as session:
        statement = select(func.count()).where(Wakeup.realm_id == world.realm_id)
        return await session.scalar(statement) or 0


async def fail(_: TenantSession, __: Deadline) -> None:
    raise RuntimeError("a secret of Ada Lovelace")


class TestSchedule:
    async def test_the_same_deadline_is_open_once_and_moves(self, world: World) -> None:
        candidate_id, now = uuid7(), system_now()
        subject_id = await set_deadline(world, now + DAY, candidate_id=candidate_id)
        again = {"subject_id": subject_id, "candidate_id": candidate_id}
        await set_deadline(world, now + DAY, **again)
        await set_deadline(world, now + 2 * DAY, **again)
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
        with pytest.raises(ZeroDivisionError):
            async with world.tenant() as session:
                await schedule(
                    session,
                    candidate_id=uuid7(),
                    kind="note",
                    subject_id=uuid7(),
                    due_at=session.now(),
                )
                raise ZeroDivisionError
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
        key = {"candidate_id": candidate_id, "kind": "note", "subject_id": subject_id}
        async with world.tenant() as session:
            assert await cancel(session, **key)
            assert not await cancel(session, **key)
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
            try:
                await (await session.connection()).exec_driver_sql("SELECT 1/0")
            except Exception:  # noqa: BLE001, S110 - the mistake that is tested
                pass

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


class TestPoller:
    async def test_audit_of_tenants_and_agency_is_sealed_and_the_bell_is_quiet_again(
        self, world: World
    ) -> None:
        for tenant_id in world.tenants:
            async with world.tenant(tenant_id) as session:
                mutation(session, "thing.made", "off", uuid7())
        async with world.agency() as session:
            record(session, "staff.made", "staff", uuid7())
        assert await wakeups(world) == 3
        answered, _ = await Poller(world.database, {}).poll(world.realm_id)
        assert answered == 3
        assert await wakeups(world) == 0
        for tenant_id in world.tenants:
            async with world.reading(tenant_id) as session:
                assert await session.scalar(select(func.count()).select_from(AuditEntry)) == 1
        async with world.agency() as session:
            assert await session.scalar(select(func.count()).select_from(AgencyAuditEntry)) == 1

    async def test_a_deadline_rings_when_it_is_due_by_the_realms_clock(self, world: World) -> None:
        journal = Journal()
        due_at = system_now() + 10 * DAY
        subject_id = await set_deadline(world, due_at)
        poller = Poller(world.database, {"note": journal})
        assert (await poller.poll(world.realm_id))[0] == 0
        await world.advance(11 * DAY)
        _, swept = await poller.poll(world.realm_id)
        assert swept == Swept(handled=1)
        assert journal.lines == [(subject_id, due_at)]

    async def test_a_crash_before_the_bell_is_answered_loses_nothing(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with world.tenant() as session:
            mutation(session, "thing.made", "off", uuid7())

        async def crash(*_: object) -> None:
            raise ConnectionError

        with monkeypatch.context() as patch:
            patch.setattr("flatbed.tenants.kit.sweep.seal_tenant", crash)
            assert (await Poller(world.database, {}).poll(world.realm_id))[0] == 0
        assert await wakeups(world) == 1
        assert (await Poller(world.database, {}).poll(world.realm_id))[0] == 1
        assert await wakeups(world) == 0

    async def test_an_owner_that_keeps_failing_is_left_to_rest_and_others_are_served(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for tenant_id in world.tenants:
            async with world.tenant(tenant_id) as session:
                mutation(session, "thing.made", "off", uuid7())
        calls: list[UUID] = []

        async def half(_: object, __: UUID, tenant_id: UUID) -> int:
            calls.append(tenant_id)
            if tenant_id == world.tenants[0]:
                raise ConnectionError
            return 1

        monkeypatch.setattr("flatbed.tenants.kit.sweep.seal_tenant", half)
        poller = Poller(world.database, {})
        assert (await poller.poll(world.realm_id))[0] == 1
        assert (await poller.poll(world.realm_id))[0] == 0
        assert calls.count(world.tenants[0]) == 1


class TestSweepRealm:
    async def test_ninety_days_at_once_happen_in_order_until_nothing_is_due(
        self, world: World
    ) -> None:
        start, journal = system_now(), Journal()

        async def remind(session: TenantSession, deadline: Deadline) -> None:
            await journal(session, deadline)
            await schedule(
                session,
                candidate_id=deadline.candidate_id,
                kind="note",
                subject_id=deadline.subject_id,
                due_at=session.now() + 30 * DAY,
            )

        expected: list[tuple[UUID, datetime]] = []
        for tenant_id in world.tenants:
            subject_id = await set_deadline(
                world, start + 10 * DAY, kind="remind", tenant_id=tenant_id
            )
            expected += [(subject_id, start + 10 * DAY), (subject_id, start + 40 * DAY)]
        await world.advance(90 * DAY)
        handlers: Mapping[str, DeadlineHandler] = {"remind": remind, "note": journal}
        swept = await sweep_realm(world.database, handlers, world.realm_id)
        assert swept == Swept(handled=4)
        assert sorted(journal.lines) == sorted(expected)
        assert await wakeups(world) == 0
        for tenant_id in world.tenants:
            async with world.reading(tenant_id) as session:
                instants = (await session.scalars(select(AuditEntry.at))).all()
                assert sorted(instants) == [start + 10 * DAY, start + 40 * DAY]

    async def test_a_deadline_that_fails_does_not_keep_it_from_returning(
        self, world: World
    ) -> None:
        await set_deadline(world, system_now(), kind="broken")
        swept = await sweep_realm(world.database, {"broken": fail}, world.realm_id)
        assert swept == Swept(failed=1)
        assert await wakeups(world) == 1

    async def test_another_realms_deadlines_are_left_alone(self, world: World) -> None:
        other = uuid7()
        await world.open_realm(other)
        await set_deadline(world, system_now())
        journal = Journal()
        assert await sweep_realm(world.database, {"note": journal}, other) == Swept()
        assert journal.lines == []
