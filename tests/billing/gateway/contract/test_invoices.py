"""An invoice from draft to its end, and its lines."""

import pytest

from flatbed.billing.gateway.errors import GatewayMissing, GatewayRefused
from flatbed.billing.gateway.port import MOST_LINES
from flatbed.billing.gateway.views import LineView
from tests.billing.gateway.house import (
    Place,
    a_customer,
    a_draft,
    an_open,
    draft_body,
    fresh,
    line,
    number,
    paid_out_of_band,
)


class TestDraft:
    async def test_it_has_our_number_and_metadata_and_is_empty(self, place: Place) -> None:
        customer, ours = (await a_customer(place)).id, number()
        body = draft_body(customer, number=ours)
        made = await place.gateway.create_invoice(body, fresh())
        assert made.id.startswith("in_")
        assert (made.status, made.customer, made.currency) == ("draft", customer, "EUR")
        assert (made.number, made.metadata) == (ours, body["metadata"])
        assert (made.subtotal, made.tax, made.total) == (0, 0, 0)
        assert (made.auto_advance, made.live, made.finalized_at) == (False, False, None)
        assert await place.gateway.get_invoice(made.id) == made

    async def test_a_number_is_used_once(self, place: Place) -> None:
        customer, ours = (await a_customer(place)).id, number()
        await place.gateway.create_invoice(draft_body(customer, number=ours), fresh())
        with pytest.raises(GatewayRefused) as refused:
            await an_open(place, customer=customer, number=ours)
        assert refused.value.status == 400

    async def test_sending_needs_a_due_date(self, place: Place) -> None:
        body = draft_body((await a_customer(place)).id, days_until_due=None)
        with pytest.raises(GatewayRefused):
            await place.gateway.create_invoice(body, fresh())

    async def test_a_draft_is_deleted_and_an_open_invoice_is_not(self, place: Place) -> None:
        made = await a_draft(place, line("a", 100))
        await place.gateway.delete_draft(made.id)
        with pytest.raises(GatewayMissing):
            await place.gateway.get_invoice(made.id)
        with pytest.raises(GatewayMissing):
            await place.gateway.delete_draft(made.id)
        opened = await an_open(place)
        with pytest.raises(GatewayRefused):
            await place.gateway.delete_draft(opened.id)
        assert (await place.gateway.get_invoice(opened.id)).status == "open"

    async def test_a_customers_invoices_are_listed_newest_first(self, place: Place) -> None:
        customer = (await a_customer(place)).id
        await a_draft(place)
        made = [(await a_draft(place, customer=customer)).id for _ in range(3)]
        held = [invoice async for invoice in place.gateway.list_invoices(customer)]
        assert {invoice.customer for invoice in held} == {customer}
        assert sorted(invoice.id for invoice in held) == sorted(made)
        assert [i.created_at for i in held] == sorted((i.created_at for i in held), reverse=True)


class TestLines:
    async def test_the_subtotal_is_their_sum_and_the_total_has_our_tax(self, place: Place) -> None:
        made = await a_draft(place, line("use_1", 10_000, 1_900), line("use_2", 333, 63))
        assert (made.subtotal, made.tax, made.total) == (10_333, 1_963, 12_296)
        assert made.amount_due == 12_296
        held = {one.metadata["entry_id"]: one async for one in place.gateway.list_lines(made.id)}
        assert sorted(held) == ["use_1", "use_2"]
        assert (held["use_2"].amount, held["use_2"].currency) == (333, "EUR")
        assert held["use_2"].description == "Qualified partner use_2"
        (tax,) = held["use_2"].taxes
        assert (tax.amount, tax.taxable_amount, tax.inclusive) == (63, 333, False)
        assert tax.rate is not None

    async def test_a_reverse_charge_has_no_tax(self, place: Place) -> None:
        made = await a_draft(place, line("use_1", 10_000))
        assert (made.subtotal, made.tax, made.total) == (10_000, 0, 10_000)

    async def test_a_negative_line_reduces_the_sum(self, place: Place) -> None:
        made = await a_draft(place, line("use_1", 10_000), line("credit_1", -2_500))
        assert made.subtotal == 7_500

    async def test_only_what_is_missing_is_added_again(self, place: Place) -> None:
        wanted = {f"use_{n}": line(f"use_{n}", 100 + n) for n in range(5)}
        made = await a_draft(place, wanted["use_1"], wanted["use_3"])
        for _ in range(2):
            held = {one.metadata["entry_id"] async for one in place.gateway.list_lines(made.id)}
            rest = [body for entry, body in wanted.items() if entry not in held]
            if rest:
                await place.gateway.add_lines(made.id, {"lines": rest}, fresh())
        held = {one.metadata["entry_id"] async for one in place.gateway.list_lines(made.id)}
        assert held == set(wanted)
        assert (await place.gateway.get_invoice(made.id)).subtotal == 510

    async def test_more_than_a_page_is_read_whole(self, place: Place) -> None:
        made = await a_draft(place, *(line(f"use_{n}", 1_000 + n) for n in range(120)))
        made = await place.gateway.add_lines(
            made.id, {"lines": [line(f"use_{n}", 1_000 + n) for n in range(120, 230)]}, fresh()
        )
        held = [one async for one in place.gateway.list_lines(made.id)]
        assert len(held) == 230
        assert len({one.id for one in held}) == 230
        assert sum(one.amount for one in held) == made.subtotal
        by_entry = {one.metadata["entry_id"]: one.amount for one in held}
        assert by_entry == {f"use_{n}": 1_000 + n for n in range(230)}

    async def test_one_too_many_is_refused_and_none_is_added(self, place: Place) -> None:
        made = await a_draft(place, *(line(f"use_{n}", 100) for n in range(MOST_LINES - 1)))
        with pytest.raises(GatewayRefused):
            await place.gateway.add_lines(
                made.id, {"lines": [line("one", 100), line("too_many", 100)]}, fresh()
            )
        assert (await place.gateway.get_invoice(made.id)).subtotal == 100 * (MOST_LINES - 1)
        await place.gateway.add_lines(made.id, {"lines": [line("last", 100)]}, fresh())

    async def test_metadata_are_plain_texts(self, place: Place) -> None:
        made = await a_draft(place, line("use_1", 100))
        (held,) = [one async for one in place.gateway.list_lines(made.id)]
        assert isinstance(held, LineView)
        assert type(held.metadata) is dict


