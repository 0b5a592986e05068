"""What an idempotency key does, and what it does not do."""

import asyncio

import pytest

from flatbed.billing.gateway.errors import GatewayConflict, GatewayRefused
from flatbed.billing.gateway.views import Body
from tests.billing.gateway.house import (
    Place,
    a_customer,
    a_draft,
    an_open,
    draft_body,
    fresh,
    line,
)


class TestKeys:
    async def test_the_same_request_is_answered_the_same_and_done_once(self, place: Place) -> None:
        customer, key = (await a_customer(place)).id, fresh()
        body = draft_body(customer)
        first = await place.gateway.create_invoice(body, key)
        second = await place.gateway.create_invoice(body, key)
        assert second == first
        assert [i.id async for i in place.gateway.list_invoices(customer)] == [first.id]

    async def test_a_replay_shows_the_past(self, place: Place) -> None:
        customer, key = (await a_customer(place)).id, fresh()
        body = draft_body(customer)
        first = await place.gateway.create_invoice(body, key)
        await place.gateway.add_lines(first.id, {"lines": [line("a", 500)]}, fresh())
        assert (await place.gateway.create_invoice(body, key)).subtotal == 0
        assert (await place.gateway.get_invoice(first.id)).subtotal == 500

    async def test_lines_are_added_once(self, place: Place) -> None:
        draft, key = await a_draft(place), fresh()
        for _ in range(3):
            await place.gateway.add_lines(draft.id, {"lines": [line("a", 500)]}, key)
        assert (await place.gateway.get_invoice(draft.id)).subtotal == 500

    async def test_a_credit_note_is_given_once(self, place: Place) -> None:
        opened, key = await an_open(place), fresh()
        body: Body = {"invoice": opened.id, "amount": 500}
        first = await place.gateway.create_credit_note(body, key)
        assert (await place.gateway.create_credit_note(body, key)).id == first.id
        assert len([n async for n in place.gateway.list_credit_notes(opened.id)]) == 1

    async def test_another_body_is_a_conflict(self, place: Place) -> None:
        customer, key = (await a_customer(place)).id, fresh()
        await place.gateway.create_invoice(draft_body(customer), key)
        with pytest.raises(GatewayConflict) as refused:
            await place.gateway.create_invoice(draft_body(customer), key)
        assert not refused.value.is_running

    async def test_another_operation_is_a_conflict(self, place: Place) -> None:
        opened, key = await an_open(place), fresh()
        await place.gateway.mark_uncollectible(opened.id, key)
        with pytest.raises(GatewayConflict):
            await place.gateway.void_invoice(opened.id, key)

    async def test_a_refusal_of_the_operation_is_kept(self, place: Place) -> None:
        draft, key = await a_draft(place, line("a", 100)), fresh()
        with pytest.raises(GatewayRefused):
            await place.gateway.void_invoice(draft.id, key)
        await place.gateway.finalize_invoice(draft.id, {}, fresh())
        with pytest.raises(GatewayRefused):
            await place.gateway.void_invoice(draft.id, key)
        assert (await place.gateway.void_invoice(draft.id, fresh())).status == "void"

    async def test_at_the_same_time_it_is_done_once(self, place: Place) -> None:
        customer, key = (await a_customer(place)).id, fresh()
        body = draft_body(customer)
        outcomes = await asyncio.gather(
            *(place.gateway.create_invoice(body, key) for _ in range(5)), return_exceptions=True
        )
        made = {outcome.id for outcome in outcomes if not isinstance(outcome, BaseException)}
        others = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert len(made) == 1
        assert all(isinstance(other, GatewayConflict) and other.is_running for other in others)
        assert len([i async for i in place.gateway.list_invoices(customer)]) == 1

    async def test_a_key_that_no_header_can_hold_is_not_sent(self, place: Place) -> None:
        customer = (await a_customer(place)).id
        for key in ("", "a b", "ä", "a\r\nX: y", "k" * 256):
            with pytest.raises(ValueError, match="idempotency key"):
                await place.gateway.create_invoice(draft_body(customer), key)
        assert [i async for i in place.gateway.list_invoices(customer)] == []
