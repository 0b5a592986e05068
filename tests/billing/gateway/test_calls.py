"""What the library does not do by itself, and what our errors never hold."""

import asyncio
import json
import logging
from collections.abc import Iterator

import httpx
import pytest
import stripe

from flatbed.billing.gateway.calls import Calls, _Http
from flatbed.billing.gateway.client import StripeGateway, connect
from flatbed.billing.gateway.errors import (
    GatewayConflict,
    GatewayDenied,
    GatewayError,
    GatewayMissing,
    GatewayRefused,
    GatewayUnavailable,
)
from flatbed.billing.gateway.fake.app import KEY
from flatbed.billing.gateway.fake.faults import Fault, FaultKind
from flatbed.billing.gateway.fake.forms import decode
from flatbed.billing.gateway.fake.transport import InProcess
from flatbed.billing.gateway.fake.validation import stripe_document
from flatbed.billing.gateway.rules.breaker import State
from flatbed.billing.gateway.settings import StripeSettings
from flatbed.billing.gateway.views import Body
from tests.billing.gateway.house import (
    IN_PROCESS,
    Place,
    Time,
    a_customer,
    a_draft,
    draft_body,
    fresh,
    in_process,
    line,
    settings,
)


def _state(place: Place) -> State:
    return place.gateway.calls.breaker.state


def _library(place: Place, retries: int | None = None) -> stripe.StripeClient:
    """The library as one would make it without knowing its traps."""
    http = _Http(settings(), place.time.machinery, InProcess(place.the_fake))
    return stripe.StripeClient(
        KEY, base_addresses={"api": IN_PROCESS}, http_client=http, max_network_retries=retries
    )


class TestTraps:
    async def test_the_library_retries_nothing_by_itself_and_we_do(self, place: Place) -> None:
        place.the_fake.control.fault(Fault(FaultKind.DROP_BEFORE, times=2))
        with pytest.raises(stripe.APIConnectionError):
            await _library(place).v1.customers.create_async({"name": "A"})
        assert len(place.the_fake.api.requests) == 1
        await place.gateway.create_customer({"name": "A"}, "k1")
        assert [request.key for request in place.the_fake.api.requests][1:] == ["k1", "k1"]

    async def test_the_library_takes_429_for_an_answer_and_we_wait(self, place: Place) -> None:
        library = _library(place, retries=2)
        place.the_fake.control.fault(Fault(FaultKind.LIMITED, times=2))
        with pytest.raises(stripe.RateLimitError):
            await library.v1.customers.create_async({"name": "A"})
        assert len(place.the_fake.api.requests) == 1
        await place.gateway.create_customer({"name": "A"}, "k1")
        assert [request.key for request in place.the_fake.api.requests][1:] == ["k1", "k1"]

    async def test_the_librarys_objects_are_no_dicts_and_our_answers_are(
        self, place: Place
    ) -> None:
        made = await _library(place).v1.customers.create_async({"name": "A"})
        assert not isinstance(made, dict)
        answer = await place.gateway.calls.call("get", f"/v1/customers/{made.id}")
        assert isinstance(answer, dict)
        assert isinstance(answer["metadata"], dict)

    async def test_an_event_is_asked_for_without_a_query(self, place: Place) -> None:
        await a_customer(place)
        (event,) = [e async for e in place.gateway.list_events(types=("customer.created",))]
        await place.gateway.get_event(event.id)
        assert place.the_fake.api.requests[-1].query == ""
        assert place.the_fake.api.findings == []

    async def test_the_version_is_the_documents_and_not_the_librarys(self, place: Place) -> None:
        await a_customer(place)
        (sent,) = {r.headers["stripe-version"] for r in place.the_fake.api.requests}
        assert sent == settings().api_version == stripe_document().version

    async def test_nothing_about_this_machine_is_sent(self, place: Place) -> None:
        await a_customer(place)
        await a_customer(place)
        for request in place.the_fake.api.requests:
            told = json.loads(request.headers["x-stripe-client-user-agent"])
            assert not told.keys() & {"platform", "telemetry_id", "uname"}
            assert "x-stripe-client-telemetry" not in request.headers

    async def test_a_mistake_of_ours_is_no_network_error(self, place: Place) -> None:
        class Broken(httpx.AsyncBaseTransport):
            calls = 0

            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                del request
                self.calls += 1
                raise ZeroDivisionError

        broken = Broken()
        gateway = StripeGateway(settings(), broken, place.time.machinery)
        with pytest.raises(ZeroDivisionError):
            await gateway.get_customer("cus_1")
        assert broken.calls == 1
        await gateway.close()

    async def test_a_frozen_body_is_sent_exactly_so(self, place: Place) -> None:
        draft = await a_draft(place)
        body: Body = {"lines": [line("use_1", 10_000, 1_900, "19.0")]}
        await place.gateway.add_lines(draft.id, body, "frozen")
        (sent,) = [r for r in place.the_fake.api.requests if r.key == "frozen"]
        assert decode(sent.body) == {
            "lines": {
                "0": {
                    "amount": "10000",
                    "description": "Qualified partner use_1",
                    "metadata": {"entry_id": "use_1"},
                    "tax_amounts": {
                        "0": {
                            "amount": "1900",
                            "taxable_amount": "10000",
                            "taxability_reason": "standard_rated",
                            "tax_rate_data": {
                                "display_name": "USt.",
                                "inclusive": "false",
                                "percentage": "19.0",
                            },
                        }
                    },
                }
            }
        }


