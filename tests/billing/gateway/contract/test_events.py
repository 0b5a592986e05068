"""Events: what happened, and in no order that could be relied on."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from flatbed.billing.gateway.errors import GatewayMissing
from flatbed.billing.gateway.port import SUBSCRIBED
from flatbed.billing.gateway.views import EventRef
from tests.billing.gateway.house import Place, an_open, fresh, paid_out_of_band


async def _about(place: Place, given: str, *types: str) -> list[EventRef]:
    """Events of an object, which a real sandbox publishes a moment later."""
    since = datetime.now(UTC) - timedelta(minutes=5)
    found: list[EventRef] = []
    for _ in range(1 if place.fake else 20):
        listed = [event async for event in place.gateway.list_events(since, types or SUBSCRIBED)]
        found = [event for event in listed if event.object_id == given]
        if {event.type for event in found} >= set(types):
            return found
        await asyncio.sleep(0.5)
    return found


class TestEvents:
    async def test_the_life_of_an_invoice_is_told(self, place: Place) -> None:
        opened = await an_open(place)
        await paid_out_of_band(place, opened.id)
        found = await _about(place, opened.id, "invoice.finalized", "invoice.paid")
        assert sorted(event.type for event in found) == ["invoice.finalized", "invoice.paid"]
        for event in found:
            assert (event.object_type, event.live) == ("invoice", False)
            assert await place.gateway.get_event(event.id) == event

    async def test_a_credit_note_is_told(self, place: Place) -> None:
        opened = await an_open(place)
        note = await place.gateway.create_credit_note({"invoice": opened.id, "amount": 1}, fresh())
        (event,) = await _about(place, note.id, "credit_note.created")
        assert event.object_type == "credit_note"

    async def test_voided_and_uncollectible_are_told(self, place: Place) -> None:
        opened = await an_open(place)
        await place.gateway.mark_uncollectible(opened.id, fresh())
        await place.gateway.void_invoice(opened.id, fresh())
        wanted = ("invoice.marked_uncollectible", "invoice.voided")
        found = await _about(place, opened.id, *wanted)
        assert sorted(event.type for event in found) == sorted(wanted)

    async def test_only_types_that_are_asked_for_are_listed(self, place: Place) -> None:
        opened = await an_open(place)
        found = await _about(place, opened.id, "invoice.finalized")
        assert {event.type for event in found} == {"invoice.finalized"}

    async def test_nothing_from_before_is_listed(self, place: Place) -> None:
        opened = await an_open(place)
        assert await _about(place, opened.id, "invoice.finalized")
        ahead = datetime.now(UTC) + timedelta(hours=1)
        assert [event async for event in place.gateway.list_events(ahead)] == []

    async def test_a_missing_event_is_missing(self, place: Place) -> None:
        with pytest.raises(GatewayMissing):
            await place.gateway.get_event("evt_none")
