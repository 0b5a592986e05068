"""What units that are not billed yet cost, each at its place in its campaign."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.pricing.rules.tiers import Price, Tier
from flatbed.billing.statements.rules.rating import Unit, amount_of, rate
from flatbed.billing.usage.rules.ranking import (
    Place,
    Ranked,
    Unbilled,
    bands_of,
    place_of,
    rank_all,
)
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.kit.ids import uuid7
from tests.billing.world import NOON

CAMPAIGN = UUID(int=7)
KEY = (CAMPAIGN, "EUR")
TIERED = Price(100, (Tier(3, 80), Tier(6, 60)))


def unit(
    state: UsageState = UsageState.PENDING,
    *,
    day: int = 0,
    price: Price = TIERED,
    free: bool = False,
    key: tuple[UUID, str] = KEY,
) -> Unbilled:
    at = NOON + timedelta(days=day)
    return Unbilled(uuid7(), key, state, at, at, price, free)


def ranked(units: Sequence[Unbilled], billed: int = 0) -> Ranked:
    [found] = rank_all(units, {KEY: billed}, {KEY: TIERED})
    return found


class TestPlaceOf:
    @pytest.mark.parametrize(
        ("rank", "price", "until"),
        [(0, 100, 2), (1, 100, 1), (2, 80, 3), (4, 80, 1), (5, 60, None), (90, 60, None)],
    )
    def test_a_place_is_seen_from_the_next_unit(
        self, rank: int, price: int, until: int | None
    ) -> None:
        place = place_of(TIERED, rank)
        assert (place.rank, place.tier.unit_price, place.until_next_tier) == (rank, price, until)
        assert (place.next_tier is None) == (until is None)

    @given(st.integers(0, 20))
    def test_so_many_units_further_the_next_tier_begins(self, rank: int) -> None:
        place = place_of(TIERED, rank)
        if place.until_next_tier is not None and place.next_tier is not None:
            assert TIERED.of(rank + place.until_next_tier) == place.tier.unit_price
            assert TIERED.of(rank + place.until_next_tier + 1) == place.next_tier.unit_price


class TestBandsOf:
    @given(st.integers(0, 12), st.integers(0, 12))
    def test_bands_are_the_prices_of_the_places_one_by_one(self, after: int, units: int) -> None:
        bands = bands_of(TIERED, after, units)
        prices = [TIERED.of(after + n) for n in range(1, units + 1)]
        assert sum(band.units for band in bands) == units
        assert sum(band.amount for band in bands) == sum(prices)
        assert all(band.units > 0 for band in bands)


class TestRankAll:
    def test_accepted_come_before_pending_and_disputed_whenever_they_occurred(self) -> None:
        found = ranked(
            [
                unit(UsageState.DISPUTED, day=0),
                unit(UsageState.PENDING, day=1),
                unit(UsageState.PENDING, day=2),
                unit(UsageState.ACCEPTED, day=9),
            ],
            billed=1,
        )
        assert (found.billed.rank, found.billed.until_next_tier) == (1, 1)
        assert (found.accepted.amount, found.accepted.after.rank) == (100, 2)
        assert (found.pending.amount, found.pending.after.rank) == (160, 4)
        assert (found.disputed.amount, found.disputed.after) == (
            80,
            Place(5, Tier(6, 60), None, None),
        )

    def test_a_stage_that_crosses_a_tier_says_how_many_units_fall_into_each(self) -> None:
        pending = ranked([unit(day=n) for n in range(6)], billed=1).pending
        assert [(band.tier.from_unit, band.units, band.amount) for band in pending.bands] == [
            (1, 1, 100),
            (3, 3, 240),
            (6, 2, 120),
        ]
        assert pending.amount == 460

    def test_a_replacement_costs_nothing_and_takes_no_place(self) -> None:
        pending = ranked([unit(free=True, price=Price(0)), unit(), unit(), unit()]).pending
        assert (pending.units, pending.free, pending.sold) == (4, 1, 3)
        assert (pending.amount, pending.after.rank) == (280, 3)

    def test_each_currency_of_a_campaign_counts_its_own_places(self) -> None:
        francs = (CAMPAIGN, "CHF")
        found = rank_all(
            [unit(), unit(), unit(), unit(key=francs, price=Price(7))], {KEY: 2, francs: 40}, {}
        )
        assert [(one.key[1], one.pending.amount) for one in found] == [("CHF", 7), ("EUR", 240)]

    def test_a_campaign_whose_units_are_all_billed_has_its_place(self) -> None:
        found = ranked([], billed=4)
        assert (found.billed.rank, found.pending.units, found.pending.amount) == (4, 0, 0)
        assert found.disputed.after == found.billed

    @given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=14), st.integers(0, 7))
    def test_what_is_accepted_costs_what_the_statement_will_bill(
        self, drawn: list[tuple[int, bool]], billed: int
    ) -> None:
        """Written apart from the rating of a closing, and held against it."""
        units = [
            unit(UsageState.ACCEPTED, day=day, free=free, price=Price(0) if free else TIERED)
            for day, free in drawn
        ]
        closing = rate([_rated(one) for one in units], {KEY: billed})
        assert ranked(units, billed).accepted.amount == sum(
            amount_of(one.price, rank) for one, rank in closing
        )


def _rated(one: Unbilled) -> Unit:
    return Unit(
        entry_id=one.entry_id,
        campaign_ref=one.key[0],
        currency=one.key[1],
        price=one.price,
        free=one.free,
        reserved=0,
        month="2026-03",
        dossier_hash="",
        occurred_at=one.at,
        accepted_at=one.at,
        late=False,
        carried_over=False,
    )
