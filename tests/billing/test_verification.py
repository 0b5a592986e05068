"""`flatbed verify ledger`: what an owner of the database does to the ledger is found."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from flatbed.billing.facade import (
    Finding,
    Head,
    read_anchor,
    reverse_usage,
    verify_ledger,
)
from flatbed.billing.usage import anchor
from flatbed.billing.usage.chain import Fault
from flatbed.billing.usage.tasks import anchor_ledger
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.settings import KernelSettings
from tests.billing.world import BERLIN, World


@pytest.fixture
def settings(tmp_path: Path) -> KernelSettings:
    return KernelSettings(anchor_file=tmp_path / "anchor.jsonl")


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@asynccontextmanager
async def meddling(owner: Plain) -> AsyncIterator[Plain]:
    """As `flatbed_owner`, with the triggers off and row security lifted."""
    tables = ("usage_entry", "ledger_head", "cap_counter")
    async with owner.transaction():
        for table in tables:
            await owner.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
            await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield owner
        await owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            await owner.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            await owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


class Ledger:
    """A tenant's ledger of five entries, one of them reversed, and its anchor file."""

    def __init__(self, world: World, isv: UUID, settings: KernelSettings) -> None:
        self.world, self.isv, self.settings = world, isv, settings
        self.live: dict[UUID, str] = {}

    async def fill(self) -> None:
        entries = [await self.world.meter(self.isv) for _ in range(4)]
        async with self.world.at(self.isv) as session:
            await reverse_usage(session, entries[1].entry_id, reason="x", zone=BERLIN)
        self.live = {
            entry.entry_id: "e" * 64 for entry in entries if entry.entry_id != entries[1].entry_id
        }
        await anchor_ledger(self.world.database, self.settings, self.world.realm_id, self.isv)

    async def verify(self) -> list[Finding]:
        async def candidates(_: TenantReadSession) -> Mapping[UUID, str]:
            return self.live

        path = self.settings.anchor_file
        assert path is not None
        async with self.world.at(self.isv) as session:
            return await verify_ledger(
                session, anchors=read_anchor(path, self.isv), expected=candidates
            )

    async def faults(self) -> set[Fault]:
        return {finding.fault for finding in await self.verify()}


@pytest_asyncio.fixture
async def filled(world: World, isv: UUID, settings: KernelSettings) -> Ledger:
    made = Ledger(world, isv, settings)
    await made.fill()
    return made