class TestLimits:
    async def test_after_the_last_try_it_is_unavailable_and_not_in_doubt(
        self, place: Place
    ) -> None:
        place.the_fake.control.fault(Fault(FaultKind.LIMITED, times=9))
        with pytest.raises(GatewayUnavailable) as limited:
            await place.gateway.create_customer({"name": "A"}, fresh())
        assert (limited.value.code, limited.value.in_doubt) == ("rate_limit", False)
        assert limited.value.retry_after_s == 1
        assert len(place.the_fake.api.requests) == 4
        assert place.the_fake.store.count("customer") == 0

    async def test_a_long_wait_is_handed_on(self, place: Place) -> None:
        place.the_fake.control.fault(Fault(FaultKind.LIMITED, seconds=60))
        with pytest.raises(GatewayUnavailable) as limited:
            await place.gateway.create_customer({"name": "A"}, fresh())
        assert limited.value.retry_after_s == 60
        assert place.time.slept == []

    async def test_without_the_header_the_waits_double(self, place: Place) -> None:
        place.the_fake.control.fault(Fault(FaultKind.LIMITED, times=3, seconds=None))
        await place.gateway.create_customer({"name": "A"}, fresh())
        assert place.time.slept == [250, 500, 1_000]


class TestCircuit:
    async def test_it_opens_refuses_and_closes_by_a_trial(self) -> None:
        async with in_process(retries=0) as place:
            place.the_fake.control.fault(Fault(FaultKind.DROP_BEFORE, times=6))
            for _ in range(5):
                with pytest.raises(GatewayUnavailable):
                    await place.gateway.get_customer("cus_1")
            assert _state(place) is State.OPEN
            with pytest.raises(GatewayUnavailable) as refused:
                await place.gateway.get_customer("cus_1")
            assert (refused.value.code, refused.value.in_doubt) == ("circuit-open", False)
            assert refused.value.retry_after_s == 30
            assert len(place.the_fake.api.requests) == 5
            place.time.ms += 30_000
            with pytest.raises(GatewayUnavailable):
                await place.gateway.get_customer("cus_1")
            assert _state(place) is State.OPEN
            place.time.ms += 30_000
            with pytest.raises(GatewayMissing):
                await place.gateway.get_customer("cus_1")
            assert _state(place) is State.CLOSED

    async def test_a_failure_stored_under_a_key_opens_nothing(self) -> None:
        async with in_process(retries=0) as place:
            place.the_fake.control.fault(Fault(FaultKind.ERROR_BEFORE))
            for _ in range(20):
                with pytest.raises(GatewayUnavailable):
                    await place.gateway.create_customer({"name": "A"}, "poisoned")
            assert _state(place) is State.CLOSED

    async def test_a_refusal_opens_nothing(self, place: Place) -> None:
        for _ in range(20):
            with pytest.raises(GatewayMissing):
                await place.gateway.get_customer("cus_1")
        assert _state(place) is State.CLOSED

    async def test_a_cancelled_trial_may_be_made_again(self) -> None:
        async with in_process(retries=0) as place:
            place.the_fake.control.fault(Fault(FaultKind.DROP_BEFORE, times=5))
            for _ in range(5):
                with pytest.raises(GatewayUnavailable):
                    await place.gateway.get_customer("cus_1")
            place.time.ms += 30_000
            place.the_fake.control.fault(Fault(FaultKind.DELAY, delay_ms=10_000))
            trial = asyncio.create_task(place.gateway.get_customer("cus_1"))
            await asyncio.sleep(0.02)
            with pytest.raises(GatewayUnavailable, match="circuit-open"):
                await place.gateway.get_customer("cus_1")
            trial.cancel()
            with pytest.raises(asyncio.CancelledError):
                await trial
            with pytest.raises(GatewayMissing):
                await place.gateway.get_customer("cus_1")


