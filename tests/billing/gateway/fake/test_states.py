"""What the fake does that no sandbox can be told to: money, time and restarts."""

import json
from pathlib import Path

import pytest

from flatbed.billing.gateway.errors import GatewayMissing, GatewayRefused
from flatbed.billing.gateway.fake.app import KEY
from flatbed.billing.gateway.fake.refusals import ApiError
from flatbed.billing.gateway.fake.setups import DECLINED
from flatbed.billing.gateway.fake.store import StateFileError, Store
from flatbed.billing.gateway.views import Json
from tests.billing.gateway.house import (
    Place,
    a_customer,
    a_draft,
    an_open,
    fake_stripe,
    fresh,
    in_process,
    line,
)

AUTOMATIC: dict[str, Json] = {
    "collection_method": "charge_automatically",
    "days_until_due": None,
}


async def _payer(place: Place, method: str) -> str:
    """A customer whose default is a payment method."""
    customer = (await a_customer(place)).id
    form = {"customer": customer}
    attached = await place.ask("POST", f"/v1/payment_methods/{method}/attach", form)
    await place.gateway.set_default_payment_method(customer, attached.json()["id"], fresh())
    return customer


async def _types(place: Place, given: str) -> list[str]:
    """Events of an object, oldest first."""
    listed = [event async for event in place.gateway.list_events()]
    return [event.type for event in reversed(listed) if event.object_id == given]


