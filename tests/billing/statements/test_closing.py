"""Closing a period: what is billed, held, given back, and under which numbers."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from flatbed.billing.facade import UsageStateError, verify_ledger
from flatbed.billing.statements.errors import ClosingBlockedError, PeriodClosedError
from flatbed.billing.statements.rules.proof import verify_proof
from flatbed.billing.statements.rules.rating import Fate
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import NotFoundError
from tests.billing.statements.books import (
    APRIL,
    APRIL_CLOSES,
    MARCH_CLOSES,
    MAY_CLOSES,
    TIERED,
    Books,
    fill_in_seller,
    later,
)
from tests.billing.world import PRICE, World


class TestClose:
    async def test_what_is_accepted_is_billed_and_the_rest_is_held_or_told(
        self, books: Books
    ) -> None:
        """Invariant 3: each entry is on exactly one of line, held, cancelled, written off."""
        billed = await books.unit(accepted=later(1))
        pending = await books.unit()
        disputed = await books.unit()
        await books.dispute(disputed.entry_id)
        voided = await books.unit(accepted=later(1))
        await books.void(voided.entry_id)
        given_up = await books.unit()
        await books.write_off(given_up.entry_id)
        [statement] = await books.close(MARCH_CLOSES)
        assert (statement.units, statement.charges, statement.total) == (1, PRICE, PRICE)
        assert (statement.held_units, statement.held_amount) == (2, 2 * PRICE)
        [line] = await books.lines(statement.id)
        assert (line.entry_id, line.amount, line.rank) == (billed.entry_id, PRICE, 1)
        rest = (await books.proof(statement.id))["statement"]["rest"]
        assert {one["entry_id"]: one["fate"] for one in rest} == {
            str(pending.entry_id): Fate.PENDING,
            str(disputed.entry_id): Fate.DISPUTED,
            str(voided.entry_id): Fate.CANCELLED,
            str(given_up.entry_id): Fate.WRITTEN_OFF,
        }

    async def test_a_unit_that_is_voided_in_the_grace_is_told_by_its_own_period(
        self, books: Books
    ) -> None:
        voided = await books.unit(accepted=later(1))
        await books.void(voided.entry_id, at=MARCH_CLOSES - timedelta(days=2))
        [march] = await books.close(MARCH_CLOSES)
        proof = await books.proof(march.id)
        assert verify_proof(proof) == []
        [rest] = proof["statement"]["rest"]
        assert (rest["entry_id"], rest["fate"]) == (str(voided.entry_id), Fate.CANCELLED)
        [april] = await books.close(APRIL_CLOSES)
        assert (await books.proof(april.id))["statement"]["rest"] == []

    async def test_what_was_held_is_billed_when_it_is_accepted_and_told_of_once(
        self, books: Books
    ) -> None:
        held = await books.unit()
        voided = await books.unit()
        await books.void(voided.entry_id)
        [first] = await books.close(MARCH_CLOSES)
        assert (first.units, first.total, first.invoices) == (0, 0, [])
        # Nobody metered anything since: the acceptance itself needs the next period.
        await books.accept(held.entry_id, at=APRIL)
        [second] = await books.close(APRIL_CLOSES)
        [line] = await books.lines(second.id)
        assert (line.entry_id, line.carried_over) == (held.entry_id, True)
        assert (await books.proof(second.id))["statement"]["rest"] == []

    async def test_a_unit_of_the_next_period_waits_for_its_own_statement(
        self, books: Books
    ) -> None:
        await books.unit(accepted=later(1))
        april = await books.unit(at=MARCH_CLOSES, accepted=MARCH_CLOSES)
        [march] = await books.close(MARCH_CLOSES)
        assert march.units == 1
        [second] = await books.close(APRIL_CLOSES)
        assert [line.entry_id for line in await books.lines(second.id)] == [april.entry_id]

    async def test_a_late_entry_goes_to_the_oldest_open_period_and_says_so(
        self, books: Books
    ) -> None:
        await books.unit()
        await books.close(MARCH_CLOSES)
        await books.unit(at=APRIL)
        late = await books.unit(accepted=APRIL)
        [statement] = await books.close(APRIL_CLOSES)
        [line] = await books.lines(statement.id)
        assert (line.entry_id, line.late) == (late.entry_id, True)
        assert line.occurred_at == later(0)

    async def test_what_is_decided_after_the_instant_of_the_closing_is_not_seen(
        self, books: Books
    ) -> None:
        """A sweep that comes late closes as if it had come in time."""
        await books.unit(accepted=APRIL)
        [statement] = await books.close(MARCH_CLOSES)
        assert (statement.units, statement.held_units) == (0, 1)

    async def test_each_currency_has_a_statement_and_an_invoice_of_its_own(
        self, books: Books
    ) -> None:
        """Invariant 10: no arithmetic across currencies."""
        for currency, price in (("EUR", 100), ("JPY", 7), ("EUR", 23)):
            await books.unit(accepted=later(1), currency=currency, unit_price=price)
        statements = await books.close(MARCH_CLOSES)
        assert [(one.currency, one.units, one.total) for one in statements] == [
            ("EUR", 2, 123),
            ("JPY", 1, 7),
        ]
        assert [one.invoices[0].number for one in statements] == ["R-000001", "R-000002"]
        assert [one.number for one in statements] == [1, 2]

    async def test_a_period_without_anything_has_an_empty_statement(self, books: Books) -> None:
        entry = await books.unit(at=APRIL)
        await books.void(entry.entry_id, at=APRIL)
        await books.unit(at=MAY_CLOSES)
        [april] = await books.close(APRIL_CLOSES)
        [may] = await books.close(MAY_CLOSES)
        assert [(one.currency, one.units, one.total) for one in (april, may)] == [("EUR", 0, 0)] * 2


class TestTiers:
    async def test_each_unit_costs_its_own_place_in_the_campaign(self, books: Books) -> None:
        """Graduated and cumulative, in the order of acceptance whatever that of metering."""
        campaign = uuid7()
        made = [
            await books.unit(campaign_ref=campaign, unit_price=100, tiers=TIERED) for _ in range(5)
        ]
        for day, entry in enumerate(reversed(made), start=1):
            await books.accept(entry.entry_id, at=later(day))
        [statement] = await books.close(MARCH_CLOSES)
        lines = await books.lines(statement.id)
        assert [line.entry_id for line in lines] == [one.entry_id for one in reversed(made)]
        assert [(line.rank, line.amount) for line in lines] == [
            (1, 100),
            (2, 100),
            (3, 80),
            (4, 80),
            (5, 60),
        ]
        assert statement.total == 420

    async def test_they_go_on_where_the_statement_before_ended(self, books: Books) -> None:
        campaign = uuid7()
        price: dict[str, Any] = {"campaign_ref": campaign, "unit_price": 100, "tiers": TIERED}
        for _ in range(2):
            await books.unit(accepted=later(1), **price)
        [march] = await books.close(MARCH_CLOSES)
        await books.unit(at=APRIL, accepted=APRIL, **price)
        [april] = await books.close(APRIL_CLOSES)
        assert (march.total, april.total) == (200, 80)
        assert [line.rank for line in await books.lines(april.id)] == [3]

    async def test_a_unit_voided_in_its_own_period_uses_no_tier(self, books: Books) -> None:
        price: dict[str, Any] = {"campaign_ref": uuid7(), "unit_price": 100, "tiers": TIERED}
        voided = await books.unit(accepted=later(1), **price)
        for _ in range(2):
            await books.unit(accepted=later(2), **price)
        await books.void(voided.entry_id)
        [statement] = await books.close(MARCH_CLOSES)
        assert [line.rank for line in await books.lines(statement.id)] == [1, 2]
        assert statement.total == 200

    async def test_a_billed_unit_keeps_its_tier_when_it_is_voided_later(self, books: Books) -> None:
        """So that a closed statement never has to change."""
        price: dict[str, Any] = {"campaign_ref": uuid7(), "unit_price": 100, "tiers": TIERED}
        first = await books.unit(accepted=later(1), **price)
        await books.unit(accepted=later(1), **price)
        await books.close(MARCH_CLOSES)
        await books.void(first.entry_id, at=APRIL)
        await books.unit(at=APRIL, accepted=APRIL, **price)
        [april] = await books.close(APRIL_CLOSES)
        assert [(line.rank, line.amount) for line in await books.lines(april.id)] == [
            (3, 80),
            (None, -100),
        ]

    async def test_caps_give_back_what_they_held_too_much(self, books: Books) -> None:
        campaign = uuid7()
        for _ in range(4):
            await books.unit(accepted=later(1), campaign_ref=campaign, unit_price=100, tiers=TIERED)
        assert await books.world.counters(books.isv, campaign) == {
            "total": (4, 400),
            "2026-03": (4, 400),
        }
        await books.close(MARCH_CLOSES)
        assert await books.world.counters(books.isv, campaign) == {
            "total": (4, 360),
            "2026-03": (4, 360),
        }
        async with books.world.at(books.isv) as session:
            assert await verify_ledger(session) == []


class TestRefusals:
    async def test_the_grace_must_have_passed(self, books: Books) -> None:
        await books.unit()
        with pytest.raises(ClosingBlockedError) as refused:
            await books.close(MARCH_CLOSES.replace(hour=21))
        assert refused.value.extra == {"reason": "grace"}

    async def test_periods_are_closed_in_order_and_once(self, books: Books) -> None:
        march = await books.unit()
        april = await books.unit(at=APRIL)
        with pytest.raises(ClosingBlockedError) as refused:
            await books.close(APRIL_CLOSES, april.period_id)
        assert refused.value.extra == {"reason": "order"}
        await books.close(APRIL_CLOSES, march.period_id)
        with pytest.raises(PeriodClosedError):
            await books.close(APRIL_CLOSES, march.period_id)

    async def test_without_a_seller_nothing_is_closed(self, world: World, isv: UUID) -> None:
        books = Books(world, isv)
        await books.unit(accepted=later(1))
        with pytest.raises(ClosingBlockedError) as refused:
            await books.close(MARCH_CLOSES)
        assert refused.value.extra == {"reason": "seller"}
        assert await world.count("statement", isv) == 0
        await fill_in_seller(world)
        assert len(await books.close(MARCH_CLOSES)) == 1

    async def test_another_tenants_period_is_as_if_missing(self, books: Books) -> None:
        entry = await books.unit()
        other = Books(books.world, await books.world.isv())
        for period_id in (entry.period_id, uuid7()):
            with pytest.raises(NotFoundError):
                await other.close(MARCH_CLOSES, period_id)

    async def test_billed_units_are_decided_no_more(self, books: Books) -> None:
        entry = await books.unit(accepted=later(1))
        await books.close(MARCH_CLOSES)
        for act in (books.dispute, books.write_off):
            with pytest.raises(UsageStateError):
                await act(entry.entry_id, at=APRIL)


class TestConcurrency:
    async def test_eight_closings_at_once_make_one_set_of_statements(self, books: Books) -> None:
        for _ in range(3):
            await books.unit(accepted=later(1))
        period = await books.oldest()
        results = await asyncio.gather(
            *(books.close(MARCH_CLOSES, period) for _ in range(8)), return_exceptions=True
        )
        refused = [one for one in results if isinstance(one, BaseException)]
        assert len(refused) == 7
        assert all(isinstance(one, PeriodClosedError) for one in refused)
        assert await books.world.count("statement_line", books.isv) == 3

    async def test_numbers_are_gapless_over_tenants_that_close_at_once(self, books: Books) -> None:
        others = [books, *[Books(books.world, await books.world.isv()) for _ in range(5)]]
        for one in others:
            await one.unit(accepted=later(1))
        periods = [await one.oldest() for one in others]
        await asyncio.gather(
            *(one.close(MARCH_CLOSES, period) for one, period in zip(others, periods, strict=True))
        )
        numbers = await books.world.admin.fetch(
            "SELECT number FROM invoice WHERE tenant_id = ANY($1) ORDER BY number",
            [one.isv for one in others],
        )
        assert [row["number"] for row in numbers] == [f"R-{n:06}" for n in range(1, 7)]

    async def test_units_that_are_accepted_while_a_period_closes_are_billed_once(
        self, books: Books
    ) -> None:
        entries = [await books.unit() for _ in range(10)]
        period = await books.oldest()

        async def accept(entry_id: UUID) -> None:
            await books.accept(entry_id, at=MARCH_CLOSES)

        await asyncio.gather(
            *(accept(one.entry_id) for one in entries), books.close(MARCH_CLOSES, period)
        )
        await books.close(APRIL_CLOSES)
        rows = await books.world.admin.fetch(
            "SELECT entry_id FROM statement_line WHERE tenant_id = $1", books.isv
        )
        assert sorted(row["entry_id"] for row in rows) == sorted(one.entry_id for one in entries)
