"""Sealing: numbers without a gap, a chain that shows every tampering."""

import asyncio
import random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from flatbed.tenants.kit import sealing
from flatbed.tenants.kit.audit import mutation, record
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.kernel_tables import (
    AgencyAuditEntry,
    AuditEntry,
    AuditPending,
    Event,
    EventPending,
)
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.sealing import (
    BATCH,
    AuditFinding,
    seal_agency,
    seal_tenant,
    verify_audit,
)
from tests.support.world import CALLER, World


async def write(world: World, count: int, tenant_id: UUID | None = None) -> None:
    async with world.tenant(tenant_id) as session:
        for number in range(count):
            mutation(session, "thing.made", "off", uuid7(), {"number": number})


async def seal(world: World) -> int:
    return await seal_tenant(world.database, world.realm_id, world.tenants[0])


async def findings(world: World) -> list[AuditFinding]:
    async with world.reading() as session:
        return await verify_audit(session)


class TestSealTenant:
    async def test_pending_rows_are_moved_numbered_and_chained(self, world: World) -> None:
        await write(world, 3)
        assert await seal(world) == 6
        async with world.reading() as session:
            entries = (await session.scalars(select(AuditEntry))).all()
            events = (await session.scalars(select(Event))).all()
            assert await session.scalar(select(func.count()).select_from(AuditPending)) == 0
            assert await session.scalar(select(func.count()).select_from(EventPending)) == 0
        assert sorted(entry.sequence for entry in entries) == [1, 2, 3]
        assert sorted(event.sequence for event in events) == [1, 2, 3]
        first, second, _ = sorted(entries, key=lambda entry: entry.sequence)
        assert first.previous_hash == "0" * 64
        assert second.previous_hash == first.hash
        assert [first.detail, second.detail] == [{"number": 0}, {"number": 1}]
        assert first.object_id.startswith("off_")
        assert await findings(world) == []

    async def test_nothing_pending_seals_nothing(self, world: World) -> None:
        assert await seal(world) == 0
        assert await findings(world) == []

    async def test_more_than_a_batch_is_sealed_in_one_call(self, world: World) -> None:
        await write(world, BATCH + 5)
        assert await seal(world) == 2 * (BATCH + 5)
        async with world.reading() as session:
            assert await session.scalar(select(func.max(AuditEntry.sequence))) == BATCH + 5
        assert await findings(world) == []

    async def test_a_rolled_back_mutation_leaves_no_audit_row(self, world: World) -> None:
        async def work() -> None:
            async with world.tenant() as session:
                mutation(session, "thing.made", "off", uuid7())
                await session.flush()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await work()
        assert await seal(world) == 0

    async def test_tenants_have_chains_of_their_own(self, world: World) -> None:
        for tenant_id in world.tenants:
            await write(world, 2, tenant_id)
            await seal_tenant(world.database, world.realm_id, tenant_id)
            async with world.reading(tenant_id) as session:
                assert await session.scalar(select(func.max(AuditEntry.sequence))) == 2
                assert await verify_audit(session) == []

    async def test_twelve_writers_and_two_sealers_keep_order_without_gap_or_loss(
        self, world: World
    ) -> None:
        done = asyncio.Event()
        written: list[UUID] = []

        async def writer(seed: int) -> None:
            dice = random.Random(seed)
            for _ in range(15):
                object_id = uuid7()
                async with world.tenant() as session:
                    mutation(session, "thing.made", "off", object_id)
                    await session.flush()
                    # Some commit late: after rows that began after them have been sealed.
                    await asyncio.sleep(dice.choice([0, 0, 0.03]))
                written.append(object_id)

        async def sealer() -> None:
            while not done.is_set():
                await seal(world)
                await asyncio.sleep(0.005)

        sealers = [asyncio.create_task(sealer()) for _ in range(2)]
        await asyncio.gather(*(writer(seed) for seed in range(12)))
        done.set()
        await asyncio.gather(*sealers)
        await seal(world)
        async with world.reading() as session:
            for kind in (AuditEntry, Event):
                rows = (await session.execute(select(kind.sequence, kind.object_id))).all()
                assert sorted(row.sequence for row in rows) == list(range(1, 12 * 15 + 1))
                assert {row.object_id for row in rows} == {encode("off", id_) for id_ in written}
        assert await findings(world) == []

    async def test_a_reader_who_goes_on_from_a_sequence_misses_no_late_commit(
        self, world: World
    ) -> None:
        async with world.tenant() as late:
            mutation(late, "late.made", "off", uuid7())
            await late.flush()
            await write(world, 1)
            await seal(world)
            async with world.reading() as session:
                seen = await session.scalar(select(func.max(Event.sequence)))
        await seal(world)
        async with world.reading() as session:
            later = select(Event.type).where(Event.sequence > seen)
            assert (await session.scalars(later)).all() == ["late.made"]