class TestPayment:
    async def test_advancing_by_itself_charges_the_default_method(self, place: Place) -> None:
        customer = await _payer(place, "pm_card_visa")
        draft = await a_draft(place, line("a", 10_000), customer=customer, **AUTOMATIC)
        done = await place.gateway.finalize_invoice(draft.id, {"auto_advance": True}, fresh())
        assert (done.status, done.amount_paid, done.attempted) == ("paid", 10_000, True)

    async def test_a_declined_card_leaves_it_open_and_is_told(self, place: Place) -> None:
        customer = await _payer(place, DECLINED)
        draft = await a_draft(place, line("a", 10_000), customer=customer, **AUTOMATIC)
        done = await place.gateway.finalize_invoice(draft.id, {"auto_advance": True}, fresh())
        assert (done.status, done.amount_paid, done.attempted) == ("open", 0, True)
        assert await _types(place, draft.id) == ["invoice.finalized", "invoice.payment_failed"]
        answer = await place.ask("POST", f"/v1/invoices/{draft.id}/pay")
        assert (answer.status_code, answer.json()["error"]["code"]) == (402, "card_declined")
        held = await place.gateway.get_invoice(draft.id)
        assert held.status == "open"
        assert (await _types(place, draft.id)).count("invoice.payment_failed") == 2

    async def test_without_a_method_it_stays_open(self, place: Place) -> None:
        draft = await a_draft(place, line("a", 10_000), **AUTOMATIC)
        done = await place.gateway.finalize_invoice(draft.id, {"auto_advance": True}, fresh())
        assert done.status == "open"
        assert "invoice.payment_failed" in await _types(place, draft.id)

    async def test_an_invoice_that_is_sent_is_never_charged(self, place: Place) -> None:
        customer = await _payer(place, "pm_card_visa")
        draft = await a_draft(place, line("a", 10_000), customer=customer)
        done = await place.gateway.finalize_invoice(draft.id, {"auto_advance": True}, fresh())
        assert done.status == "open"

    async def test_a_payment_leads_back_to_its_invoice(self, place: Place) -> None:
        invoice = (await an_open(place)).id
        place.the_fake.control.pay(invoice)
        refund = place.the_fake.control.refund(invoice, 900)
        view = await place.gateway.get_refund(refund["id"])
        assert (view.amount, view.currency, view.status) == (900, "EUR", "succeeded")
        assert view.payment is not None
        assert await place.gateway.invoices_of_payment(view.payment) == (invoice,)
        assert await place.gateway.invoices_of_payment("pi_other") == ()
        with pytest.raises(ApiError):
            place.the_fake.control.refund(invoice, 11_001)

    async def test_a_credit_note_refunds_what_was_paid(self, place: Place) -> None:
        invoice = (await an_open(place)).id
        place.the_fake.control.pay(invoice)
        body: dict[str, Json] = {"invoice": invoice, "amount": 1_190, "refund_amount": 1_190}
        note = await place.gateway.create_credit_note(body, fresh())
        assert note.post_payment_amount == 1_190
        (refund,) = place.the_fake.store.oldest_first("refund")
        assert refund["amount"] == 1_190
        body = {"invoice": invoice, "amount": 10_711, "refund_amount": 10_711}
        with pytest.raises(GatewayRefused):
            await place.gateway.create_credit_note(body, fresh())

    async def test_what_was_paid_by_transfer_cannot_be_refunded(self, place: Place) -> None:
        invoice = (await an_open(place)).id
        place.the_fake.control.pay(invoice, out_of_band=True)
        body: dict[str, Json] = {"invoice": invoice, "amount": 100, "refund_amount": 100}
        with pytest.raises(GatewayRefused):
            await place.gateway.create_credit_note(body, fresh())
        assert place.the_fake.store.count("credit_note") == 0

    async def test_a_dispute_opens_and_closes(self, place: Place) -> None:
        invoice = (await an_open(place)).id
        place.the_fake.control.pay(invoice)
        made = place.the_fake.control.dispute(invoice)
        held = await place.gateway.get_dispute(made["id"])
        assert (held.status, held.amount) == ("needs_response", 11_900)
        assert held.payment is not None
        assert await place.gateway.invoices_of_payment(held.payment) == (invoice,)
        place.the_fake.control.close_dispute(made["id"], "lost")
        assert (await place.gateway.get_dispute(made["id"])).status == "lost"
        assert await _types(place, made["id"]) == [
            "charge.dispute.created",
            "charge.dispute.funds_withdrawn",
            "charge.dispute.closed",
        ]
        with pytest.raises(ApiError):
            place.the_fake.control.close_dispute(made["id"], "won")

    async def test_credit_of_one_currency_pays_nothing_in_another(self, place: Place) -> None:
        opened = await an_open(place)
        place.the_fake.control.pay(opened.id, out_of_band=True)
        body: dict[str, Json] = {"invoice": opened.id, "amount": 1_000, "credit_amount": 1_000}
        await place.gateway.create_credit_note(body, fresh())
        yen = await an_open(place, customer=opened.customer, currency="jpy")
        assert (yen.total, yen.amount_due) == (11_900, 11_900)
        euro = await an_open(place, customer=opened.customer)
        assert (euro.total, euro.amount_due) == (11_900, 10_900)

    async def test_a_void_invoice_gives_a_used_balance_back(self, place: Place) -> None:
        opened = await an_open(place)
        place.the_fake.control.pay(opened.id, out_of_band=True)
        body: dict[str, Json] = {"invoice": opened.id, "amount": 1_000, "credit_amount": 1_000}
        await place.gateway.create_credit_note(body, fresh())
        following = await an_open(place, customer=opened.customer)
        assert following.amount_due == 10_900
        await place.gateway.void_invoice(following.id, fresh())
        third = await an_open(place, customer=opened.customer)
        assert third.amount_due == 10_900


