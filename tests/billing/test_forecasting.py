"""Forecast and preview as they are read: out of the ledger, and never over two currencies."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from flatbed.billing.facade import CampaignFacts, Caps, Tier
from flatbed.billing.usage.reports.forecasting import forecast_of
from flatbed.billing.usage.reports.previewing import preview
from flatbed.billing.usage.schemas import (
    CampaignForecast,
    CampaignPreview,
    CurrencyForecast,
    UsageForecast,
)
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.ids import uuid7
from tests.billing.statements.books import (
    MARCH_CLOSES,
    TIERED,
    Books,
    fill_in_seller,
    later,
)
from tests.billing.world import NOON, World

CAMPAIGN = uuid7()
UNIT: dict[str, Any] = {"campaign_ref": CAMPAIGN, "unit_price": 100}
NEXT_CLOSES = datetime(2026, 3, 31, 22, tzinfo=UTC)


class Known:
    """Campaigns of which the test says what bounds them."""

    def __init__(self, facts: Mapping[UUID, CampaignFacts] | None = None) -> None:
        self.known = facts or {}

    async def facts(
        self, _: TenantReadSession, campaign_refs: Collection[UUID]
    ) -> Mapping[UUID, CampaignFacts]:
        return {id_: one for id_, one in self.known.items() if id_ in campaign_refs}


@pytest_asyncio.fixture
async def books(world: World, isv: UUID) -> Books:
    await fill_in_seller(world)
    return Books(world, isv)


async def forecast(
    books: Books,
    at: datetime = NOON,
    *,
    known: Known | None = None,
    campaign: UUID | None = None,
) -> UsageForecast:
    async with books.world.reading(books.isv, at) as session:
        return await forecast_of(session, known or Known(), campaign)


async def only(
    books: Books, at: datetime = NOON, *, known: Known | None = None
) -> tuple[CurrencyForecast, CampaignForecast]:
    found = await forecast(books, at, known=known)
    [currency], [campaign] = found.currencies, found.campaigns
    return currency, campaign


async def previewed(books: Books, at: datetime = NOON) -> list[CampaignPreview]:
    async with books.world.reading(books.isv, at) as session:
        return (await preview(session, None)).campaigns


async def history(books: Books, units: int = 8) -> None:
    """A unit every three days up to the noon, accepted at once but for the last."""
    for n in range(units, 0, -1):
        at = later(-3 * n)
        await books.unit(at=at, accepted=None if n == 1 else at, **UNIT)


class TestForecast:
    async def test_it_says_what_is_billed_now_what_waits_and_what_is_expected(
        self, books: Books
    ) -> None:
        await history(books)
        currency, campaign = await only(books)
        assert (campaign.accepted.units, campaign.accepted.amount) == (7, 700)
        assert (campaign.pending.units, campaign.pending.amount) == (1, 100)
        assert campaign.forecast is not None
        inputs = campaign.forecast.inputs
        assert (inputs.recent_units, inputs.taken_units, inputs.decided_units) == (8, 7, 7)
        assert inputs.window_seconds == 24 * 86_400
        assert inputs.remaining_seconds == int((NEXT_CLOSES - NOON).total_seconds())
        new = round(8 * inputs.remaining_seconds / (24 * 86_400))
        assert (campaign.forecast.new_units, campaign.forecast.units) == (new, 8 + new)
        assert currency.forecast is not None
        assert currency.forecast.amount == campaign.forecast.amount == (8 + new) * 100
        assert currency.campaigns_without_forecast == 0

    async def test_the_period_is_the_one_that_holds_the_present(self, books: Books) -> None:
        empty = await forecast(books)
        assert empty.ends_at == NEXT_CLOSES
        assert (empty.currencies, empty.campaigns) == ([], [])
        await books.unit(**UNIT)
        assert (await forecast(books)).ends_at == NEXT_CLOSES
        may = await forecast(books, datetime(2026, 5, 10, tzinfo=UTC))
        assert may.starts_at == datetime(2026, 4, 30, 22, tzinfo=UTC)
        assert may.ends_at == datetime(2026, 5, 31, 22, tzinfo=UTC)

    async def test_too_little_history_is_said_and_not_guessed(self, books: Books) -> None:
        await books.unit(accepted=NOON, **UNIT)
        currency, campaign = await only(books, later(1))
        assert (campaign.accepted.units, campaign.forecast) == (1, None)
        assert (currency.forecast, currency.campaigns_without_forecast) == (None, 1)

    async def test_a_young_campaign_counts_in_its_currency_with_what_is_accepted(
        self, books: Books
    ) -> None:
        await history(books)
        _, old = await only(books)
        await books.unit(accepted=NOON, campaign_ref=uuid7(), unit_price=11)
        found = await forecast(books)
        [currency] = found.currencies
        assert old.forecast is not None
        assert currency.forecast is not None
        assert currency.forecast.amount == old.forecast.amount + 11
        assert currency.campaigns_without_forecast == 1

    async def test_the_rate_is_of_28_days_and_the_share_of_180(self, books: Books) -> None:
        for days in (181, 180, 179, 29, 28):
            await books.unit(at=later(-days), accepted=later(-days), **UNIT)
        await history(books)
        _, campaign = await only(books)
        assert campaign.forecast is not None
        inputs = campaign.forecast.inputs
        assert (inputs.window_seconds, inputs.recent_units) == (28 * 86_400, 8)
        assert (inputs.taken_units, inputs.decided_units) == (3 + 7, 3 + 7)

    async def test_the_share_is_of_all_campaigns_also_where_one_is_asked_for(
        self, books: Books
    ) -> None:
        await history(books)
        for _ in range(3):
            await books.unit(at=later(-2), campaign_ref=uuid7(), unit_price=11)
        [narrow] = (await forecast(books, campaign=CAMPAIGN)).campaigns
        [wide] = [one for one in (await forecast(books)).campaigns if one.campaign_id == CAMPAIGN]
        assert narrow == wide
        assert narrow.forecast is not None
        assert narrow.forecast.inputs.taken_units == narrow.forecast.inputs.decided_units == 7

    async def test_what_bounds_the_campaign_bounds_the_forecast(self, books: Books) -> None:
        await history(books)
        tight = CampaignFacts("tight", Caps(units_total=10), takes_units=True)
        closed = CampaignFacts("closed", Caps(), takes_units=False)
        rooms = []
        for facts in (tight, closed):
            _, campaign = await only(books, known=Known({CAMPAIGN: facts}))
            assert campaign.forecast is not None
            rooms.append((campaign.forecast.inputs.room, campaign.forecast.new_units))
        assert rooms == [(2, 2), (0, 0)]

    async def test_lost_units_lower_the_share_and_a_month_counts_its_own_cap(
        self, books: Books
    ) -> None:
        await history(books)
        for n in range(3):
            lost = await books.unit(at=later(-20), **UNIT)
            if n == 0:
                await books.write_off(lost.entry_id, at=later(-19))
            else:
                await books.void(lost.entry_id, at=later(-19))
        monthly = CampaignFacts("monthly", Caps(units_month=5), takes_units=True)
        _, campaign = await only(books, known=Known({CAMPAIGN: monthly}))
        assert campaign.forecast is not None
        inputs = campaign.forecast.inputs
        assert (inputs.recent_units, inputs.taken_units, inputs.decided_units) == (11, 7, 10)
        # Three units of the history lie in March.
        assert inputs.room == 2
        assert campaign.forecast.new_units == 1

    async def test_what_is_billed_is_behind_and_moves_the_tiers(self, books: Books) -> None:
        """The prices go on where the closed statement ended."""
        for n in range(8, 0, -1):
            at = later(-3 * n)
            await books.unit(at=at, accepted=at, tiers=TIERED, **UNIT)
        before = (await only(books))[1].accepted
        assert (before.units, before.amount) == (8, 100 * 2 + 80 * 2 + 60 * 4)
        await books.close(later(-3))
        await books.close(MARCH_CLOSES)
        await books.unit(at=MARCH_CLOSES, tiers=TIERED, **UNIT)
        _, campaign = await only(books, MARCH_CLOSES)
        assert campaign.accepted.units == 0
        assert (campaign.pending.units, campaign.pending.amount) == (1, 60)

    async def test_nothing_is_added_across_currencies_and_a_campaign_narrows(
        self, books: Books
    ) -> None:
        await history(books)
        await books.unit(accepted=NOON, currency="CHF", unit_price=7, campaign_ref=uuid7())
        both = await forecast(books)
        assert [(one.currency, one.accepted.amount) for one in both.currencies] == [
            ("CHF", 7),
            ("EUR", 700),
        ]
        assert [one.forecast is None for one in both.currencies] == [True, False]
        one = await forecast(books, campaign=CAMPAIGN)
        assert [one.campaign_id for one in one.campaigns] == [CAMPAIGN]
        assert one.campaigns == [one for one in both.campaigns if one.campaign_id == CAMPAIGN]

    async def test_another_isv_reads_nothing_of_it(self, books: Books) -> None:
        """Invariant 13."""
        await history(books)
        stranger = Books(books.world, await books.world.isv())
        assert (await forecast(stranger)).campaigns == []
        assert await previewed(stranger) == []


class TestPreview:
    async def test_pending_units_are_rated_behind_the_accepted_and_the_billed(
        self, books: Books
    ) -> None:
        unit: dict[str, Any] = {
            "campaign_ref": CAMPAIGN,
            "unit_price": 100,
            "tiers": (Tier(3, 80), Tier(5, 60)),
        }
        await books.unit(accepted=NOON, **unit)
        await books.close(MARCH_CLOSES)
        april = MARCH_CLOSES + timedelta(days=1)
        await books.unit(at=april, accepted=april, **unit)
        for _ in range(4):
            await books.unit(at=april, **unit)
        disputed = await books.unit(at=april, **unit)
        await books.dispute(disputed.entry_id, at=april)
        [found] = await previewed(books, april)
        assert (found.campaign_id, found.currency, found.billed.rank) == (CAMPAIGN, "EUR", 1)
        assert (found.billed.tier.unit_price, found.billed.units_until_next_tier) == (100, 1)
        assert (found.accepted.units, found.accepted.amount) == (1, 100)
        assert (found.accepted.after.tier.unit_price, found.accepted.after.rank) == (80, 2)
        assert (found.pending.units, found.pending.amount) == (4, 2 * 80 + 2 * 60)
        assert [(one.from_unit, one.units, one.amount) for one in found.pending.tiers] == [
            (3, 2, 160),
            (5, 2, 120),
        ]
        assert found.pending.after.next_tier is None
        assert (found.disputed.units, found.disputed.amount) == (1, 60)

    async def test_what_is_accepted_costs_what_the_statement_preview_says(
        self, books: Books
    ) -> None:
        for n in range(6):
            await books.unit(accepted=later(6 - n), tiers=TIERED, **UNIT)
        await books.unit(**UNIT)
        [draft] = (await books.preview(later(7))).statements
        [found] = await previewed(books, later(7))
        assert found.accepted.units == draft.units == 6
        assert found.accepted.amount == draft.total

    async def test_decided_units_are_in_it_no_more(self, books: Books) -> None:
        gone, voided = await books.unit(**UNIT), await books.unit(**UNIT)
        await books.write_off(gone.entry_id)
        await books.void(voided.entry_id)
        replaced = await books.unit(accepted=NOON, **UNIT)
        await books.unit(at=later(1), replaces_id=replaced.entry_id, **UNIT)
        [found] = await previewed(books, later(1))
        assert (found.pending.units, found.pending.free_units, found.pending.amount) == (1, 1, 0)
        assert (found.pending.tiers, found.pending.after.rank) == ([], 1)

    @pytest.mark.parametrize("units", [0, 1])
    async def test_a_campaign_without_units_is_not_in_it(self, books: Books, units: int) -> None:
        for _ in range(units):
            await books.unit(**UNIT)
        assert len(await previewed(books)) == units
