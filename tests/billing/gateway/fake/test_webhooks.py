"""Webhooks as Stripe sends them: signed, at least once, in no order."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from flatbed.billing.gateway.client import StripeGateway
from flatbed.billing.gateway.errors import BadEvent, BadSignature
from flatbed.billing.gateway.fake.webhooks import Endpoint, Mischief, poster
from flatbed.billing.gateway.port import SUBSCRIBED
from flatbed.billing.gateway.rules.signature import sign
from flatbed.billing.gateway.settings import StripeSettings
from flatbed.tenants.kit.clock import system_now
from tests.billing.gateway.house import (
    SECRET,
    Place,
    an_open,
    fake_stripe,
    in_process,
    settings,
)

THING = b' "data": {"object": {"object": "thing"}}}'


class Inbox:
    """The endpoint: keeps what it is sent, unless it is told to fail."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, str]] = []
        self.status = 200

    async def __call__(self, payload: bytes, signature: str) -> int:
        self.got.append((payload, signature))
        return self.status

    @property
    def types(self) -> list[str]:
        return [json.loads(payload)["type"] for payload, _ in self.got]

    @property
    def ids(self) -> list[str]:
        return [json.loads(payload)["id"] for payload, _ in self.got]


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest_asyncio.fixture
async def place(inbox: Inbox) -> AsyncIterator[Place]:
    """The fake in process, with an endpoint."""
    fake = fake_stripe(endpoint=Endpoint(inbox, SECRET, frozenset(SUBSCRIBED)))
    async with in_process(fake) as made:
        yield made


async def _paid(place: Place) -> str:
    invoice = (await an_open(place)).id
    place.the_fake.control.pay(invoice)
    return invoice


