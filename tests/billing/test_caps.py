"""Caps are reserved under a lock: whatever happens at once, none is exceeded."""

import asyncio
import random
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from flatbed.billing.facade import (
    AlreadyBilledError,
    CapReachedError,
    Caps,
    Tier,
    reverse_usage,
    verify_ledger,
)
from flatbed.tenants.kit.ids import uuid7
from tests.billing.statements.books import (
    APRIL_CLOSES,
    MARCH_CLOSES,
    MAY_CLOSES,
    Books,
    fill_in_seller,
    later,
)
from tests.billing.world import NOON, PRICE, World, request

FALLING: dict[str, Any] = {"unit_price": 100, "tiers": (Tier(3, 60), Tier(5, 40))}
RISING: dict[str, Any] = {"unit_price": 100, "tiers": (Tier(2, 150),)}


class TestCaps:
    @pytest.mark.parametrize(
        ("caps", "cap", "limit", "used"),
        [
            (Caps(units_total=2), "units_total", 2, 2),
            (Caps(units_month=2), "units_month", 2, 2),
            (Caps(money_total=2 * PRICE + 1), "money_total", 2 * PRICE + 1, 2 * PRICE),
            (Caps(money_month=3 * PRICE - 1), "money_month", 3 * PRICE - 1, 2 * PRICE),
        ],
    )
    async def test_at_a_cap_the_answer_names_it_and_nothing_changes(
        self, world: World, isv: UUID, caps: Caps, cap: str, limit: int, used: int
    ) -> None:
        """At a cap 409 `cap-reached` and nothing changed.

        Caps are units and money, each in total and per month, all optional.
        """
        campaign = uuid7()
        for _ in range(2):
            await world.meter(isv, campaign_ref=campaign, caps=caps)
        before = await world.counters(isv, campaign)
        with pytest.raises(CapReachedError) as refusal:
            await world.meter(isv, campaign_ref=campaign, caps=caps)
        assert refusal.value.status == 409
        assert refusal.value.extra == {"caps": [{"cap": cap, "limit": limit, "used": used}]}
        assert await world.counters(isv, campaign) == before
        assert before == {"total": (2, 2 * PRICE), "2026-03": (2, 2 * PRICE)}
        assert await world.count("usage_entry", isv) == 2

    async def test_a_refused_unit_does_not_bar_another_campaign(
        self, world: World, isv: UUID
    ) -> None:
        with pytest.raises(CapReachedError):
            await world.meter(isv, caps=Caps(units_total=0))
        await world.meter(isv, caps=Caps(units_total=1))

    async def test_a_month_begins_at_the_tenants_midnight(self, world: World, isv: UUID) -> None:
        campaign, caps = uuid7(), Caps(units_month=1)
        late_march = datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC)
        april = datetime(2026, 3, 31, 22, 0, 0, tzinfo=UTC)
        first = await world.meter(isv, campaign_ref=campaign, caps=caps, occurred_at=late_march)
        second = await world.meter(isv, campaign_ref=campaign, caps=caps, occurred_at=april)
        with pytest.raises(CapReachedError):
            await world.meter(isv, campaign_ref=campaign, caps=caps, occurred_at=april)
        assert first.period_id != second.period_id
        assert await world.counters(isv, campaign) == {
            "total": (2, 2 * PRICE),
            "2026-03": (1, PRICE),
            "2026-04": (1, PRICE),
        }

    async def test_a_reversal_makes_room_in_all_and_in_the_month_that_was_reserved(
        self, world: World, isv: UUID
    ) -> None:
        campaign, caps = uuid7(), Caps(units_total=1, units_month=1)
        march = datetime(2026, 3, 31, 21, 30, tzinfo=UTC)
        entry = await world.meter(isv, campaign_ref=campaign, caps=caps, occurred_at=march)
        may = datetime(2026, 5, 2, 9, tzinfo=UTC)
        async with world.at(isv, may) as session:
            # The ISV has moved meanwhile, where it was April: the month is the one written.
            zone = ZoneInfo("Pacific/Auckland")
            await reverse_usage(session, entry.entry_id, reason="review", zone=zone)
        assert await world.counters(isv, campaign) == {"total": (0, 0), "2026-03": (0, 0)}
        await world.meter(isv, campaign_ref=campaign, caps=caps, occurred_at=may)

    async def test_40_at_once_over_three_tenants_never_exceed_a_cap(self, world: World) -> None:
        """Invariants 8 and 14, and must-be-shown 4 at a small scale."""
        caps = {0: Caps(units_total=5), 1: Caps(money_month=3 * PRICE), 2: Caps()}
        tenants = [await world.isv() for _ in caps]
        campaigns = [uuid7() for _ in caps]

        async def one(number: int) -> bool:
            which = number % 3
            try:
                await world.meter(tenants[which], campaign_ref=campaigns[which], caps=caps[which])
            except CapReachedError:
                return False
            return True

        made = await asyncio.gather(*(one(number) for number in range(40)))
        assert sum(made) == 5 + 3 + 13
        for tenant, campaign, units in zip(tenants, campaigns, (5, 3, 13), strict=True):
            assert await world.count("usage_entry", tenant) == units
            assert await world.counters(tenant, campaign) == {
                "total": (units, units * PRICE),
                "2026-03": (units, units * PRICE),
            }
            sequences = await world.admin.fetchval(
                "SELECT array_agg(sequence ORDER BY sequence) FROM usage_entry"
                " WHERE tenant_id = $1",
                tenant,
            )
            assert sequences == list(range(1, units + 1))
            assert await world.count("period", tenant) == 1

    async def test_20_at_once_for_one_unit_meter_it_once(self, world: World, isv: UUID) -> None:
        keys = request().unit_keys
        results = await asyncio.gather(
            *(world.meter(isv, unit_keys=keys) for _ in range(20)), return_exceptions=True
        )
        refused = [one for one in results if isinstance(one, AlreadyBilledError)]
        assert len(refused) == 19
        assert await world.count("usage_entry", isv) == 1