class TestFinalize:
    async def test_it_is_open_with_our_number_and_a_due_date(self, place: Place) -> None:
        ours = number()
        opened = await an_open(place, number=ours)
        assert (opened.status, opened.number, opened.auto_advance) == ("open", ours, False)
        assert (opened.total, opened.amount_due, opened.amount_remaining) == (11_900,) * 3
        assert opened.finalized_at is not None
        assert opened.due_at is not None
        assert 13.9 < (opened.due_at - opened.finalized_at).total_seconds() / 86_400 < 14.1
        assert opened.hosted_url is not None
        assert opened.pdf_url is not None

    async def test_without_ours_it_gets_a_number(self, place: Place) -> None:
        opened = await an_open(place)
        assert opened.number

    async def test_it_changes_no_more(self, place: Place) -> None:
        opened = await an_open(place)
        with pytest.raises(GatewayRefused):
            await place.gateway.add_lines(opened.id, {"lines": [line("late", 1)]}, fresh())
        with pytest.raises(GatewayRefused):
            await place.gateway.finalize_invoice(opened.id, {}, fresh())
        assert await place.gateway.get_invoice(opened.id) == opened

    async def test_where_nothing_is_due_it_is_paid(self, place: Place) -> None:
        opened = await an_open(place, line("use_1", 500), line("credit_1", -500))
        assert (opened.status, opened.amount_due) == ("paid", 0)

    async def test_what_is_paid_out_of_band_is_paid(self, place: Place) -> None:
        opened = await an_open(place)
        await paid_out_of_band(place, opened.id)
        paid = await place.gateway.get_invoice(opened.id)
        assert (paid.status, paid.amount_remaining) == ("paid", 0)


class TestEnds:
    async def test_an_open_invoice_is_voided_for_good(self, place: Place) -> None:
        opened = await an_open(place)
        after = await place.gateway.void_invoice(opened.id, fresh())
        assert (after.status, after.total) == ("void", opened.total)
        with pytest.raises(GatewayRefused):
            await place.gateway.void_invoice(opened.id, fresh())
        with pytest.raises(GatewayRefused):
            await place.gateway.mark_uncollectible(opened.id, fresh())

    async def test_an_uncollectible_one_may_still_be_paid(self, place: Place) -> None:
        opened = await an_open(place)
        after = await place.gateway.mark_uncollectible(opened.id, fresh())
        assert after.status == "uncollectible"
        await paid_out_of_band(place, opened.id)
        assert (await place.gateway.get_invoice(opened.id)).status == "paid"

    async def test_a_draft_and_a_paid_one_are_not_voided(self, place: Place) -> None:
        draft, opened = await a_draft(place, line("a", 100)), await an_open(place)
        await paid_out_of_band(place, opened.id)
        for invoice in (draft.id, opened.id):
            with pytest.raises(GatewayRefused):
                await place.gateway.void_invoice(invoice, fresh())
