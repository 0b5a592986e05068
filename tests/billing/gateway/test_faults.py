"""Each fault against each write: either nothing happened or all, and it can be mended."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from flatbed.billing.gateway.errors import (
    GatewayConflict,
    GatewayMissing,
    GatewayUnavailable,
)
from flatbed.billing.gateway.fake.faults import Fault, FaultKind
from flatbed.billing.gateway.views import Body
from tests.billing.gateway.house import (
    Place,
    a_customer,
    a_draft,
    an_open,
    draft_body,
    fresh,
    in_process,
    line,
    on_a_port,
)

State = Any


@dataclass(frozen=True)
class Write:
    """A write with the state that it needs and the state that shows whether it was done."""

    method: str
    path: str
    prepare: Callable[[Place], Awaitable[str]]
    act: Callable[[Place, str, str], Awaitable[Any]]
    state: Callable[[Place, str], Awaitable[State]]


async def _customer(place: Place) -> str:
    return (await a_customer(place)).id


async def _draft(place: Place) -> str:
    return (await a_draft(place, line("use_1", 10_000, 1_900))).id


async def _open(place: Place) -> str:
    return (await an_open(place)).id


async def _taxed(place: Place) -> str:
    customer = await _customer(place)
    await place.gateway.create_tax_id(customer, "eu_vat", "DE1", fresh())
    return customer


async def _set_up(place: Place) -> str:
    customer = await _customer(place)
    await place.ask("POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": customer})
    return customer


async def _invoice_state(place: Place, invoice: str) -> State:
    try:
        held = await place.gateway.get_invoice(invoice)
    except GatewayMissing:
        return "gone"
    notes = [note.total async for note in place.gateway.list_credit_notes(invoice)]
    return held.status, held.subtotal, held.amount_due, notes


async def _customer_state(place: Place, customer: str) -> State:
    held = await place.gateway.get_customer(customer)
    tax_ids = [tax_id.value async for tax_id in place.gateway.list_tax_ids(customer)]
    return held.name, tax_ids, held.default_payment_method is not None


async def _invoices(place: Place, customer: str) -> State:
    return len([invoice async for invoice in place.gateway.list_invoices(customer)])


async def _counted(place: Place, kind: str) -> State:
    return place.the_fake.store.count(kind)


async def _method(place: Place, customer: str, key: str) -> Any:
    (held,) = place.the_fake.store.oldest_first("payment_method")
    return await place.gateway.set_default_payment_method(customer, held["id"], key)


async def _delete_tax_id(place: Place, customer: str, key: str) -> Any:
    assert key
    held = place.the_fake.store.keys("tax_id")
    return await place.gateway.delete_tax_id(customer, held[0] if held else "txi_gone")


async def _no_customer(place: Place) -> str:
    assert place.fake
    return "customer"


async def _no_setup(place: Place) -> str:
    assert place.fake
    return "checkout.session"


async def _delete_draft(place: Place, invoice: str, key: str) -> Any:
    assert key
    return await place.gateway.delete_draft(invoice)


SETUP: Body = {"currency": "eur", "success_url": "https://isv.example"}
DRAFT: Body = draft_body("", metadata={"statement_id": "stmt_1"})
WRITES = {
    "create_customer": Write(
        "POST",
        "/v1/customers",
        _no_customer,
        lambda place, _, key: place.gateway.create_customer({"name": "New"}, key),
        _counted,
    ),
    "update_customer": Write(
        "POST",
        "/v1/customers/.*",
        _customer,
        lambda place, of, key: place.gateway.update_customer(of, {"name": "Other"}, key),
        _customer_state,
    ),
    "create_tax_id": Write(
        "POST",
        ".*/tax_ids",
        _customer,
        lambda place, of, key: place.gateway.create_tax_id(of, "eu_vat", "DE1", key),
        _customer_state,
    ),
    "delete_tax_id": Write("DELETE", ".*/tax_ids/.*", _taxed, _delete_tax_id, _customer_state),
    "create_setup": Write(
        "POST",
        "/v1/checkout/sessions",
        _no_setup,
        lambda place, _, key: place.gateway.create_setup(SETUP, key),
        _counted,
    ),
    "set_default_payment_method": Write(
        "POST", "/v1/customers/.*", _set_up, _method, _customer_state
    ),
    "create_invoice": Write(
        "POST",
        "/v1/invoices",
        _customer,
        lambda place, of, key: place.gateway.create_invoice({**DRAFT, "customer": of}, key),
        _invoices,
    ),
    "add_lines": Write(
        "POST",
        ".*/add_lines",
        _draft,
        lambda place, of, key: place.gateway.add_lines(of, {"lines": [line("use_2", 500)]}, key),
        _invoice_state,
    ),
    "finalize_invoice": Write(
        "POST",
        ".*/finalize",
        _draft,
        lambda place, of, key: place.gateway.finalize_invoice(of, {"auto_advance": False}, key),
        _invoice_state,
    ),
    "delete_draft": Write(
        "DELETE",
        "/v1/invoices/.*",
        _draft,
        _delete_draft,
        _invoice_state,
    ),
    "void_invoice": Write(
        "POST",
        ".*/void",
        _open,
        lambda place, of, key: place.gateway.void_invoice(of, key),
        _invoice_state,
    ),
    "mark_uncollectible": Write(
        "POST",
        ".*/mark_uncollectible",
        _open,
        lambda place, of, key: place.gateway.mark_uncollectible(of, key),
        _invoice_state,
    ),
    "create_credit_note": Write(
        "POST",
        "/v1/credit_notes",
        _open,
        lambda place, of, key: place.gateway.create_credit_note(
            {"invoice": of, "amount": 500}, key
        ),
        _invoice_state,
    ),
}


async def _done(write: Write, place: Place, of: str, key: str) -> None:
    """Do it, where a deletion that finds nothing has been done before."""
    try:
        await write.act(place, of, key)
    except GatewayMissing:
        assert write.method == "DELETE"


async def _wanted(write: Write) -> tuple[State, State]:
    """The state before and after, where nothing goes wrong."""
    async with in_process() as clean:
        of = await write.prepare(clean)
        before = await write.state(clean, of)
        await write.act(clean, of, fresh())
        return before, await write.state(clean, of)


ALL = pytest.mark.parametrize("name", WRITES)
DOUBTFUL = (
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.ERROR_BEFORE,
    FaultKind.ERROR_AFTER,
)


def test_every_write_of_the_port_is_here() -> None:
    from flatbed.billing.gateway.port import Gateway  # noqa: PLC0415 - what is counted is its content

    verbs = ("create_", "update_", "delete_", "set_", "add_", "finalize_", "void_", "mark_")
    writes = {name for name in dir(Gateway) if name.startswith(verbs)}
    # A session of the portal changes nothing.
    assert writes - {"create_portal"} == set(WRITES)


class TestEachFault:
    @ALL
    @pytest.mark.parametrize("kind", DOUBTFUL)
    async def test_the_state_is_one_of_two_and_can_be_mended(
        self, name: str, kind: FaultKind
    ) -> None:
        write = WRITES[name]
        before, after = await _wanted(write)
        assert before != after
        async with in_process(retries=0) as place:
            of, key = await write.prepare(place), fresh()
            place.the_fake.control.fault(Fault(kind, method=write.method, path=write.path))
            with pytest.raises(GatewayUnavailable) as lost:
                await write.act(place, of, key)
            assert lost.value.in_doubt
            state = await write.state(place, of)
            took_effect = kind in {FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER}
            assert state == (after if took_effect else before)
            is_stored = kind in {FaultKind.ERROR_BEFORE, FaultKind.ERROR_AFTER}
            if is_stored and write.method == "POST":
                with pytest.raises(GatewayUnavailable) as again:
                    await write.act(place, of, key)
                assert again.value.is_stored
                assert await write.state(place, of) == state
                key = fresh()
            # What was read says whether there is still something to write.
            if not is_stored or state == before:
                await _done(write, place, of, key)
            assert await write.state(place, of) == after
            assert place.the_fake.api.faults.happened == 1
            assert place.the_fake.api.findings == []

    @ALL
    @pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
    async def test_a_lost_connection_is_mended_by_the_call_itself(
        self, name: str, kind: FaultKind
    ) -> None:
        write = WRITES[name]
        _, after = await _wanted(write)
        async with in_process() as place:
            of = await write.prepare(place)
            place.the_fake.control.fault(Fault(kind, 2, method=write.method, path=write.path))
            await _done(write, place, of, fresh())
            assert await write.state(place, of) == after
            assert place.the_fake.api.faults.happened >= 1
            keys = [r.key for r in place.the_fake.api.requests if r.method == "POST"][-2:]
            assert write.method == "DELETE" or keys[0] == keys[1], "a retry bears the same key"

    @ALL
    async def test_a_limited_request_is_sent_again(self, name: str) -> None:
        write = WRITES[name]
        _, after = await _wanted(write)
        async with in_process() as place:
            of = await write.prepare(place)
            place.the_fake.control.fault(Fault(FaultKind.LIMITED, 2, method=write.method))
            await write.act(place, of, fresh())
            assert await write.state(place, of) == after
            assert len(place.time.slept) == 2
            assert min(place.time.slept) >= 1_000

    @ALL
    async def test_a_stored_failure_ends_with_its_key(self, name: str) -> None:
        write = WRITES[name]
        if write.method == "DELETE":
            return
        _, after = await _wanted(write)
        async with in_process(retries=0) as place:
            of, key = await write.prepare(place), fresh()
            place.the_fake.control.fault(Fault(FaultKind.ERROR_BEFORE, path=write.path))
            with pytest.raises(GatewayUnavailable):
                await write.act(place, of, key)
            place.the_fake.control.advance(24 * 3_600)
            await write.act(place, of, key)
            assert await write.state(place, of) == after


class TestPruning:
    async def test_a_key_alone_does_not_hold_for_more_than_a_day(self, place: Place) -> None:
        opened, key = await an_open(place), fresh()
        body: Body = {"invoice": opened.id, "amount": 500}
        await place.gateway.create_credit_note(body, key)
        place.the_fake.control.advance(24 * 3_600 - 1)
        await place.gateway.create_credit_note(body, key)
        assert len([n async for n in place.gateway.list_credit_notes(opened.id)]) == 1
        place.the_fake.control.advance(1)
        await place.gateway.create_credit_note(body, key)
        assert len([n async for n in place.gateway.list_credit_notes(opened.id)]) == 2


class TestDroppedOnAPort:
    @pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
    async def test_the_connection_is_cut_without_an_answer(self, kind: FaultKind) -> None:
        async with on_a_port() as place:
            draft, key = (await a_draft(place)).id, fresh()
            place.the_fake.control.fault(Fault(kind, times=3, path=".*/add_lines"))
            body: Body = {"lines": [line("use_1", 700)]}
            with pytest.raises(GatewayUnavailable) as lost:
                await place.gateway.add_lines(draft, body, key)
            assert (lost.value.code, lost.value.in_doubt) == ("network", True)
            assert place.the_fake.api.faults.happened == 3
            state = (await place.gateway.get_invoice(draft)).subtotal
            assert state == (700 if kind is FaultKind.DROP_AFTER else 0)
            await place.gateway.add_lines(draft, body, key)
            assert (await place.gateway.get_invoice(draft)).subtotal == 700


class TestDelay:
    async def test_the_same_key_at_the_same_time_is_running(self) -> None:
        async with in_process(retries=0) as place:
            customer, key = (await a_customer(place)).id, fresh()
            body = draft_body(customer)
            place.the_fake.control.fault(Fault(FaultKind.DELAY, path="/v1/invoices", delay_ms=100))
            slow = asyncio.create_task(place.gateway.create_invoice(body, key))
            await asyncio.sleep(0.02)
            with pytest.raises(GatewayConflict) as conflict:
                await place.gateway.create_invoice(body, key)
            assert conflict.value.is_running
            made = await slow
            assert await place.gateway.create_invoice(body, key) == made

    async def test_the_whole_call_ends_in_time_and_is_in_doubt(self) -> None:
        async with in_process(total_seconds=1) as place:
            place.the_fake.control.fault(Fault(FaultKind.DELAY, delay_ms=5_000))
            with pytest.raises(GatewayUnavailable) as late:
                await place.gateway.create_customer({"name": "Late"}, fresh())
            assert (late.value.code, late.value.in_doubt) == ("timeout", True)
