"""Periods, statements, invoices and accounts over HTTP, with real tokens."""

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from lxml import etree
from pypdf import PdfReader

from flatbed.billing.facade import Basis, accept_usage
from flatbed.billing.statements.rules.proof import verify_proof
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import decode
from tests.api.support import Isv, World, new_world
from tests.billing.statements.closed import PROFILE, closed_month
from tests.billing.world import CALLER, PRICE
from tests.support.postgres import TestDatabase

GERMAN = {
    "legal_name": "ISV Software AG",
    "address": {"line1": "Am Kai 1", "postal_code": "20457", "city": "Hamburg", "country": "DE"},
    "purchase_order": "4711",
}
ACCOUNT = {
    "legal_name": "ISV Software AG",
    "address": {"line1": "Am Kai 1", "postal_code": "8001", "city": "Zürich", "country": "CH"},
    "email": "invoices@isv.example",
    "tax_ids": [{"type": "ch_vat", "value": "CHE-123.456.789"}],
    "purchase_order": "4711",
    "language": "en",
}


@pytest_asyncio.fixture
async def world(database: TestDatabase) -> AsyncIterator[World]:
    async with new_world(database) as made:
        yield made


@pytest_asyncio.fixture
async def isv(world: World) -> Isv:
    return await world.isv()


class TestStatements:
    async def test_an_isv_reads_its_statement_lines_and_invoice(
        self, world: World, isv: Isv
    ) -> None:
        month = await closed_month(world, isv)
        listed = (await isv.client.read("/v1/statements"))["data"]
        statement = await isv.client.read(f"/v1/statements/{month.statement}")
        assert listed == [statement]
        assert (statement["units"], statement["charges"], statement["held_units"]) == (1, PRICE, 1)
        lines = (await isv.client.read(f"/v1/statements/{month.statement}/lines"))["data"]
        assert [(line["entry_id"], line["amount"]) for line in lines] == [(month.billed, PRICE)]
        invoice = await isv.client.read(f"/v1/invoices/{month.invoice}")
        assert statement["invoices"] == [invoice]
        assert (invoice["number"], invoice["net"], invoice["tax"]) == ("R-000001", PRICE, 85_500)
        assert (await isv.client.read("/v1/invoices"))["data"] == [invoice]
        assert (invoice["issued_on"], invoice["due_on"]) == ("2026-04-06", "2026-04-20")

    async def test_usage_says_what_was_billed(self, world: World, isv: Isv) -> None:
        month = await closed_month(world, isv)
        usage = await isv.client.read("/v1/usage")
        states = {line["entry_id"]: line["state"] for line in usage["data"]}
        assert states == {month.billed: "billed", month.held: "pending"}
        [total] = usage["totals"]
        assert (total["billed"], total["accepted"]) == (
            {"units": 1, "amount": PRICE},
            {"units": 0, "amount": 0},
        )

    async def test_explanation_and_proof_come_over_the_wire(self, world: World, isv: Isv) -> None:
        month = await closed_month(world, isv)
        explained = await isv.client.read(f"/v1/statements/{month.statement}/explain")
        assert explained["matches"]
        answer = await isv.client.get(f"/v1/statements/{month.statement}/proof")
        assert answer.headers["content-disposition"].startswith("attachment")
        assert verify_proof(answer.json()) == []

    async def test_periods_say_when_they_are_closed(self, world: World, isv: Isv) -> None:
        month = await closed_month(world, isv)
        [period] = (await isv.client.read("/v1/periods"))["data"]
        assert (period["id"], period["status"]) == (month.period, "closed")
        assert period["closes_at"] == "2026-04-05T22:00:00Z"

    async def test_another_isvs_statement_and_invoice_are_as_if_missing(
        self, world: World, isv: Isv
    ) -> None:
        month = await closed_month(world, isv)
        other = (await world.isv()).client
        for path in (
            f"/v1/statements/{month.statement}",
            f"/v1/statements/{month.statement}/lines",
            f"/v1/statements/{month.statement}/explain",
            f"/v1/statements/{month.statement}/proof",
            f"/v1/invoices/{month.invoice}",
        ):
            assert (await other.get(path)).status_code == 404
        for path in ("/v1/statements", "/v1/invoices", "/v1/periods"):
            assert (await other.read(path))["data"] == []

    async def test_no_hunter_and_no_lead_sees_money(self, world: World, isv: Isv) -> None:
        for role in ("hunter", "lead", "compliance"):
            staff = (await world.staff(role)).at(isv)
            assert (await staff.get("/v1/statements")).status_code == 403


