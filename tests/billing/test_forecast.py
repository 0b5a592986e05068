"""What a campaign is expected to come to: a method that a reader can follow by hand."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.pricing.rules.tiers import Price, Tier
from flatbed.billing.usage.caps import Used, room
from flatbed.billing.usage.records import Caps
from flatbed.billing.usage.rules.forecast import Forecast, Past, Share, forecast, share_of
from flatbed.billing.usage.rules.ranking import Unbilled, rank_all
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.kit.ids import uuid7
from tests.billing.world import NOON

KEY = (uuid7(), "EUR")
PRICE = Price(100, (Tier(11, 80),))
END = NOON + timedelta(days=14)
OLD = Past(units=40, first_at=NOON - timedelta(days=90), recent=14)
SHARE = Share(18, 20)


def made(
    *,
    past: Past | None = OLD,
    share: Share = SHARE,
    most: int | None = None,
    billed: int = 0,
    accepted: int = 0,
    pending: int = 0,
    disputed: int = 0,
    free: int = 0,
    days: int = 14,
) -> Forecast | None:
    units = [
        Unbilled(uuid7(), KEY, state, NOON, NOON, Price(0) if n < free else PRICE, n < free)
        for state, count in (
            (UsageState.ACCEPTED, accepted),
            (UsageState.PENDING, pending),
            (UsageState.DISPUTED, disputed),
        )
        for n in range(count)
    ]
    [ranked] = rank_all(units, {KEY: billed}, {KEY: PRICE})
    return forecast(ranked, past, share, room=most, now=NOON, ends_at=NOON + timedelta(days=days))


class TestForecast:
    def test_it_is_the_run_rate_of_28_days_times_what_is_left_times_what_is_taken(self) -> None:
        """14 in 28 days, 14 days left: 7 new; of 7 and of 4 open ones nine in ten are taken."""
        found = made(accepted=3, pending=3, disputed=1)
        assert found is not None
        assert (found.accepted_units, found.open_units, found.new_units) == (3, 4, 6)
        assert (found.units, found.amount) == (13, 10 * 100 + 3 * 80)
        assert found.inputs.window_seconds == 28 * 86_400
        assert found.inputs.remaining_seconds == 14 * 86_400
        assert (found.inputs.recent_units, found.inputs.room) == (14, None)
        assert (found.inputs.taken_units, found.inputs.decided_units) == (18, 20)

    def test_tiers_go_on_from_what_was_billed(self) -> None:
        found = made(billed=9, accepted=1, pending=1)
        assert found is not None
        assert found.amount == 100 + (found.open_units + found.new_units) * 80

    def test_a_young_campaign_is_rated_over_its_own_days(self) -> None:
        young = replace(OLD, first_at=NOON - timedelta(days=14), recent=14)
        found = made(past=young)
        assert found is not None
        assert found.inputs.window_seconds == 14 * 86_400
        assert found.new_units == 13

    def test_caps_and_quantity_bound_new_units_before_the_share_is_taken(self) -> None:
        found, full = made(most=5, pending=2), made(most=0, pending=2)
        assert found is not None
        assert full is not None
        assert (found.new_units, full.new_units) == (4, 0)
        assert found.open_units == full.open_units == 2

    def test_after_the_end_nothing_is_new(self) -> None:
        found = made(days=-1, accepted=1)
        assert found is not None
        assert (found.units, found.new_units, found.inputs.remaining_seconds) == (1, 0, 0)

    def test_open_replacements_are_not_sold(self) -> None:
        found = made(pending=3, free=3)
        assert found is not None
        assert found.open_units == 0

    def test_a_campaign_that_stood_still_for_28_days_is_expected_to(self) -> None:
        found = made(past=replace(OLD, recent=0), accepted=2)
        assert found is not None
        assert (found.units, found.amount) == (2, 200)

    @pytest.mark.parametrize(
        "past",
        [
            None,
            replace(OLD, units=4),
            replace(OLD, first_at=NOON - timedelta(days=7) + timedelta(seconds=1)),
        ],
    )
    def test_too_little_history_makes_none(self, past: Past | None) -> None:
        assert made(past=past, accepted=3) is None

    def test_an_isv_that_has_decided_too_little_has_none(self) -> None:
        assert made(share=Share(4, 4)) is None
        assert made(share=Share(0, 5)) is not None

    @given(
        recent=st.integers(0, 5_000),
        left=st.integers(0, 31),
        taken=st.integers(0, 50),
        lost=st.integers(5, 50),
        pending=st.integers(0, 40),
        most=st.none() | st.integers(0, 300),
    )
    def test_a_reader_recomputes_it_from_what_is_given(
        self, recent: int, left: int, taken: int, lost: int, pending: int, most: int | None
    ) -> None:
        found = made(
            past=replace(OLD, recent=recent),
            share=Share(taken, taken + lost),
            most=most,
            pending=pending,
            days=left,
        )
        assert found is not None
        given_ = found.inputs
        share = Fraction(given_.taken_units, given_.decided_units)
        rate = Fraction(given_.recent_units, given_.window_seconds)
        new = round(rate * given_.remaining_seconds)
        if given_.room is not None:
            new = min(new, given_.room)
        assert found.new_units == round(new * share)
        assert found.open_units == round(pending * share)
        assert found.units == found.accepted_units + found.open_units + found.new_units
        expected = found.open_units + found.new_units
        assert found.amount == sum(PRICE.of(n) for n in range(1, expected + 1))
        assert isinstance(found.amount, int)


class TestShareOf:
    def test_what_neither_waits_nor_is_lost_was_taken(self) -> None:
        states = [
            *[UsageState.PENDING] * 2,
            UsageState.DISPUTED,
            *[UsageState.ACCEPTED] * 4,
            UsageState.WRITTEN_OFF,
        ]
        unbilled = [Unbilled(uuid7(), KEY, one, NOON, NOON, PRICE, free=False) for one in states]
        # 20 in all: 3 wait, 5 are voided, 1 is written off, 4 are accepted and 7 billed.
        assert share_of(20, voided=5, unbilled=unbilled) == Share(11, 17)
        assert share_of(0, voided=0, unbilled=[]) == Share(0, 0)


class TestRoom:
    @pytest.mark.parametrize(
        ("caps", "left"),
        [
            (Caps(), None),
            (Caps(units_total=10), 6),
            (Caps(units_total=10, units_month=3), 1),
            (Caps(money_total=1_099), 6),
            (Caps(units_total=10, money_month=399), 1),
            (Caps(units_total=2), 0),
        ],
    )
    def test_the_narrowest_cap_says_how_many_more(self, caps: Caps, left: int | None) -> None:
        found = room(caps, total=Used(4, 400), month=Used(2, 200), unit_price=100)
        assert found == left

    def test_what_costs_nothing_meets_no_money_cap(self) -> None:
        caps = Caps(money_total=1, money_month=1)
        assert room(caps, total=Used(4, 400), month=Used(2, 200), unit_price=0) is None
