"""Invoices and credit notes at Stripe: once each, and to the cent."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from flatbed.billing.accounts.repository import keep_customer
from flatbed.billing.accounts.schemas import BillingAccountUpdate
from flatbed.billing.accounts.service import account, update_account
from flatbed.billing.collection.collector import Collector
from flatbed.billing.collection.exporting import collect_invoice
from flatbed.billing.gateway.fake.faults import Fault, FaultKind
from flatbed.billing.gateway.views import Body, CustomerView, InvoiceStatus
from flatbed.tenants.kit.ids import encode, uuid7
from tests.billing.collection.stripe import Shop
from tests.billing.statements.books import APRIL, APRIL_CLOSES, MARCH_CLOSES, TIERED, later


async def billed(store: Shop, *prices: int, **more: Any) -> Any:
    """A closed month with units at these prices; its statement."""
    for price in prices:
        await store.books.unit(accepted=later(1), unit_price=price, **more)
    [statement] = await store.books.close(MARCH_CLOSES)
    return statement


class TestCollect:
    async def test_an_invoice_stands_at_stripe_with_our_number_and_sums(self, store: Shop) -> None:
        statement = await billed(store, 101, 333, 7)
        await store.collect(statement)
        [ours], [row] = statement.invoices, await store.rows()
        [theirs] = await store.at_stripe()
        assert (theirs.number, theirs.status) == (ours.number, InvoiceStatus.OPEN)
        assert (theirs.subtotal, theirs.tax, theirs.total) == (ours.net, ours.tax, ours.gross)
        assert theirs.metadata["statement_id"] == str(statement.id)
        assert (row["state"], row["external_id"], row["external_status"]) == (
            "done",
            theirs.id,
            "open",
        )
        lines = [one async for one in store.gateway.list_lines(theirs.id)]
        assert sorted(line.amount for line in lines) == [7, 101, 333]
        assert sum(tax.amount for line in lines for tax in line.taxes) == ours.tax
        assert len({line.metadata["entry_id"] for line in lines}) == 3

    async def test_again_and_again_it_is_one(self, store: Shop) -> None:
        statement = await billed(store, 100)
        for _ in range(3):
            await store.collect(statement)
        assert len(await store.at_stripe()) == 1

    async def test_eight_at_once_make_one(self, store: Shop) -> None:
        statement = await billed(store, 100, 200)
        await asyncio.gather(*(store.collect(statement) for _ in range(8)))
        await store.collect(statement)
        found = [one for one in await store.at_stripe() if one.status is not InvoiceStatus.VOID]
        assert [one.status for one in found] == [InvoiceStatus.OPEN]
        assert [row["state"] for row in await store.rows()] == ["done"]

    async def test_a_forgotten_key_makes_no_second_one(self, store: Shop) -> None:
        """Keys alone are not enough: they are pruned after 24 hours."""
        statement = await billed(store, 100)
        store.fake.control.fault(Fault(FaultKind.DROP_AFTER, method="POST", times=20))
        await store.collect(statement)
        store.heal()
        await store.collect(statement)
        found = [one for one in await store.at_stripe() if one.status is not InvoiceStatus.DRAFT]
        assert len(found) == len(await store.at_stripe()) == 1
        assert found[0].total == statement.invoices[0].gross

    async def test_more_lines_than_stripe_takes_are_split(self, store: Shop) -> None:
        price: dict[str, Any] = {"campaign_ref": uuid7(), "unit_price": 101, "tiers": TIERED}
        for _ in range(253):
            await store.books.unit(accepted=later(1), **price)
        [statement] = await store.books.close(MARCH_CLOSES)
        await store.collect(statement)
        first, second = await store.at_stripe()
        [ours] = statement.invoices
        assert [first.number, second.number] == [f"{ours.number}-1", f"{ours.number}-2"]
        assert first.subtotal + second.subtotal == ours.net
        assert first.total + second.total == ours.gross
        assert await store.reconcile() == 0

    async def test_without_a_key_statements_close_and_nothing_is_collected(
        self, store: Shop
    ) -> None:
        statement = await billed(store, 100)
        keyless = Collector(store.books.world.database, None)
        await collect_invoice(keyless, *store.place, statement.invoices[0].id)
        [row] = await store.rows()
        assert (row["state"], row["external_id"]) == ("not_collected", None)
        assert await store.at_stripe() == []

    async def test_a_live_key_never_serves_a_sandbox(self, store: Shop) -> None:
        statement = await billed(store, 100)
        live = Collector(store.books.world.database, store.gateway, is_live=True)
        await collect_invoice(live, *store.place, statement.invoices[0].id)
        assert [row["state"] for row in await store.rows()] == ["not_collected"]
        assert store.fake.control.status()["requests"] == 0


ATU = {"type": "eu_vat", "value": "ATU12345678"}
CHE = {"type": "ch_vat", "value": "CHE-123.456.789"}
EIN = {"type": "us_ein", "value": "12-3456789"}


async def told(store: Shop, **changes: Any) -> None:
    """The ISV changes its billing account."""
    async with store.books.world.at(store.books.isv) as session:
        _, version = await account(session)
        await update_account(session, version, BillingAccountUpdate(**changes))


async def known(store: Shop) -> set[tuple[str, str]]:
    """The tax ids of the ISV's customer at Stripe."""
    customer = (await store.at_stripe())[0].customer
    return {(one.kind, one.value) async for one in store.gateway.list_tax_ids(customer)}