class TestBelowOneUnit:
    @pytest.mark.parametrize(
        ("caps", "final"),
        [
            (Caps(units_total=0), True),
            (Caps(money_month=PRICE - 1), True),
            (Caps(units_total=1), False),
            (Caps(money_month=2 * PRICE - 1), False),
        ],
    )
    async def test_it_is_told_whether_there_will_ever_be_room(
        self, world: World, isv: UUID, caps: Caps, final: bool
    ) -> None:
        campaign = uuid7()
        if not final:
            await world.meter(isv, campaign_ref=campaign, caps=caps)
        with pytest.raises(CapReachedError) as refusal:
            await world.meter(isv, campaign_ref=campaign, caps=caps)
        assert refusal.value.is_final is final


class TestTiers:
    """Caps reserve what a unit costs at most: its tier is decided by the order of acceptance."""

    async def test_with_a_falling_price_each_holds_the_most_until_it_is_billed(
        self, world: World, isv: UUID
    ) -> None:
        await fill_in_seller(world)
        books, campaign = Books(world, isv), uuid7()
        unit = {"campaign_ref": campaign, "caps": Caps(money_total=370), **FALLING}
        made = [await books.unit(**unit) for _ in range(3)]
        assert [one.amount for one in made] == [100, 100, 100]
        with pytest.raises(CapReachedError):
            await books.unit(**unit)
        for day, one in enumerate(made, start=1):
            await books.accept(one.entry_id, at=later(day))
        [march] = await books.close(MARCH_CLOSES)
        assert march.total == 260
        assert (await world.counters(isv, campaign))["total"] == (3, 260)
        # From the fourth on none costs more than 60.
        fourth = await books.unit(at=MARCH_CLOSES, **unit)
        assert fourth.amount == 60
        with pytest.raises(CapReachedError):
            await books.unit(at=MARCH_CLOSES, **unit)

    async def test_with_a_rising_price_the_first_holds_what_the_last_may_cost(
        self, world: World, isv: UUID
    ) -> None:
        await fill_in_seller(world)
        books, campaign = Books(world, isv), uuid7()
        unit = {"campaign_ref": campaign, "caps": Caps(money_total=399), **RISING}
        made = [await books.unit(**unit) for _ in range(2)]
        assert [one.amount for one in made] == [150, 150]
        with pytest.raises(CapReachedError):
            await books.unit(**unit)
        for day, one in enumerate(reversed(made), start=1):
            await books.accept(one.entry_id, at=later(day))
        [march] = await books.close(MARCH_CLOSES)
        assert march.total == 250
        assert (await world.counters(isv, campaign))["total"] == (2, 250)
        with pytest.raises(CapReachedError):
            await books.unit(at=MARCH_CLOSES, **unit)

    @pytest.mark.parametrize("price", [FALLING, RISING], ids=["falling", "rising"])
    @pytest.mark.parametrize("seed", range(4))
    async def test_what_closing_bills_never_exceeds_a_cap_whichever_is_accepted_first(
        self, world: World, isv: UUID, price: dict[str, Any], seed: int
    ) -> None:
        """Caps hold: a hard cap is one of what is billed, not of what is reserved."""
        await fill_in_seller(world)
        dice, books, campaign, cap = random.Random(seed), Books(world, isv), uuid7(), 640
        unit = {"campaign_ref": campaign, "caps": Caps(money_total=cap), **price}
        pending: list[UUID] = []
        taken: list[UUID] = []
        net = met = 0
        for number, closes in enumerate((MARCH_CLOSES, APRIL_CLOSES, MAY_CLOSES)):
            at = NOON if not number else [MARCH_CLOSES, APRIL_CLOSES][number - 1]
            for _ in range(8):
                try:
                    pending.append((await books.unit(at=at, **unit)).entry_id)
                except CapReachedError:
                    met += 1
            dice.shuffle(pending)
            most = dice.randint(2, 4)
            accepted, pending = pending[:most], pending[most:]
            for entry in accepted:
                await books.accept(entry, at=at)
            taken += accepted
            if number:
                await books.void(taken.pop(dice.randrange(len(taken))), at=at)
            net += sum(one.total for one in await books.close(closes))
            assert 0 < net <= cap
            total = (await world.counters(isv, campaign))["total"]
            assert net <= total[1] <= cap
            async with world.at(isv, closes) as session:
                assert await verify_ledger(session) == []
        assert met > 0
