"""No replacement came in time: the ISV gets its share of the money back."""

from datetime import timedelta

import pytest

from flatbed.billing.usage.models import UsageEntry
from flatbed.tenants.kit.ids import encode
from tests.api.support import World
from tests.candidates.factory import site
from tests.qualifications.factory import Qualified, instant
from tests.qualifications.guarantee.claims import (
    Claim,
    accepted,
    billed,
    books,
    campaign_of,
    claim,
    close_months,
    confirmed,
)
from tests.qualifications.guarantee.test_replacement import PRICE, is_sound, next_unit


async def to_the_end(one: Claim) -> None:
    """Until the time for a replacement is over."""
    await one.unit.until(instant((await one.read())["replace_by"]))


async def given_back(unit: Qualified) -> dict[str, int]:
    """The money of every credit and reversal of the ISV, by entry."""
    rows = await unit.site.rows(UsageEntry, UsageEntry.kind != "qualified")
    rows = sorted(rows, key=lambda row: row.sequence)
    return {encode("use", row.id): row.amount for row in rows}


class TestCredit:
    """If none within 90 days, a credit of 100/50/25 % for days 1-30/31-60/61-90."""

    @pytest.mark.parametrize(
        ("days", "percent", "back"), [(5, 100, 450_000), (45, 50, 225_000), (75, 25, 112_500)]
    )
    async def test_after_ninety_days_without_a_replacement_the_share_is_credited(
        self, world: World, days: int, percent: int, back: int
    ) -> None:
        """A credit of 100/50/25 % for days 1-30/31-60/61-90."""
        await books(world)
        (unit,) = await accepted(await site(world, quantity=1))
        await close_months(world)
        await unit.site.advance(days=days)
        one = await (await claim(unit)).confirmed()
        end = instant((await one.read())["replace_by"])
        await unit.until(end - timedelta(minutes=5))
        assert await one.status() == "open"
        await unit.until(end)
        made = await one.read()
        assert (made["status"], made["percent"]) == ("credited", percent)
        assert (made["credited_amount"], made["currency"]) == (back, "EUR")
        assert instant(made["ended_at"]) == end
        assert await given_back(unit) == {made["credit_entry_id"]: -back}
        (event,) = await unit.events("guarantee_case.credited")
        assert (event["percent"], event["amount"]) == (percent, back)
        campaign = await campaign_of(unit)
        assert (campaign["accepted_count"], campaign["status"]) == (1, "filled")
        await close_months(world)
        await unit.site.advance(days=45)
        assert sorted(await billed(unit)) == [-back, PRICE]
        assert await is_sound(unit.site)

    async def test_what_is_not_billed_yet_is_looked_at_the_next_day(self, world: World) -> None:
        one = await confirmed(world, quantity=1)
        await to_the_end(one)
        assert await one.status() == "due"
        (due,) = await one.site.open_deadlines(one.unit.worked.id)
        assert due.due_at == instant((await one.read())["replace_by"]) + timedelta(days=1)
        campaign = await campaign_of(one.unit)
        assert (campaign["accepted_count"], campaign["status"]) == (1, "filled")
        await one.site.advance(days=3)
        assert len(await one.unit.events("guarantee_case.due")) == 1
        await books(world)
        await close_months(world)
        await one.site.advance(days=2)
        made = await one.read()
        assert (made["status"], made["credited_amount"]) == ("credited", PRICE)
        assert (await campaign_of(one.unit))["accepted_count"] == 1

    async def test_a_credited_unit_that_is_voided_gives_back_the_rest(self, world: World) -> None:
        await books(world)
        (unit,) = await accepted(await site(world, quantity=1))
        await close_months(world)
        await unit.site.advance(days=45)
        one = await (await claim(unit)).confirmed()
        await to_the_end(one)
        await unit.dispute(fraud=True)
        await unit.answer()
        await unit.decide("voided")
        assert list((await given_back(unit)).values()) == [-PRICE // 2, -PRICE // 2]
        assert (await campaign_of(unit))["accepted_count"] == 0
        assert await one.status() == "credited"

    async def test_for_a_replacement_the_money_of_the_first_is_given_back(
        self, world: World
    ) -> None:
        await books(world)
        (unit,) = await accepted(await site(world, quantity=1))
        await close_months(world)
        await unit.site.advance(days=5)
        await (await claim(unit)).confirmed()
        second = await next_unit(unit.site)
        await second.accept()
        await unit.site.advance(days=75)
        one = await (await claim(second)).confirmed()
        await to_the_end(one)
        made = await one.read()
        assert (made["status"], made["credited_amount"]) == ("credited", PRICE // 4)
        assert await is_sound(unit.site)

    async def test_a_credit_comes_once(self, world: World) -> None:
        await books(world)
        (unit,) = await accepted(await site(world, quantity=1))
        await close_months(world)
        await unit.site.advance(days=5)
        one = await (await claim(unit)).confirmed()
        await to_the_end(one)
        await unit.site.advance(days=100)
        assert len(await given_back(unit)) == 1
        assert not await unit.site.open_deadlines(unit.worked.id)
