"""The doorbell: who waits is served, nothing is lost, nobody blocks the others."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from flatbed.tenants.kit.audit import mutation, record
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.kernel_tables import AgencyAuditEntry, AuditEntry, Deadline
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.deadlines import DeadlineHandler, Swept, schedule
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.sealing import seal_tenant
from flatbed.tenants.kit.sweep import SHORT_REST, Poller, sweep_realm
from tests.support.deadlines import DAY, Journal, fail, set_deadline, wakeups
from tests.support.world import World


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

        async def crash(*_: object, **__: object) -> None:
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

        async def half(_: object, __: UUID, tenant_id: UUID, **___: object) -> int:
            calls.append(tenant_id)
            if tenant_id == world.tenants[0]:
                raise ConnectionError
            return 1

        monkeypatch.setattr("flatbed.tenants.kit.sweep.seal_tenant", half)
        poller = Poller(world.database, {})
        assert (await poller.poll(world.realm_id))[0] == 1
        assert (await poller.poll(world.realm_id))[0] == 0
        assert calls.count(world.tenants[0]) == 1

    async def test_a_failing_owners_wakeups_leave_room_for_the_others(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of the agency and both tenants in turn, all but one fail and wait for longest."""
        for _ in range(3):
            async with world.agency() as agency:
                record(agency, "staff.made", "staff", uuid7())
            async with world.tenant() as session:
                mutation(session, "thing.made", "off", uuid7())
        async with world.tenant(world.tenants[1]) as session:
            mutation(session, "thing.made", "off", uuid7())
        healthy: list[UUID] = []

        async def seal(_: object, __: UUID, tenant_id: UUID | None = None, **___: object) -> int:
            if tenant_id != world.tenants[1]:
                raise ConnectionError
            healthy.append(tenant_id)
            return 1

        monkeypatch.setattr("flatbed.tenants.kit.sweep.AT_ONCE", 2)
        monkeypatch.setattr("flatbed.tenants.kit.sweep._FIRST_REST", 60.0)
        monkeypatch.setattr("flatbed.tenants.kit.sweep.seal_tenant", seal)
        monkeypatch.setattr("flatbed.tenants.kit.sweep.seal_agency", seal)
        poller = Poller(world.database, {})
        answered = [(await poller.poll(world.realm_id))[0] for _ in range(4)]
        assert healthy == [world.tenants[1]]
        assert sum(answered) == 1
        assert answered[0] == 0, "the failing ones did not fill the first read"
        assert await wakeups(world) == 6

    async def test_a_tenant_that_rests_in_one_topic_is_served_in_the_other(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def crash(*_: object, **__: object) -> int:
            raise ConnectionError

        monkeypatch.setattr("flatbed.tenants.kit.sweep.seal_tenant", crash)
        journal = Journal()
        poller = Poller(world.database, {"note": journal})
        for done in range(3):
            await set_deadline(world, system_now())
            assert (await poller.poll(world.realm_id))[1] == Swept(handled=1)
            assert len(journal.lines) == done + 1

    async def test_a_tenant_with_much_to_seal_has_its_share_and_the_next_one_comes(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("flatbed.tenants.kit.sealing.BATCH", 2)
        for tenant_id, written in zip(world.tenants, (7, 1), strict=True):
            async with world.tenant(tenant_id) as session:
                for _ in range(written):
                    mutation(session, "thing.made", "off", uuid7())
        poller, sealed = Poller(world.database, {}, share=2), []
        for _ in range(4):
            await poller.poll(world.realm_id)
            counts = []
            for tenant_id in world.tenants:
                async with world.reading(tenant_id) as session:
                    rows = await session.scalar(select(func.count()).select_from(AuditEntry))
                    counts.append(rows)
            sealed.append(tuple(counts))
        # The rest of the first tenant's rows was rung for anew, until nothing was left.
        assert sealed[:2] == [(4, 1), (7, 1)]
        assert await wakeups(world) == 0

    async def test_a_tenant_with_much_to_do_has_its_share_and_the_next_one_comes(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("flatbed.tenants.kit.deadlines.SHARE", 3)
        monkeypatch.setattr("flatbed.tenants.kit.sweep.AT_ONCE", 8)
        journal, start = Journal(), system_now()
        busy = [await set_deadline(world, start - DAY) for _ in range(10)]
        modest = await set_deadline(world, start - DAY / 2, tenant_id=world.tenants[1])
        poller = Poller(world.database, {"note": journal})
        swept = [(await poller.poll(world.realm_id))[1].handled for _ in range(5)]
        # At first the busy one's rows are all that is read.
        assert swept == [3, 4, 3, 1, 0]
        assert modest in [subject_id for subject_id, _ in journal.lines[:7]]
        assert sorted(subject_id for subject_id, _ in journal.lines) == sorted([*busy, modest])
        await poller.poll(world.realm_id)
        assert await wakeups(world) == 0

    async def test_a_share_ends_by_the_clock_too(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("flatbed.tenants.kit.deadlines.SHARE_SECONDS", 0.0)
        journal = Journal()
        for _ in range(2):
            await set_deadline(world, system_now())
        poller = Poller(world.database, {"note": journal})
        swept = [(await poller.poll(world.realm_id))[1].handled for _ in range(3)]
        assert swept == [1, 1, 0]

    async def test_whom_another_worker_is_sweeping_is_passed_by_and_seen_again_later(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        journal, begun, go_on = Journal(), asyncio.Event(), asyncio.Event()

        async def slow(session: TenantSession, deadline: Deadline) -> None:
            begun.set()
            await go_on.wait()
            await journal(session, deadline)

        first = await set_deadline(world, system_now())
        other = asyncio.create_task(Poller(world.database, {"note": slow}).poll(world.realm_id))
        await begun.wait()
        second = await set_deadline(world, system_now())
        third = await set_deadline(world, system_now(), tenant_id=world.tenants[1])
        poller = Poller(world.database, {"note": journal})
        with capture_logs() as logs:
            with monkeypatch.context() as patch:
                patch.setattr("flatbed.tenants.kit.sweep.SHORT_REST", 60.0)
                polling = asyncio.wait_for(poller.poll(world.realm_id), 5)
                assert await polling == (1, Swept(handled=1))
                assert [subject_id for subject_id, _ in journal.lines] == [third]
                patch.setattr(poller, "sweep", _never)
                await poller.poll(world.realm_id)
            assert await wakeups(world) >= 2
            poller = Poller(world.database, {"note": journal})
            assert await poller.poll(world.realm_id) == (0, Swept())
        assert logs == []
        go_on.set()
        assert (await other)[1] == Swept(handled=1)
        await asyncio.sleep(SHORT_REST + 0.05)
        assert (await poller.poll(world.realm_id))[1] == Swept(handled=1)
        while (await poller.poll(world.realm_id))[0]:
            pass
        assert sorted(one for one, _ in journal.lines) == sorted([first, second, third])
        assert await wakeups(world) == 0


async def _never(*_: object) -> Swept:
    raise AssertionError("a resting tenant was swept")


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

    async def test_it_ends_while_the_realm_is_being_written_to(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seals = 0

        async def written(
            database: Database, realm_id: UUID, tenant_id: UUID, *, share: int | None
        ) -> int:
            nonlocal seals
            seals += 1
            moved = await seal_tenant(database, realm_id, tenant_id, share=share)
            async with world.tenant(tenant_id) as session:
                mutation(session, "thing.made", "off", uuid7())
            return moved

        monkeypatch.setattr("flatbed.tenants.kit.sweep.seal_tenant", written)
        journal = Journal()
        await set_deadline(world, system_now())
        sweeping = sweep_realm(world.database, {"note": journal}, world.realm_id)
        assert await asyncio.wait_for(sweeping, 20) == Swept(handled=1)
        assert seals >= 1
        async with world.reading() as session:
            actions = set((await session.scalars(select(AuditEntry.action))).all())
        assert "deadline.met" in actions

    async def test_it_is_not_cut_by_a_share_and_seals_beyond_one_read(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("flatbed.tenants.kit.deadlines.SHARE", 2)
        monkeypatch.setattr("flatbed.tenants.kit.sweep.AT_ONCE", 1)
        journal = Journal()
        for _ in range(4):
            async with world.tenant() as session:
                mutation(session, "thing.made", "off", uuid7())
        for _ in range(3):
            await set_deadline(world, system_now(), tenant_id=world.tenants[1])
        swept = await sweep_realm(world.database, {"note": journal}, world.realm_id)
        assert swept == Swept(handled=3)
        for tenant_id, count in zip(world.tenants, (4, 3), strict=True):
            async with world.reading(tenant_id) as session:
                assert await session.scalar(select(func.count()).select_from(AuditEntry)) == count

    async def test_it_waits_for_another_sweeper(self, world: World) -> None:
        journal, begun, go_on = Journal(), asyncio.Event(), asyncio.Event()

        async def slow(session: TenantSession, deadline: Deadline) -> None:
            begun.set()
            await go_on.wait()
            await journal(session, deadline)

        await set_deadline(world, system_now())
        other = asyncio.create_task(Poller(world.database, {"note": slow}).poll(world.realm_id))
        await begun.wait()
        sweeping = asyncio.create_task(
            sweep_realm(world.database, {"note": journal}, world.realm_id)
        )
        await asyncio.sleep(0.4)
        assert not sweeping.done()
        go_on.set()
        assert await sweeping == Swept()
        assert (await other)[1] == Swept(handled=1)
        assert len(journal.lines) == 1