class TestSealAgency:
    async def test_the_agency_has_a_chain_of_its_own(self, world: World) -> None:
        async with world.agency() as session:
            record(session, "staff.made", "staff", uuid7())
            record(session, "staff.made", "staff", uuid7())
        assert await seal_agency(world.database, world.realm_id) == 2
        async with world.database.agency_read(
            realm_id=world.realm_id, caller=CALLER, clock=Clock()
        ) as session:
            numbers = (await session.scalars(select(AgencyAuditEntry.sequence))).all()
            assert sorted(numbers) == [1, 2]
            assert await verify_audit(session) == []


class TestVerifyAudit:
    """Tampering as owner, past the triggers and row security."""

    @pytest.mark.parametrize(
        ("tampering", "expected"),
        [
            pytest.param(
                "UPDATE audit_entry SET actor = 'nobody' WHERE {t} AND sequence = 3",
                [AuditFinding("edited", 3)],
                id="an edited entry",
            ),
            pytest.param(
                "UPDATE audit_entry SET detail = '{{}}' WHERE {t} AND sequence = 5",
                [AuditFinding("edited", 5)],
                id="the edited last entry",
            ),
            pytest.param(
                "DELETE FROM audit_entry WHERE {t} AND sequence = 2",
                [AuditFinding("missing", 2), AuditFinding("unlinked", 3)],
                id="a deleted entry",
            ),
            pytest.param(
                "DELETE FROM audit_entry WHERE {t} AND sequence = 5",
                [AuditFinding("tail", 5)],
                id="the deleted last entry",
            ),
            pytest.param(
                "DELETE FROM audit_entry WHERE {t}",
                [AuditFinding("tail", 5)],
                id="all entries deleted",
            ),
            pytest.param(
                "INSERT INTO audit_entry SELECT tenant_id, 6, gen_random_uuid(), at, actor, action,"
                " object_type, object_id, detail, request_id, hash, hash FROM audit_entry"
                " WHERE {t} AND sequence = 5",
                [AuditFinding("edited", 6), AuditFinding("tail", 6)],
                id="an inserted entry",
            ),
            pytest.param(
                "UPDATE audit_entry SET sequence = -sequence WHERE {t} AND sequence IN (2, 3);"
                "UPDATE audit_entry SET sequence = 5 + sequence WHERE {t} AND sequence < 0",
                [
                    AuditFinding("unlinked", 2),
                    AuditFinding("edited", 2),
                    AuditFinding("unlinked", 3),
                    AuditFinding("edited", 3),
                    AuditFinding("unlinked", 4),
                ],
                id="swapped entries",
            ),
            pytest.param(
                "UPDATE audit_entry SET hash = repeat('a', 64) WHERE {t} AND sequence = 4",
                [AuditFinding("edited", 4), AuditFinding("unlinked", 5)],
                id="a replaced hash",
            ),
        ],
    )
    async def test_every_tampering_is_found(
        self, world: World, admin_connection: Plain, tampering: str, expected: list[AuditFinding]
    ) -> None:
        await write(world, 5)
        await seal(world)
        assert await findings(world) == []
        async with admin_connection.transaction():
            await admin_connection.execute("SET LOCAL session_replication_role = replica")
            await admin_connection.execute(tampering.format(t=f"tenant_id = '{world.tenants[0]}'"))
        assert await findings(world) == expected

    async def test_what_is_sealed_meanwhile_is_no_finding_and_makes_it_no_longer(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sealing, "BATCH", 2)
        await write(world, 5)
        await seal(world)
        async with world.reading() as session:
            plain, statements = session.execute, 0

            async def execute(*args: Any, **more: Any) -> Any:
                nonlocal statements
                found = await plain(*args, **more)
                statements += 1
                await write(world, 1)
                await seal(world)
                return found

            monkeypatch.setattr(session, "execute", execute)
            assert await verify_audit(session) == []
        assert statements == len(["two", "two", "one", "head"])
        assert await findings(world) == []

    async def test_a_head_that_is_set_back_to_the_end_of_a_page_is_found(
        self, world: World, admin_connection: Plain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sealing, "BATCH", 2)
        await write(world, 5)
        await seal(world)
        await admin_connection.execute(
            "UPDATE audit_head SET (sequence, hash) = (SELECT sequence, hash FROM audit_entry"
            " WHERE tenant_id = $1 AND sequence = 2) WHERE tenant_id = $1",
            world.tenants[0],
        )
        assert await findings(world) == [AuditFinding("tail", 5)]

    async def test_the_program_cannot_change_a_sealed_entry(self, world: World) -> None:
        await write(world, 1)
        await seal(world)
        for statement in ("UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"):
            with pytest.raises(Exception, match="permission denied"):
                async with world.tenant() as session:
                    await (await session.connection()).exec_driver_sql(statement)