class TestDocument:
    async def test_an_invoice_is_a_pdf_that_carries_its_data(self, world: World, isv: Isv) -> None:
        await isv.client.patch("/v1/billing-account", GERMAN, version=0)
        month = await closed_month(world, isv)
        path = f"/v1/invoices/{month.invoice}/document"
        pdf = await isv.client.get(path)
        assert pdf.headers["content-type"] == "application/pdf"
        assert pdf.headers["content-disposition"] == 'attachment; filename="R-000001.pdf"'
        reader = PdfReader(io.BytesIO(pdf.content))
        text = "".join(page.extract_text() for page in reader.pages)
        for word in ("R-000001", "4.500,00", "5.355,00", "ISV Software AG", "4711"):
            assert word in text
        xml = await isv.client.get(path, params={"format": "xml"})
        assert xml.content == reader.attachments["factur-x.xml"][0]
        totals = etree.fromstring(xml.content).findall(".//{*}GrandTotalAmount")
        assert [one.text for one in totals] == ["5355.00"]
        other = (await world.isv()).client
        assert (await other.get(path)).status_code == 404

    async def test_where_en_16931_has_no_form_the_pdf_is_still_there(
        self, world: World, isv: Isv
    ) -> None:
        month = await closed_month(world, isv, currency="KWD", unit_price=1_500)
        path = f"/v1/invoices/{month.invoice}/document"
        assert (await isv.client.get(path)).content.startswith(b"%PDF")
        answer = await isv.client.get(path, params={"format": "xml"})
        assert (answer.status_code, answer.json()["code"]) == (409, "no-electronic-invoice")
        assert answer.json()["broken_rules"]


class TestClosePeriod:
    async def test_finance_closes_and_an_isv_does_not(self, world: World, isv: Isv) -> None:
        month = await closed_month(world, isv)
        path = f"/v1/periods/{month.period}/closing"
        finance = (await world.staff("finance")).at(isv)
        answer = await finance.post(path)
        assert (answer.status_code, answer.json()["code"]) == (409, "period-closed")
        assert (await isv.client.post(path)).status_code == 403

    async def test_before_its_grace_has_ended_it_is_refused_and_may_be_previewed(
        self, world: World, isv: Isv
    ) -> None:
        month = await closed_month(world, isv)
        async with world.program.database.tenant(
            realm_id=world.realm_id, tenant_id=isv.tenant_id, caller=CALLER, clock=Clock()
        ) as session:
            held = decode("use", month.held)
            await accept_usage(session, held, basis=Basis.SILENCE, actor="x")
        preview = await isv.client.read("/v1/statements/preview")
        # The acceptance opened all periods up to the present one; the oldest one is due.
        present = (await isv.client.read("/v1/periods", params={"limit": 200}))["data"][-1]
        finance = (await world.staff("finance")).at(isv)
        path = f"/v1/periods/{present['id']}/closing"
        answer = await finance.post(path)
        assert (answer.status_code, answer.json()["code"]) == (409, "closing-blocked")
        assert answer.json()["reason"] == "grace"
        due = f"/v1/periods/{preview['period_id']}/closing"
        shown = await finance.post(due, params={"validate_only": "true"})
        assert (shown.status_code, shown.json()) == (200, preview)
        closed = await finance.made(due)
        assert closed["statements"][0]["total"] == preview["statements"][0]["total"] == PRICE


class TestWriteOff:
    async def test_finance_gives_a_unit_up_by_name_and_with_a_reason(
        self, world: World, isv: Isv
    ) -> None:
        await closed_month(world, isv)
        finance = (await world.staff("finance")).at(isv)
        answer = await finance.post(f"/v1/usage-entries/{await _held(isv)}/write-off", {})
        assert answer.status_code == 422
        written = await finance.made(
            f"/v1/usage-entries/{await _held(isv)}/write-off", {"reason": "goodwill"}
        )
        assert written["state"] == "written_off"
        assert (await isv.client.read("/v1/usage"))["totals"][0]["written_off"]["units"] == 1

    async def test_only_finance_writes_off_and_only_what_is_not_billed(
        self, world: World, isv: Isv
    ) -> None:
        month = await closed_month(world, isv)
        body = {"reason": "goodwill"}
        path = f"/v1/usage-entries/{month.billed}/write-off"
        finance = (await world.staff("finance")).at(isv)
        answer = await finance.post(path, body)
        assert (answer.status_code, answer.json()["state"]) == (409, "billed")
        for client in (isv.client, (await world.staff("lead")).at(isv)):
            assert (await client.post(path, body)).status_code == 403