class TestTime:
    async def test_an_invoice_is_overdue_once(self, place: Place) -> None:
        invoice = (await an_open(place)).id
        place.the_fake.control.advance(14 * 86_400 - 10)
        assert "invoice.overdue" not in await _types(place, invoice)
        place.the_fake.control.advance(20)
        place.the_fake.control.advance(86_400)
        assert (await _types(place, invoice)).count("invoice.overdue") == 1
        assert (await place.gateway.get_invoice(invoice)).status == "open"

    async def test_a_paid_one_never_is(self, place: Place) -> None:
        invoice = (await an_open(place)).id
        place.the_fake.control.pay(invoice)
        place.the_fake.control.advance(20 * 86_400)
        assert "invoice.overdue" not in await _types(place, invoice)

    async def test_a_draft_that_advances_is_finalized_after_an_hour(self, place: Place) -> None:
        left = await a_draft(place, line("a", 100), auto_advance=True)
        kept = await a_draft(place, line("a", 100))
        place.the_fake.control.advance(3_599)
        assert (await place.gateway.get_invoice(left.id)).status == "draft"
        place.the_fake.control.advance(1)
        assert (await place.gateway.get_invoice(left.id)).status == "open"
        assert (await place.gateway.get_invoice(kept.id)).status == "draft"

    async def test_an_empty_one_fails_and_stays(self, place: Place) -> None:
        left = await a_draft(place, auto_advance=True)
        place.the_fake.control.advance(3_600)
        place.the_fake.control.advance(3_600)
        assert (await place.gateway.get_invoice(left.id)).status == "draft"
        assert (await _types(place, left.id)).count("invoice.finalization_failed") == 1

    async def test_a_checkout_page_expires(self, place: Place) -> None:
        made = await place.gateway.create_setup(
            {"currency": "eur", "success_url": "https://isv.example"}, fresh()
        )
        place.the_fake.control.advance(86_400)
        held = await place.gateway.get_setup(made.id)
        assert (held.status, held.url) == ("expired", None)
        with pytest.raises(ApiError):
            place.the_fake.control.complete_setup(made.id)

    async def test_events_are_kept_for_30_days(self, place: Place) -> None:
        invoice = (await an_open(place)).id
        place.the_fake.control.advance(30 * 86_400 + 1)
        assert await _types(place, invoice) == ["invoice.overdue"]


class TestStateFile:
    async def test_a_restarted_fake_knows_what_it_knew(self, tmp_path: Path) -> None:
        file, left, key = tmp_path / "stripe.jsonl", tmp_path / "left.jsonl", fresh()
        async with in_process(fake_stripe(state=file)) as place:
            opened = await an_open(place)
            note = await place.gateway.create_credit_note(
                {"invoice": opened.id, "amount": 500}, key
            )
            place.the_fake.control.advance(3_600)
            now = place.the_fake.account.now()
            # What a process that is killed now leaves behind.
            left.write_bytes(file.read_bytes())
        async with in_process(fake_stripe(state=left, seed="another")) as place:
            assert await place.gateway.get_credit_note(note.id) == note
            again = await place.gateway.create_credit_note(
                {"invoice": opened.id, "amount": 500}, key
            )
            assert again == note
            assert place.the_fake.account.now() >= now
            assert len([one async for one in place.gateway.list_lines(opened.id)]) == 1
            held = {one["id"] for one in place.the_fake.store.oldest_first("customer")}
            assert (await a_customer(place)).id not in held
            assert await _types(place, opened.id) == ["invoice.finalized"]

    async def test_a_torn_line_is_dropped(self, tmp_path: Path) -> None:
        file = tmp_path / "stripe.jsonl"
        async with in_process(fake_stripe(state=file)) as place:
            customer = (await a_customer(place)).id
        with file.open("a", encoding="utf-8") as journal:
            journal.write('[["customer", "cus_torn", {"id": "cus_')
        async with in_process(fake_stripe(state=file)) as place:
            assert (await place.gateway.get_customer(customer)).id == customer
            with pytest.raises(GatewayMissing):
                await place.gateway.get_customer("cus_torn")
            await a_customer(place)
        async with in_process(fake_stripe(state=file)) as place:
            assert place.the_fake.store.count("customer") == 2

    async def test_a_deletion_is_remembered(self, tmp_path: Path) -> None:
        file = tmp_path / "stripe.jsonl"
        async with in_process(fake_stripe(state=file)) as place:
            draft = await a_draft(place, line("a", 100))
            await place.gateway.delete_draft(draft.id)
        async with in_process(fake_stripe(state=file)) as place:
            with pytest.raises(GatewayMissing):
                await place.gateway.get_invoice(draft.id)

    def test_another_file_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "notes.txt"
        file.write_text("buy milk\n", encoding="utf-8")
        with pytest.raises(StateFileError, match="no line of a state file"):
            Store(file)
        assert file.read_text(encoding="utf-8") == "buy milk\n"
        with pytest.raises(StateFileError, match="cannot use"):
            Store(tmp_path / "none" / "stripe.jsonl")

    async def test_a_refused_request_leaves_nothing_behind(self, tmp_path: Path) -> None:
        file = tmp_path / "stripe.jsonl"
        async with in_process(fake_stripe(state=file)) as place:
            draft = await a_draft(place)
            size = len(file.read_text(encoding="utf-8").splitlines())
            bad = [line("a", 100), {**line("b", 100), "metadata": {"k": "v" * 501}}]
            with pytest.raises(GatewayRefused):
                await place.gateway.add_lines(draft.id, {"lines": bad}, fresh())
            assert [one async for one in place.gateway.list_lines(draft.id)] == []
            kinds = {
                kind
                for text in file.read_text(encoding="utf-8").splitlines()[size:]
                for kind, _, _ in json.loads(text)
            }
            assert not any(kind.startswith("line_item") for kind in kinds)