async def audited(store: Shop) -> list[dict[str, Any]]:
    """What the audit says of changes of the billing account."""
    rows = await store.books.world.admin.fetch(
        "SELECT actor, object_id, detail FROM audit_pending WHERE tenant_id = $1"
        " AND action = 'billing_account.updated' ORDER BY id",
        store.books.isv,
    )
    return [{**row, "detail": json.loads(row["detail"])} for row in rows]


class TestCustomer:
    async def test_tax_ids_at_stripe_are_those_the_isv_has_now(self, store: Shop) -> None:
        await told(store, tax_ids=[ATU, CHE])
        march = await billed(store, 100)
        await store.collect(march)
        assert await known(store) == {("eu_vat", ATU["value"]), ("ch_vat", CHE["value"])}
        await told(store, tax_ids=[CHE, EIN])
        await store.books.unit(at=APRIL, accepted=APRIL)
        [april] = await store.books.close(APRIL_CLOSES)
        await store.collect(april)
        assert await known(store) == {("ch_vat", CHE["value"]), ("us_ein", EIN["value"])}

    async def test_a_change_back_on_the_same_day_reaches_stripe(self, store: Shop) -> None:
        """The key of the first change is still remembered there."""
        await store.collect(await billed(store, 100))
        for n, name in enumerate(("A GmbH", "B GmbH", "A GmbH")):
            month, closes = APRIL + timedelta(days=30 * n), APRIL_CLOSES + timedelta(days=31 * n)
            await told(store, legal_name=name)
            await store.books.unit(at=month, accepted=month)
            await store.collect(*await store.books.close(closes))
            customer = (await store.at_stripe())[0].customer
            assert (await store.gateway.get_customer(customer)).name == name

    async def test_a_tax_id_that_comes_and_goes_in_a_day_ends_as_the_isv_has_it(
        self, store: Shop
    ) -> None:
        await store.collect(await billed(store, 100))
        for n, ids in enumerate(([ATU], [], [ATU], [], [ATU])):
            month, closes = APRIL + timedelta(days=30 * n), APRIL_CLOSES + timedelta(days=31 * n)
            await told(store, tax_ids=ids)
            await store.books.unit(at=month, accepted=month)
            await store.collect(*await store.books.close(closes))
            assert await known(store) == {(one["type"], one["value"]) for one in ids}

    async def test_a_tax_id_that_somebody_else_took_away_meanwhile_stops_nothing(
        self, store: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await told(store, tax_ids=[ATU])
        await store.collect(await billed(store, 100))
        await told(store, tax_ids=[])
        await store.books.unit(at=APRIL, accepted=APRIL)
        [april] = await store.books.close(APRIL_CLOSES)
        delete = store.gateway.delete_tax_id

        async def twice(customer: str, tax_id: str) -> None:
            await delete(customer, tax_id)
            await delete(customer, tax_id)

        monkeypatch.setattr(store.gateway, "delete_tax_id", twice)
        await store.collect(april)
        assert await known(store) == set()
        assert [row["state"] for row in await store.rows()] == ["done", "done"]

    async def test_the_customer_is_made_once_and_the_audit_says_so(self, store: Shop) -> None:
        march = await billed(store, 100)
        await asyncio.gather(*(store.collect(march) for _ in range(4)))
        await store.books.unit(at=APRIL, accepted=APRIL)
        await store.collect(*await store.books.close(APRIL_CLOSES))
        assert await audited(store) == [
            {
                "actor": "system:collection",
                "object_id": encode("org", store.books.isv),
                "detail": {"fields": ["customer"]},
            }
        ]
        events = await store.books.world.admin.fetchval(
            "SELECT count(*) FROM event_pending WHERE tenant_id = $1"
            " AND type = 'billing_account.updated'",
            store.books.isv,
        )
        assert events == 1

    async def test_of_two_customers_the_one_that_was_noted_first_is_billed(
        self, store: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Stripe has forgotten the key under which it was made."""
        march = await billed(store, 100)
        first = await store.gateway.create_customer({"name": "ISV"}, "first")
        create = store.gateway.create_customer

        async def overtaken(body: Body, key: str) -> CustomerView:
            made = await create(body, key)
            async with store.books.world.at(store.books.isv) as session:
                assert await keep_customer(session, first.id) is None
            return made

        monkeypatch.setattr(store.gateway, "create_customer", overtaken)
        await store.collect(march)
        [theirs] = await store.at_stripe()
        assert theirs.customer == first.id
        assert await audited(store) == []


class TestFaults:
    @pytest.mark.parametrize("kind", list(FaultKind))
    @pytest.mark.parametrize("skipped", range(8))
    async def test_whatever_fails_at_whichever_request_it_ends_in_one_invoice(
        self, store: Shop, kind: FaultKind, skipped: int
    ) -> None:
        """A fault at the n-th request to Stripe, then the jobs and deadlines do the rest."""
        statement = await billed(store, 100, 250)
        store.fake.control.fault(Fault(kind, after=skipped, times=3))
        await store.collect(statement)
        store.heal()
        for _ in range(2):
            await store.collect(statement)
        found = await store.at_stripe()
        assert [(one.status, one.subtotal) for one in found] == [(InvoiceStatus.OPEN, 350)]
        assert [row["state"] for row in await store.rows()] == ["done"]
        assert await store.reconcile() == 0

    async def test_a_failure_is_tried_again_by_a_deadline(self, store: Shop) -> None:
        statement = await billed(store, 100)
        store.fake.control.fault(Fault(FaultKind.DROP_BEFORE, times=50))
        await store.collect(statement)
        [row] = await store.rows()
        assert (row["state"], row["attempts"]) == ("pending", 1)
        assert row["error"]
        due = await store.books.world.admin.fetchval(
            "SELECT count(*) FROM deadline WHERE tenant_id = $1 AND kind = 'collect_invoice'"
            " AND done_at IS NULL",
            store.books.isv,
        )
        assert due == 1

    async def test_another_sum_at_stripe_is_quarantined(self, store: Shop) -> None:
        statement = await billed(store, 100)
        store.fake.control.fault(Fault(FaultKind.DROP_BEFORE, method="POST", after=3, times=9))
        await store.collect(statement)
        store.heal()
        [draft] = await store.at_stripe()
        assert draft.status is InvoiceStatus.DRAFT
        stranger: Body = {
            "lines": [{"amount": 1, "description": "x", "metadata": {"entry_id": "x"}}]
        }
        await store.gateway.add_lines(draft.id, stranger, "stranger")
        await store.collect(statement)
        [row] = await store.rows()
        assert (row["state"], row["error"]) == ("quarantined", "amount-drift")
        assert (await store.at_stripe())[0].status is InvoiceStatus.DRAFT
        await store.reconcile()
        assert "quarantined" in await store.findings()


class TestCredit:
    async def test_a_credit_note_reduces_what_is_open(self, store: Shop) -> None:
        entry = await store.books.unit(accepted=later(1), unit_price=101)
        [march] = await store.books.close(MARCH_CLOSES)
        await store.collect(march)
        await store.books.credit(entry.entry_id, 50, at=APRIL)
        [april] = await store.books.close(APRIL_CLOSES)
        for _ in range(2):
            await store.collect(april)
        [note] = april.invoices
        [theirs] = await store.at_stripe()
        assert theirs.amount_remaining == march.invoices[0].gross - note.gross
        credited = [one async for one in store.gateway.list_credit_notes(theirs.id)]
        assert [one.total for one in credited] == [note.gross]
        assert [row["external_status"] for row in await store.rows()] == ["open", "issued"]

    async def test_what_was_paid_becomes_the_customers_credit(self, store: Shop) -> None:
        entry = await store.books.unit(accepted=later(1), unit_price=100)
        [march] = await store.books.close(MARCH_CLOSES)
        await store.collect(march)
        [theirs] = await store.at_stripe()
        store.fake.control.pay(theirs.id)
        await store.books.void(entry.entry_id, at=APRIL)
        [april] = await store.books.close(APRIL_CLOSES)
        await store.collect(april)
        [note] = [one async for one in store.gateway.list_credit_notes(theirs.id)]
        assert (note.total, note.post_payment_amount) == (119, 119)
        await store.events()
        assert await store.reconcile() == 0

    async def test_a_credit_note_waits_for_its_invoice(self, store: Shop) -> None:
        entry = await store.books.unit(accepted=later(1), unit_price=100)
        [march] = await store.books.close(MARCH_CLOSES)
        await collect_frozen(store, march)
        await store.books.void(entry.entry_id, at=APRIL)
        [april] = await store.books.close(APRIL_CLOSES)
        await store.collect(april)
        assert [row["state"] for row in await store.rows()] == ["pending", "pending"]
        await store.collect(march, april)
        assert [row["state"] for row in await store.rows()] == ["done", "done"]


async def collect_frozen(store: Shop, statement: Any) -> None:
    """The bodies are frozen, and Stripe is away."""
    store.fake.control.fault(Fault(FaultKind.DROP_BEFORE, times=50))
    await store.collect(statement)
    store.heal()
