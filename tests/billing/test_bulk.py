"""Many units at once give the entries that one at a time would give."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from flatbed.billing.facade import (
    AlreadyBilledError,
    Basis,
    CapReachedError,
    Caps,
    UsageRequest,
    accept_all,
    accept_usage,
    record_all,
    record_usage,
    verify_ledger,
)
from flatbed.tenants.kit.ids import uuid7
from tests.billing.world import NOON, World, request

OWN = {"id", "tenant_id", "period_id", "hash", "previous_hash"}
"""What differs from ledger to ledger: ids, and the hashes over them."""
ACTOR = "system:test"


def units() -> list[UsageRequest]:
    """Units of two campaigns over three months."""
    campaigns, programme, price = (uuid7(), uuid7()), uuid7(), uuid7()
    return [
        request(
            campaign_ref=campaigns[n % 2],
            programme_ref=programme,
            price_ref=price,
            caps=Caps(units_total=6),
            occurred_at=NOON - timedelta(days=60 - 8 * n),
        )
        for n in range(8)
    ]


async def content(world: World, tenant_id: UUID) -> dict[str, list[dict[str, Any]]]:
    """What the tables of the ledger hold, without what is each ledger's own."""
    entries = await world.admin.fetch(
        "SELECT e.*, p.starts_at, p.ends_at FROM usage_entry e JOIN period p"
        " ON p.tenant_id = e.tenant_id AND p.id = e.period_id"
        " WHERE e.tenant_id = $1 ORDER BY sequence",
        tenant_id,
    )
    decisions = await world.admin.fetch(
        "SELECT e.sequence, d.decision, d.basis, d.actor, d.at FROM usage_decision d"
        " JOIN usage_entry e ON e.tenant_id = d.tenant_id AND e.id = d.entry_id"
        " WHERE d.tenant_id = $1 ORDER BY sequence",
        tenant_id,
    )
    counters = await world.admin.fetch(
        "SELECT campaign_ref, bucket, units, amount FROM cap_counter"
        " WHERE tenant_id = $1 ORDER BY campaign_ref, bucket",
        tenant_id,
    )
    heads = await world.admin.fetch(
        "SELECT sequence FROM ledger_head WHERE tenant_id = $1", tenant_id
    )
    told = await world.admin.fetch(
        "SELECT action, object_type, actor, at, detail FROM audit_pending WHERE tenant_id = $1"
        " ORDER BY action, id",
        tenant_id,
    )
    found = {"entries": entries, "decisions": decisions, "counters": counters}
    found |= {"heads": heads, "told": told}
    return {
        name: [{key: row[key] for key in row.keys() if key not in OWN} for row in rows]  # noqa: SIM118 - a record iterates over its values
        for name, rows in found.items()
    }


class TestInBulk:
    async def test_it_writes_what_one_at_a_time_writes(self, world: World) -> None:
        single, bulk = await world.isv(), await world.isv()
        wanted = units()
        decided_at = NOON + timedelta(days=1)
        async with world.at(single, decided_at) as session:
            entries = [(await record_usage(session, one)).entry_id for one in wanted]
            for entry_id in entries[:5]:
                await accept_usage(session, entry_id, basis=Basis.SILENCE, actor=ACTOR)
        async with world.at(bulk, decided_at) as session:
            recorded = await record_all(session, wanted)
            accepted = [(one.entry_id, decided_at) for one in recorded[:5]]
            await accept_all(session, accepted, basis=Basis.SILENCE, actor=ACTOR)
        found = await content(world, bulk)
        assert found == await content(world, single)
        assert {name: len(rows) for name, rows in found.items()} == {
            "entries": 8,
            "decisions": 5,
            "counters": len(found["counters"]),
            "heads": 1,
            "told": 13,
        }
        assert len({row["month"] for row in found["entries"]}) > 1
        assert len(found["counters"]) > 2
        links = {one.entry_id: "e" * 64 for one in recorded}

        async def expected(_: object) -> dict[UUID, str]:
            return links

        async with world.at(bulk) as session:
            assert await verify_ledger(session, expected=expected) == []

    async def test_what_was_billed_is_not_billed_again(self, world: World, isv: UUID) -> None:
        first, second = units()[:2]
        async with world.at(isv) as session:
            await record_all(session, [first])
        for wanted in ([second, first], [second, second]):
            with pytest.raises(AlreadyBilledError):
                async with world.at(isv) as session:
                    await record_all(session, wanted)
        assert await world.count("usage_entry", isv) == 1

    async def test_a_cap_without_room_for_all_takes_none(self, world: World, isv: UUID) -> None:
        campaign = uuid7()
        wanted = [request(campaign_ref=campaign, caps=Caps(units_total=3)) for _ in range(4)]
        with pytest.raises(CapReachedError):
            async with world.at(isv) as session:
                await record_all(session, wanted)
        assert await world.count("usage_entry", isv) == 0
        async with world.at(isv) as session:
            assert len(await record_all(session, wanted[:3])) == 3
        assert (await world.counters(isv, campaign))["total"][0] == 3

    async def test_nothing_is_nothing(self, world: World, isv: UUID) -> None:
        async with world.at(isv, datetime(2026, 1, 1, tzinfo=UTC)) as session:
            assert await record_all(session, []) == []
            await accept_all(session, [], basis=Basis.SILENCE, actor=ACTOR)
        assert await world.count("usage_entry", isv) == 0