class TestVerifyLedger:
    async def test_a_ledger_that_nobody_touched_is_clean(self, filled: Ledger) -> None:
        assert await filled.verify() == []
        assert await filled.world.count("usage_entry", filled.isv) == 5

    async def test_an_unused_ledger_is_clean(self, world: World) -> None:
        async with world.at(await world.isv()) as session:
            assert await verify_ledger(session) == []

    async def test_an_edited_entry_is_found(self, filled: Ledger, owner_connection: Plain) -> None:
        async with meddling(owner_connection) as owner:
            await owner.execute(
                "UPDATE usage_entry SET amount = 1 WHERE tenant_id = $1 AND sequence = 3",
                filled.isv,
            )
        findings = await filled.verify()
        assert [(f.fault, f.sequence) for f in findings] == [
            (Fault.EDITED, 3),
            (Fault.COUNTER, None),
            (Fault.COUNTER, None),
        ]

    async def test_no_column_is_outside_the_hash(
        self, filled: Ledger, owner_connection: Plain
    ) -> None:
        await filled.world.meter(filled.isv)
        changes = {
            "evidence_hash": "repeat('f', 64)",
            "unit_key": "'forged'",
            "occurred_at": "occurred_at - interval '1 microsecond'",
            "recorded_at": "recorded_at + interval '1 microsecond'",
            "source_id": "gen_random_uuid()",
            "month": "'2026-02'",
        }
        for sequence, (column, value) in enumerate(changes.items(), start=1):
            async with meddling(owner_connection) as owner:
                await owner.execute(
                    f"UPDATE usage_entry SET {column} = {value}"
                    " WHERE tenant_id = $1 AND sequence = $2",
                    filled.isv,
                    sequence,
                )
            edited = [f.sequence for f in await filled.verify() if f.fault is Fault.EDITED]
            assert edited == list(range(1, sequence + 1)), column

    @pytest.mark.parametrize("sequence", [1, 3, 5])
    async def test_a_removed_entry_is_found_at_the_tail_too(
        self, filled: Ledger, owner_connection: Plain, sequence: int
    ) -> None:
        async with meddling(owner_connection) as owner:
            await owner.execute(
                "DELETE FROM usage_entry WHERE tenant_id = $1 AND sequence = $2",
                filled.isv,
                sequence,
            )
        wanted = {Fault.HEAD, Fault.ANCHOR} if sequence == 5 else {Fault.MISSING, Fault.DISPLACED}
        assert wanted <= await filled.faults()

    async def test_a_tail_removed_with_head_and_counters_is_found(
        self, filled: Ledger, owner_connection: Plain
    ) -> None:
        """A removed tail shows against the anchor, and against the candidates."""
        isv = filled.isv
        await filled.world.meter(isv)
        async with meddling(owner_connection) as owner:
            campaign = await owner.fetchval(
                "DELETE FROM usage_entry WHERE tenant_id = $1 AND sequence = 6"
                " RETURNING campaign_ref",
                isv,
            )
            await owner.execute(
                "DELETE FROM cap_counter WHERE tenant_id = $1 AND campaign_ref = $2", isv, campaign
            )
            await owner.execute(
                "UPDATE ledger_head h SET sequence = 5, hash = e.hash FROM usage_entry e"
                " WHERE h.tenant_id = $1 AND e.tenant_id = $1 AND e.sequence = 5",
                isv,
            )
        assert await filled.faults() == set(), "neither anchored nor a candidate's: unseen"
        filled.live[uuid7()] = "e" * 64
        assert await filled.faults() == {Fault.CANDIDATE}
        del filled.live[max(filled.live)]
        path = filled.settings.anchor_file
        assert path is not None
        anchor.append(path, anchor.Anchor(isv, Head(6, "a" * 64), system_now()))
        assert await filled.faults() == {Fault.ANCHOR}

    async def test_two_swapped_entries_are_found(
        self, filled: Ledger, owner_connection: Plain
    ) -> None:
        async with meddling(owner_connection) as owner:
            for old, new in ((1, 99), (3, 1), (99, 3)):
                await owner.execute(
                    "UPDATE usage_entry SET sequence = $3 WHERE tenant_id = $1 AND sequence = $2",
                    filled.isv,
                    old,
                    new,
                )
        assert {Fault.EDITED, Fault.DISPLACED} <= await filled.faults()

    async def test_an_inserted_entry_is_found(
        self, filled: Ledger, owner_connection: Plain
    ) -> None:
        async with meddling(owner_connection) as owner:
            await owner.execute(
                "CREATE TEMP TABLE forged ON COMMIT DROP AS"
                " SELECT * FROM usage_entry WHERE tenant_id = $1 AND sequence = 1",
                filled.isv,
            )
            await owner.execute(
                "UPDATE forged SET id = gen_random_uuid(), source_id = gen_random_uuid(),"
                " unit_key = 'forged', sequence = 6"
            )
            await owner.execute("INSERT INTO usage_entry SELECT * FROM forged")
        assert {Fault.HEAD, Fault.EDITED, Fault.CANDIDATE} <= await filled.faults()

    async def test_a_live_entry_without_candidate_or_on_another_dossier_is_found(
        self, filled: Ledger
    ) -> None:
        """Invariant 1: qualified candidate ⇔ exactly one qualified entry."""
        first, second, _ = filled.live
        del filled.live[first]
        filled.live[second] = "f" * 64
        findings = await filled.verify()
        assert [finding.fault for finding in findings] == [Fault.CANDIDATE, Fault.CANDIDATE]

    async def test_a_counter_that_was_lowered_is_found(
        self, filled: Ledger, owner_connection: Plain
    ) -> None:
        async with meddling(owner_connection) as owner:
            await owner.execute(
                "UPDATE cap_counter SET units = 0, amount = 0"
                " WHERE tenant_id = $1 AND bucket = 'total'",
                filled.isv,
            )
        assert await filled.faults() == {Fault.COUNTER}


class TestAnchor:
    async def test_the_job_appends_the_present_head(
        self, filled: Ledger, settings: KernelSettings
    ) -> None:
        path = settings.anchor_file
        assert path is not None
        (line,) = path.read_text(encoding="utf-8").splitlines()
        entry = json.loads(line)
        assert (entry["tenant"], entry["sequence"]) == (str(filled.isv), 5)
        assert read_anchor(path, filled.isv) == [Head(5, entry["hash"])]
        assert read_anchor(path, uuid7()) == []
        assert path.stat().st_mode & 0o077 == 0

    async def test_a_torn_line_costs_nothing_but_itself(
        self, filled: Ledger, settings: KernelSettings
    ) -> None:
        path = settings.anchor_file
        assert path is not None
        with path.open("a", encoding="utf-8") as file:
            file.write('{"tenant": "torn, seq')
        assert len(read_anchor(path, filled.isv)) == 1
        world = filled.world
        await anchor_ledger(world.database, settings, world.realm_id, filled.isv)
        assert len(read_anchor(path, filled.isv)) == 2
        assert await filled.verify() == []

    async def test_without_a_file_or_a_ledger_nothing_is_written(
        self, world: World, isv: UUID, settings: KernelSettings, tmp_path: Path
    ) -> None:
        await anchor_ledger(world.database, settings, world.realm_id, isv)
        await anchor_ledger(world.database, KernelSettings(anchor_file=None), world.realm_id, isv)
        assert names(tmp_path) == []
        assert read_anchor(tmp_path / "missing", isv) == []