class Scripted(httpx.AsyncBaseTransport):
    """Answers with what it is given."""

    def __init__(self, status: int, content: bytes, **headers: str) -> None:
        self._answer = (status, content, headers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        status, content, headers = self._answer
        return httpx.Response(status, content=content, headers=headers, request=request)


def _error(kind: str, **more: str) -> bytes:
    message = f"Invalid API Key provided: {KEY}, for jane@isv.example"
    return json.dumps({"error": {"type": kind, "message": message, **more}}).encode()


INVALID = "invalid_request_error"
ANSWERS = {
    "refused": (
        400,
        _error(INVALID, code="parameter_unknown", param="lines[0][x]"),
        GatewayRefused,
    ),
    "missing parameter": (
        400,
        _error(INVALID, code="resource_missing", param="customer"),
        GatewayRefused,
    ),
    "missing": (404, _error(INVALID, code="resource_missing", param="id"), GatewayMissing),
    "wrong key": (401, _error(INVALID), GatewayDenied),
    "no right": (403, _error(INVALID), GatewayDenied),
    "declined": (402, _error("card_error", code="card_declined"), GatewayRefused),
    "other body": (400, _error("idempotency_error"), GatewayConflict),
    "in use": (409, _error(INVALID, code="idempotency_key_in_use"), GatewayConflict),
    "limited": (429, _error(INVALID, code="rate_limit"), GatewayUnavailable),
    "broken": (500, _error("api_error"), GatewayUnavailable),
    "away": (503, b"<html>away</html>", GatewayUnavailable),
    "elsewhere": (302, b"", GatewayUnavailable),
    "no JSON": (200, b"<html>hello</html>", GatewayUnavailable),
    "a list": (200, b"[]", GatewayUnavailable),
    "another object": (200, b'{"id": "cus_1", "livemode": "no"}', GatewayUnavailable),
    "hostile code": (400, _error(INVALID, code=KEY, param="a b <script>"), GatewayRefused),
}


def _chain(error: BaseException) -> Iterator[BaseException]:
    yield error
    for below in (error.__cause__, error.__context__):
        if below is not None:
            yield from _chain(below)


class TestErrors:
    @pytest.mark.parametrize("name", ANSWERS)
    async def test_each_answer_is_one_of_ours_and_holds_no_text(
        self, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        status, content, kind = ANSWERS[name]
        caplog.set_level(logging.DEBUG)
        headers = {"Request-Id": "req_abc123"}
        transport = Scripted(status, content, **headers)
        gateway = StripeGateway(settings(), transport, Time().machinery)
        with pytest.raises(GatewayError) as caught:
            await gateway.get_customer("cus_1")
        assert type(caught.value) is kind
        for error in _chain(caught.value):
            told = f"{error!r} {error} {error.args} {vars(error)}"
            assert KEY not in told
            assert "jane" not in told
            assert not isinstance(error, stripe.StripeError | httpx.HTTPError)
        assert KEY not in caplog.text
        await gateway.close()

    async def test_a_refusal_says_code_parameter_and_request(self) -> None:
        status, content, _ = ANSWERS["refused"]
        gateway = StripeGateway(
            settings(), Scripted(status, content, **{"Request-Id": "req_abc123"})
        )
        with pytest.raises(GatewayRefused) as caught:
            await gateway.get_customer("cus_1")
        assert (caught.value.code, caught.value.status) == ("parameter_unknown", 400)
        assert caught.value.param == "lines[0][x]"
        assert caught.value.request_ref == "req_abc123"
        assert str(caught.value) == "refused: parameter_unknown"
        await gateway.close()

    async def test_the_key_is_in_no_repr(self, place: Place) -> None:
        told = f"{place.gateway!r} {place.gateway.calls!r} {settings()!r}"
        assert KEY not in told
        assert "test" in repr(place.gateway)

    async def test_a_network_error_keeps_no_request(self, place: Place) -> None:
        place.the_fake.control.fault(Fault(FaultKind.DROP_BEFORE, times=9))
        with pytest.raises(GatewayUnavailable) as caught:
            await place.gateway.create_customer({"name": "A"}, fresh())
        assert list(_chain(caught.value)) == [caught.value]

    async def test_pages_that_promise_more_and_hold_nothing_end(self) -> None:
        page = b'{"object": "list", "data": [], "has_more": true, "url": "/v1/invoices"}'
        gateway = StripeGateway(settings(), Scripted(200, page))
        with pytest.raises(GatewayUnavailable, match="unreadable"):
            assert [i async for i in gateway.list_invoices("cus_1")]
        await gateway.close()

    async def test_a_wrong_key_is_denied_by_the_fake_too(self, place: Place) -> None:
        gateway = StripeGateway(settings(key="sk_test_other"), InProcess(place.the_fake))
        with pytest.raises(GatewayDenied):
            await gateway.create_invoice(draft_body("cus_1"), fresh())
        await gateway.close()


class TestConnect:
    async def test_without_a_key_there_is_no_gateway(self) -> None:
        assert connect(StripeSettings()) is None
        with pytest.raises(ValueError, match="no key"):
            Calls(StripeSettings())

    async def test_with_a_key_there_is_one(self) -> None:
        gateway = connect(settings())
        assert gateway is not None
        await gateway.close()