class TestControl:
    async def test_the_verbs_are_served_to_who_has_the_key(self, place: Place) -> None:
        opened = await an_open(place)
        url = "/_fake/pay"
        done = await place.raw.post(url, json={"invoice": opened.id})
        assert (done.status_code, done.json()["status"]) == (200, "paid")
        assert (await place.raw.post(url, json={"invoice": opened.id})).status_code == 400
        assert (await place.raw.post(url, json={"nonsense": 1})).status_code == 400
        assert (await place.raw.post("/_fake/nonsense", json={})).status_code == 404
        refused = await place.raw.post(url, json={}, headers={"Authorization": f"Bearer {KEY}x"})
        assert refused.status_code == 401

    async def test_faults_and_mischief_are_planned_and_status_is_told(self, place: Place) -> None:
        fault = {"kind": "limited", "times": 2, "path": "/v1/customers"}
        assert (await place.raw.post("/_fake/fault", json=fault)).status_code == 200
        bad = await place.raw.post("/_fake/fault", json={"kind": "flood"})
        assert bad.status_code == 400
        limited = await place.ask("POST", "/v1/customers", {"name": "A"})
        assert (limited.status_code, limited.headers["Retry-After"]) == (429, "1")
        await place.raw.post("/_fake/mischief", json={"shuffled": True})
        assert place.the_fake.webhooks.mischief.shuffled
        status = (await place.raw.post("/_fake/status", json={})).json()
        assert (status["faults_met"], status["findings"]) == (1, [])
        await place.raw.post("/_fake/clear_faults", json={})
        assert (await place.ask("POST", "/v1/customers", {"name": "A"})).status_code == 200

    async def test_a_customer_fills_in_the_page(self, place: Place) -> None:
        body: dict[str, Json] = {
            "currency": "eur",
            "success_url": "https://isv.example/done?session={CHECKOUT_SESSION_ID}",
            "customer": (await a_customer(place)).id,
        }
        made = await place.gateway.create_setup(body, fresh())
        assert made.url is not None
        assert "button" in (await place.raw.get(made.url)).text
        done = await place.raw.post(made.url)
        assert done.status_code == 303
        assert done.headers["Location"] == f"https://isv.example/done?session={made.id}"
        assert (await place.gateway.get_setup(made.id)).payment_method is not None
        assert (await place.raw.post(made.url)).status_code == 400

    async def test_an_invoice_is_paid_on_its_page(self, place: Place) -> None:
        opened = await an_open(place)
        assert opened.hosted_url is not None
        assert str(opened.total) in (await place.raw.get(opened.hosted_url)).text
        assert (await place.raw.post(opened.hosted_url)).status_code == 303
        assert (await place.gateway.get_invoice(opened.id)).status == "paid"
        assert (await place.raw.get("/nowhere")).status_code == 404
