"""Mutants: deliberately wrong meters, each of which the checks of this suite must catch.

The same checks pass on the real meter, and never on an empty ledger.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from flatbed.billing.facade import (
    AlreadyBilledError,
    CapReachedError,
    Caps,
    record_usage,
    unit_key,
    verify_ledger,
)
from flatbed.billing.usage.caps import Used
from flatbed.billing.usage.chain import Fault
from flatbed.billing.usage.models import CapCounter, LedgerHead
from flatbed.billing.usage.repository import ledger
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from tests.billing.world import World, request

WRITERS = 6
CAP = 2


async def broken(world: World, isv: UUID, qualified: Mapping[UUID, str] | None = None) -> set[str]:
    """Which invariants the tenant's ledger breaks; it must hold entries."""
    rows = await world.admin.fetch("SELECT * FROM usage_entry WHERE tenant_id = $1", isv)
    assert rows, "no run passes on zero entries"
    found = set()
    net: dict[str, int] = {}
    by_campaign: dict[UUID, int] = {}
    for row in rows:
        net[row["unit_key"]] = net.get(row["unit_key"], 0) + row["units"]
        by_campaign[row["campaign_ref"]] = by_campaign.get(row["campaign_ref"], 0) + row["units"]
    if not set(net.values()) <= {0, 1}:
        found.add("2: net 0 or 1")
    if max(by_campaign.values()) > CAP:
        found.add("14: caps hold")

    async def expected(_: TenantReadSession) -> Mapping[UUID, str]:
        return qualified or {}

    async with world.at(isv) as session:
        findings = await verify_ledger(session, expected=expected if qualified else None)
    faults = {finding.fault for finding in findings}
    if Fault.CANDIDATE in faults:
        found.add("1: qualified candidate ⇔ entry")
    if faults - {Fault.CANDIDATE, Fault.COUNTER}:
        found.add("15: the chain")
    return found


async def rush(world: World, isv: UUID, *, same_unit: bool = False) -> list[Any]:
    """Several writers at once for one campaign with a cap, perhaps for one unit."""
    campaign, key = uuid7(), unit_key(uuid7(), uuid7())
    more: dict[str, Any] = {"unit_keys": (key,)} if same_unit else {}
    return await asyncio.gather(
        *(
            world.meter(isv, campaign_ref=campaign, caps=Caps(units_total=CAP), **more)
            for _ in range(WRITERS)
        ),
        return_exceptions=True,
    )


class TestMutants:
    @pytest.mark.parametrize("same_unit", [False, True])
    async def test_the_real_meter_breaks_nothing(
        self, world: World, isv: UUID, same_unit: bool
    ) -> None:
        results = await rush(world, isv, same_unit=same_unit)
        refused = [one for one in results if isinstance(one, BaseException)]
        assert len(refused) == (WRITERS - 1 if same_unit else WRITERS - CAP)
        assert all(isinstance(one, AlreadyBilledError | CapReachedError) for one in refused)
        assert await broken(world, isv) == set()

    async def test_a_cap_read_without_its_lock_is_caught(
        self, world: World, isv: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        everybody_has_read = asyncio.Barrier(WRITERS)

        async def unlocked(
            session: TenantSession, campaign_ref: UUID, buckets: Iterable[str]
        ) -> dict[str, Used]:
            rows = await session.execute(
                select(CapCounter).where(CapCounter.campaign_ref == campaign_ref)
            )
            assert not rows.all()
            await everybody_has_read.wait()
            return dict.fromkeys(buckets, Used(0, 0))

        monkeypatch.setattr(ledger, "lock_counters", unlocked)
        await rush(world, isv)
        assert await broken(world, isv) == {"14: caps hold"}

    async def test_a_head_read_without_its_lock_is_stopped_by_the_database(
        self, world: World, isv: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await world.meter(isv)
        everybody_has_read = asyncio.Barrier(WRITERS)

        async def unlocked(session: TenantSession) -> ledger.Locked:
            row = (
                await session.execute(
                    select(LedgerHead.sequence, LedgerHead.hash).where(
                        LedgerHead.tenant_id == session.tenant_id
                    )
                )
            ).one()
            await everybody_has_read.wait()
            return ledger.Locked(row.sequence, row.hash)

        monkeypatch.setattr(ledger, "lock_head", unlocked)
        results = await asyncio.gather(
            *(world.meter(isv) for _ in range(WRITERS)), return_exceptions=True
        )
        assert sum(isinstance(one, BaseException) for one in results) == WRITERS - 1
        assert await broken(world, isv) == set()

    async def test_a_meter_that_writes_after_the_commit_is_caught(
        self, world: World, isv: UUID
    ) -> None:
        entry = await world.meter(isv)
        qualified = {entry.entry_id: "e" * 64}
        assert await broken(world, isv, qualified) == set()

        async def qualify_then_meter(*, crash: bool) -> None:
            promised = uuid7()
            async with world.at(isv):
                qualified[promised] = "e" * 64
            if crash:
                return
            async with world.at(isv) as session:
                metered = await record_usage(session, request())
            qualified[metered.entry_id] = qualified.pop(promised)

        await qualify_then_meter(crash=False)
        assert await broken(world, isv, qualified) == set()
        await qualify_then_meter(crash=True)
        assert await broken(world, isv, qualified) == {"1: qualified candidate ⇔ entry"}

    async def test_a_missing_unique_index_is_caught(
        self,
        world: World,
        isv: UUID,
        owner_connection: Plain,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The rule is switched off: with the index nothing happens, without it the unit doubles."""

        async def nothing(*_: object) -> ledger.Known:
            return ledger.Known(generation=0, is_live=False)

        monkeypatch.setattr(ledger, "known", nothing)
        await rush(world, isv, same_unit=True)
        assert await broken(world, isv) == set()
        definition = await owner_connection.fetchval(
            "SELECT pg_get_indexdef('usage_entry_unit_key'::regclass)"
        )
        await owner_connection.execute("DROP INDEX usage_entry_unit_key")
        try:
            await rush(world, isv, same_unit=True)
            assert await broken(world, isv) == {"2: net 0 or 1"}
        finally:
            # The doubles go first, or the index could not be made again for the other tests.
            await world.admin.execute("SET session_replication_role = replica")
            await world.admin.execute("DELETE FROM usage_entry WHERE tenant_id = $1", isv)
            await world.admin.execute("SET session_replication_role = origin")
            await owner_connection.execute(definition)
