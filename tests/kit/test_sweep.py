"""The doorbell: who waits is served, nothing is lost, nobody blocks the others."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select

from flatbed.tenants.kit.audit import mutation, record
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.kernel_tables import AgencyAuditEntry, AuditEntry, Deadline
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.deadlines import DeadlineHandler, Swept, schedule
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.sweep import Poller, sweep_realm
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
