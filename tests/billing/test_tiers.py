"""Graduated tiers and shares: pure arithmetic, held against fractions and a naive model."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.pricing.rules.tiers import (
    Price,
    Tier,
    TierError,
    price_from,
    schedule,
    share,
    tiers_from_json,
    tiers_to_json,
)

FALLING = Price(100, (Tier(3, 80), Tier(5, 60)))
RISING = Price(60, (Tier(2, 80), Tier(4, 100)))
RANKS = 40
amounts = st.integers(0, 2**53)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    starts = draw(st.lists(st.integers(2, RANKS), unique=True, max_size=6))
    return Price(draw(amounts), tuple(Tier(start, draw(amounts)) for start in sorted(starts)))


def naive(price: Price, rank: int) -> int:
    """The last tier that has begun, looked up from the end."""
    begun = [tier.unit_price for tier in reversed(price.tiers) if tier.from_unit <= rank]
    return begun[0] if begun else price.unit_price


class TestPrice:
    def test_only_the_unit_that_falls_into_a_tier_has_its_price(self) -> None:
        """Graduated: the units before keep theirs, so that a closed statement never changes."""
        assert [FALLING.of(rank) for rank in range(1, 7)] == [100, 100, 80, 80, 60, 60]
        assert [RISING.of(rank) for rank in range(1, 6)] == [60, 80, 80, 100, 100]

    @given(prices(), st.integers(1, 2 * RANKS))
    def test_a_marginal_price_is_that_of_the_last_tier_that_has_begun(
        self, price: Price, rank: int
    ) -> None:
        assert price.of(rank) == naive(price, rank)
        assert price.tier_of(rank).from_unit <= rank

    @given(prices(), st.lists(st.integers(0, 30), min_size=1, max_size=30, unique=True), st.data())
    def test_what_all_cost_together_does_not_depend_on_who_comes_first(
        self, price: Price, units: list[int], data: st.DataObject
    ) -> None:
        """Cumulative per campaign: the ranks are given in the order of acceptance."""
        other = data.draw(st.permutations(units))
        ranks = {unit: rank for rank, unit in enumerate(units, start=1)}
        swapped = {unit: rank for rank, unit in enumerate(other, start=1)}
        total = sum(price.of(ranks[unit]) for unit in units)
        assert total == sum(price.of(swapped[unit]) for unit in units)
        bounds = [1, *(tier.from_unit for tier in price.tiers), len(units) + RANKS + 1]
        costs = [price.unit_price, *(tier.unit_price for tier in price.tiers)]
        assert total == sum(
            cost * max(0, min(end, len(units) + 1) - start)
            for cost, start, end in zip(costs, bounds, bounds[1:], strict=False)
        )

    @given(prices(), st.integers(1, RANKS + 5))
    def test_the_highest_bounds_all_that_comes_and_is_one_of_them(
        self, price: Price, rank: int
    ) -> None:
        """What is reserved is enough for whatever place the unit gets, and no more than that."""
        coming = [price.of(later) for later in range(rank, 2 * RANKS + 10)]
        assert price.highest(rank) == max(coming)
        assert price.highest(rank + 1) <= price.highest(rank)

    @pytest.mark.parametrize(
        "tiers",
        [
            (Tier(1, 80),),
            (Tier(0, 80),),
            (Tier(3, 80), Tier(3, 60)),
            (Tier(5, 80), Tier(3, 60)),
            (Tier(2, -1),),
        ],
    )
    def test_tiers_that_do_not_ascend_from_the_second_unit_on_are_refused(
        self, tiers: tuple[Tier, ...]
    ) -> None:
        with pytest.raises(TierError):
            Price(100, tiers)

    def test_a_price_is_not_negative_and_a_rank_begins_at_one(self) -> None:
        with pytest.raises(TierError):
            Price(-1)
        for rank in (0, -3):
            with pytest.raises(ValueError, match="counted from 1"):
                FALLING.of(rank)


class TestStored:
    @given(prices())
    def test_a_price_comes_back_from_the_ledger_as_it_was(self, price: Price) -> None:
        stored = schedule(price)
        assert (stored is None) == (not price.tiers)
        assert price_from(stored, price.unit_price) == price
        assert tiers_from_json(tiers_to_json(price.tiers)) == price.tiers

    def test_none_is_none(self) -> None:
        assert tiers_from_json(None) == ()
        assert price_from(None, 450_000) == Price(450_000)


class TestShare:
    @given(amounts, st.integers(1, 100))
    def test_it_is_rounded_half_to_even_once(self, amount: int, percent: int) -> None:
        """Half-even once, never a float: beyond 2**53 a float would be wrong already."""
        assert share(amount, percent) == round(Fraction(amount * percent, 100))

    @pytest.mark.parametrize(
        ("amount", "percent", "wanted"),
        [(1, 50, 0), (3, 50, 2), (5, 50, 2), (450_000, 25, 112_500), (2**53 - 1, 50, 2**52)],
    )
    def test_halves_go_to_the_even_neighbour(self, amount: int, percent: int, wanted: int) -> None:
        assert share(amount, percent) == wanted

    @given(amounts)
    def test_all_is_all(self, amount: int) -> None:
        assert share(amount, 100) == amount