class TestBillingAccount:
    async def test_an_isv_fills_in_what_its_invoices_say(self, world: World, isv: Isv) -> None:
        path = "/v1/billing-account"
        answer = await isv.client.get(path)
        assert (answer.headers["etag"], answer.json()["payment_terms_days"]) == ('"0"', 14)
        assert answer.json()["legal_name"] is None
        changed = await isv.client.patch(path, ACCOUNT, version=0)
        assert changed.status_code == 200, changed.text
        assert changed.json()["address"] == {**_address(ACCOUNT), "line2": None}
        assert (await isv.client.patch(path, ACCOUNT, version=0)).status_code == 412
        assert (await isv.client.patch(path, ACCOUNT)).status_code == 428
        month = await closed_month(world, isv)
        statement = await isv.client.read(f"/v1/statements/{month.statement}")
        assert statement["customer"]["legal_name"] == "ISV Software AG"
        assert statement["customer"]["purchase_order"] == "4711"
        [invoice] = statement["invoices"]
        # A Swiss buyer of a German seller: outside the scope of German VAT.
        assert (invoice["tax_category"], invoice["tax"]) == ("O", 0)
        later = await isv.client.patch(path, {"legal_name": "Renamed AG"}, version=1)
        assert later.status_code == 200
        assert await isv.client.read(f"/v1/statements/{month.statement}") == statement

    async def test_terms_are_the_agencys(self, world: World, isv: Isv) -> None:
        path = "/v1/billing-account/terms"
        body = {"payment_terms_days": 30}
        assert (await isv.client.request("PUT", path, json=body, version=0)).status_code == 403
        finance = (await world.staff("finance")).at(isv)
        answer = await finance.request("PUT", path, json=body, version=0)
        assert answer.json()["payment_terms_days"] == 30
        month = await closed_month(world, isv)
        invoice = await isv.client.read(f"/v1/invoices/{month.invoice}")
        assert invoice["due_on"] == "2026-05-06"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"tax_ids": [{"type": "vat", "value": "DE123456789"}]},
            {"address": {"line1": "x"}},
            {"email": "nobody"},
            {"language": "fr"},
            {"standing": "good"},
            {"customer_ref": "cus_1"},
        ],
    )
    async def test_what_makes_no_sense_is_refused(self, wrong: dict[str, Any], isv: Isv) -> None:
        answer = await isv.client.patch("/v1/billing-account", wrong, version=0)
        assert answer.status_code == 422


class TestBillingProfile:
    async def test_it_is_missing_until_finance_fills_it_in(self, world: World) -> None:
        finance = (await world.staff("finance")).client
        path = "/v1/billing-profile"
        assert (await finance.get(path)).status_code == 404
        made = await finance.request("PUT", path, json=PROFILE, version=0)
        assert (made.status_code, made.headers["etag"]) == (200, '"1"')
        assert made.json()["iban"] == "DE89370400440532013000"
        assert (await finance.read(path)) == made.json()
        assert (await finance.request("PUT", path, json=PROFILE, version=9)).status_code == 412

    async def test_an_iban_with_wrong_digits_is_refused(self, world: World) -> None:
        finance = (await world.staff("finance")).client
        wrong = {**PROFILE, "iban": "DE89 3704 0044 0532 0130 01"}
        answer = await finance.request("PUT", "/v1/billing-profile", json=wrong, version=0)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/iban")

    async def test_no_isv_and_no_lead_changes_it(self, world: World, isv: Isv) -> None:
        for client in (isv.client, (await world.staff("lead")).client):
            answer = await client.request("PUT", "/v1/billing-profile", json=PROFILE, version=0)
            assert answer.status_code == 403


def _address(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["address"]
    return found


async def _held(isv: Isv) -> str:
    [held] = (await isv.client.read("/v1/usage", params={"state": "pending"}))["data"]
    found: str = held["entry_id"]
    return found
