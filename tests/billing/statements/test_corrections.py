"""What goes back after it was billed: voids, credits, replacements and their tax."""

import pytest

from flatbed.billing.facade import NotBilledError, UsageStateError, verify_ledger
from flatbed.billing.statements.rules.rating import LineKind
from flatbed.tenants.kit.ids import uuid7
from tests.billing.statements.books import (
    APRIL,
    APRIL_CLOSES,
    MARCH_CLOSES,
    MAY_CLOSES,
    Books,
    later,
)
from tests.billing.world import PRICE


class TestCorrections:
    async def test_a_void_after_billing_gives_back_exactly_what_was_billed(
        self, books: Books
    ) -> None:
        """Invariant 6: reversal = -original, by a credit note on its own invoice."""
        entry = await books.unit(accepted=later(1))
        await books.unit(accepted=later(1))
        [march] = await books.close(MARCH_CLOSES)
        reversal = await books.void(entry.entry_id, at=APRIL)
        assert reversal.amount == -PRICE
        [april] = await books.close(APRIL_CLOSES)
        assert (april.charges, april.credits, april.total) == (0, -PRICE, -PRICE)
        [note] = april.invoices
        [invoice] = march.invoices
        assert (note.kind, note.corrects_id, note.net) == ("credit_note", invoice.id, PRICE)
        assert (invoice.number, note.number) == ("R-000001", "R-000002")
        [line] = await books.lines(april.id)
        assert (line.kind, line.amount) == (LineKind.CREDIT, -PRICE)
        assert line.corrects_entry_id == entry.entry_id
        assert await books.lines(march.id) != []
        async with books.world.at(books.isv) as session:
            assert await verify_ledger(session) == []

    async def test_credits_together_never_exceed_what_was_billed(self, books: Books) -> None:
        entry = await books.unit(accepted=later(1), unit_price=101)
        await books.close(MARCH_CLOSES)
        back = [await books.credit(entry.entry_id, percent, at=APRIL) for percent in (50, 25, 50)]
        # Half to even: 50.5 is 50, 25.25 is 25; the third gets the rest.
        assert [one and one.amount for one in back] == [-50, -25, -26]
        assert await books.credit(entry.entry_id, 1, at=APRIL) is None
        [april] = await books.close(APRIL_CLOSES)
        assert april.credits == -101
        assert (await books.void(entry.entry_id, at=APRIL_CLOSES)).amount == 0

    async def test_a_void_gives_back_what_credits_left(self, books: Books) -> None:
        entry = await books.unit(accepted=later(1), unit_price=100)
        await books.close(MARCH_CLOSES)
        await books.credit(entry.entry_id, 25, at=APRIL)
        assert (await books.void(entry.entry_id, at=APRIL)).amount == -75
        [april] = await books.close(APRIL_CLOSES)
        assert (april.credits, len(april.invoices)) == (-100, 1)
        assert april.invoices[0].net == 100

    async def test_nothing_is_credited_before_it_is_billed_or_after_it_is_void(
        self, books: Books
    ) -> None:
        entry = await books.unit(accepted=later(1))
        with pytest.raises(NotBilledError):
            await books.credit(entry.entry_id, 50, at=later(2))
        await books.close(MARCH_CLOSES)
        await books.void(entry.entry_id, at=APRIL)
        with pytest.raises(UsageStateError):
            await books.credit(entry.entry_id, 50, at=APRIL)

    async def test_a_replacement_is_billed_at_zero_and_reserves_nothing(self, books: Books) -> None:
        campaign = uuid7()
        lost = await books.unit(accepted=later(1), campaign_ref=campaign)
        await books.close(MARCH_CLOSES)
        fresh = await books.unit(
            at=APRIL, accepted=APRIL, campaign_ref=campaign, replaces_id=lost.entry_id
        )
        assert fresh.amount == 0
        assert (await books.world.counters(books.isv, campaign))["total"] == (1, PRICE)
        [april] = await books.close(APRIL_CLOSES)
        [line] = await books.lines(april.id)
        assert (line.amount, line.rank, april.units, april.invoices) == (0, None, 1, [])
        await books.void(fresh.entry_id, at=APRIL_CLOSES)
        assert (await books.world.counters(books.isv, campaign))["total"] == (1, PRICE)

    async def test_tax_goes_back_with_the_money_to_the_last_cent(self, books: Books) -> None:
        """Three credit notes of 19 % on odd amounts come to the invoice's own tax."""
        entry = await books.unit(accepted=later(1), unit_price=101)
        [march] = await books.close(MARCH_CLOSES)
        assert (march.invoices[0].net, march.invoices[0].tax) == (101, 19)
        taxes = []
        for closes, percent in ((APRIL_CLOSES, 50), (MAY_CLOSES, 50)):
            await books.credit(entry.entry_id, percent, at=closes - (APRIL_CLOSES - APRIL))
            [statement] = await books.close(closes)
            taxes.append(statement.invoices[0].tax)
        await books.void(entry.entry_id, at=MAY_CLOSES)
        [last] = await books.close(MAY_CLOSES.replace(month=7))
        taxes.append(last.invoices[0].tax)
        assert sum(taxes) == 19