class TestDelivery:
    async def test_what_is_subscribed_to_arrives_and_is_read(
        self, place: Place, inbox: Inbox
    ) -> None:
        invoice = await _paid(place)
        assert await place.the_fake.webhooks.deliver() == 2
        assert inbox.types == ["invoice.finalized", "invoice.paid"]
        for payload, signature in inbox.got:
            event = place.gateway.read_webhook(payload, signature)
            assert (event.object_type, event.object_id) == ("invoice", invoice)
            assert await place.gateway.get_event(event.id) == event
        assert await place.the_fake.webhooks.deliver() == 0
        assert place.the_fake.webhooks.waiting == 0

    async def test_an_event_shows_what_was_then(self, place: Place, inbox: Inbox) -> None:
        await _paid(place)
        await place.the_fake.webhooks.deliver()
        statuses = [json.loads(payload)["data"]["object"]["status"] for payload, _ in inbox.got]
        assert statuses == ["open", "paid"]

    async def test_what_is_held_back_arrives_later(self, place: Place, inbox: Inbox) -> None:
        place.the_fake.control.mischief(Mischief(held=True))
        await _paid(place)
        assert await place.the_fake.webhooks.deliver() == 0
        assert inbox.got == []
        place.the_fake.control.mischief(Mischief())
        assert await place.the_fake.webhooks.deliver() == 2

    async def test_every_event_may_come_twice(self, place: Place, inbox: Inbox) -> None:
        place.the_fake.control.mischief(Mischief(doubled_percent=100))
        await _paid(place)
        await place.the_fake.webhooks.deliver()
        assert len(inbox.ids) == 4
        assert len(set(inbox.ids)) == 2

    async def test_disorder_is_the_seeds(self, inbox: Inbox) -> None:
        async def order(seed: str) -> list[str]:
            got = Inbox()
            fake = fake_stripe(seed=seed, endpoint=Endpoint(got, SECRET))
            async with in_process(fake) as place:
                place.the_fake.control.mischief(Mischief(shuffled=True, doubled_percent=50))
                await _paid(place)
                await _paid(place)
                await place.the_fake.webhooks.deliver()
            return got.types

        orders = {tuple(await order(f"seed {n}")) for n in range(6)}
        assert len(orders) > 1
        assert await order("seed 1") == await order("seed 1")
        assert inbox.got == []

    async def test_a_delay_is_by_the_accounts_clock(self, place: Place, inbox: Inbox) -> None:
        place.the_fake.control.mischief(Mischief(delay_s=600))
        await _paid(place)
        assert await place.the_fake.webhooks.deliver() == 0
        place.the_fake.control.advance(601)
        assert await place.the_fake.webhooks.deliver() == 2
        assert len(inbox.got) == 2

    async def test_what_is_not_accepted_is_sent_again_for_three_days(
        self, place: Place, inbox: Inbox
    ) -> None:
        inbox.status = 503
        await _paid(place)
        assert await place.the_fake.webhooks.deliver() == 0
        assert await place.the_fake.webhooks.deliver(at_once=True) == 0
        assert (len(inbox.got), place.the_fake.webhooks.waiting) == (4, 2)
        inbox.status = 200
        assert await place.the_fake.webhooks.deliver(at_once=True) == 2
        inbox.status = 500
        await _paid(place)
        place.the_fake.control.advance(3 * 86_400)
        await place.the_fake.webhooks.deliver()
        assert place.the_fake.webhooks.waiting == 0

    async def test_without_an_endpoint_nothing_waits(self) -> None:
        async with in_process() as place:
            await _paid(place)
            assert place.the_fake.webhooks.waiting == 0

    async def test_an_endpoint_that_is_away_has_accepted_nothing(self) -> None:
        def away(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("away", request=request)

        async with httpx.AsyncClient(transport=httpx.MockTransport(away)) as client:
            assert await poster(client, "http://isv.example")(b"{}", "t=1") == 0


class TestReading:
    @pytest.mark.parametrize(
        ("skew", "code"), [(0, None), (299, None), (400, "in-the-future"), (-400, "too-old")]
    )
    async def test_the_time_of_the_signature_counts_both_ways(
        self, place: Place, inbox: Inbox, skew: int, code: str | None
    ) -> None:
        place.the_fake.control.mischief(Mischief(skew_s=skew))
        await _paid(place)
        await place.the_fake.webhooks.deliver()
        payload, signature = inbox.got[0]
        if code is None:
            assert place.gateway.read_webhook(payload, signature).id == inbox.ids[0]
            return
        with pytest.raises(BadSignature) as refused:
            place.gateway.read_webhook(payload, signature)
        assert refused.value.code == code

    async def test_a_captured_webhook_is_worth_nothing_later(
        self, place: Place, inbox: Inbox
    ) -> None:
        await _paid(place)
        await place.the_fake.webhooks.deliver()
        late = StripeGateway(settings(), clock=lambda: system_now() + timedelta(minutes=6))
        with pytest.raises(BadSignature):
            late.read_webhook(*inbox.got[0])
        await late.close()

    async def test_the_accounts_clock_does_not_age_signatures(
        self, place: Place, inbox: Inbox
    ) -> None:
        place.the_fake.control.advance(90 * 86_400)
        await _paid(place)
        await place.the_fake.webhooks.deliver()
        event = place.gateway.read_webhook(*inbox.got[0])
        assert event.created_at > datetime.now(UTC) + timedelta(days=89)

    @pytest.mark.parametrize(
        "change",
        [
            lambda payload: payload + b" ",
            lambda payload: payload.replace(b'"paid"', b'"open"'),
            lambda _: b"",
            lambda _: b"\xff\xfe",
        ],
        ids=["longer", "another status", "empty", "no text"],
    )
    async def test_a_changed_body_is_refused(
        self, place: Place, inbox: Inbox, change: Callable[[bytes], bytes]
    ) -> None:
        await _paid(place)
        await place.the_fake.webhooks.deliver()
        payload, signature = inbox.got[-1]
        with pytest.raises(BadSignature):
            place.gateway.read_webhook(change(payload), signature)

    async def test_without_a_secret_nothing_is_trusted(self) -> None:
        gateway = StripeGateway(StripeSettings(key=SecretStr("sk_test_a")))
        with pytest.raises(BadSignature, match="no-secret"):
            gateway.read_webhook(b"{}", sign(b"{}", "", int(system_now().timestamp())))
        await gateway.close()

    @pytest.mark.parametrize(
        "payload",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b"\xff",
            b"not json",
            b'{"object": "v2.core.event", "id": "evt_1", "type": "v1.billing.meter"}',
            b'{"object": "event", "id": "evt_1", "type": "a", "created": 1, "livemode": false}',
            b'{"object": "event", "id": "", "type": "a", "created": 1, "livemode": false,%s'
            % THING,
            b"[" * 200_000,
        ],
    )
    async def test_what_is_signed_and_no_event_is_a_bad_event(
        self, place: Place, payload: bytes
    ) -> None:
        signature = sign(payload, SECRET, int(system_now().timestamp()))
        with pytest.raises(BadEvent):
            place.gateway.read_webhook(payload, signature)

    async def test_an_object_without_an_id_is_an_event_all_the_same(self, place: Place) -> None:
        told = b'{"object": "event", "id": "evt_1", "type": "a", "created": 1, "livemode": true,%s'
        payload = told % THING
        signature = sign(payload, SECRET, int(system_now().timestamp()))
        event = place.gateway.read_webhook(payload, signature)
        assert (event.object_type, event.object_id, event.live) == ("thing", None, True)
