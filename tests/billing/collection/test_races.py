"""What happens at Stripe just while a job is at work there."""

from typing import Any

import pytest

from flatbed.billing.collection.exporting import _Work
from flatbed.billing.gateway.errors import GatewayRefused
from flatbed.billing.gateway.fake.faults import Fault, FaultKind
from flatbed.billing.gateway.views import Body, CreditNoteView, InvoiceView
from tests.billing.collection.stripe import Shop
from tests.billing.statements.books import APRIL, APRIL_CLOSES, MARCH_CLOSES, later


async def corrected(store: Shop) -> tuple[Any, Any]:
    """A statement whose one unit was billed, and the one that gives it back."""
    entry = await store.books.unit(accepted=later(1), unit_price=100)
    [march] = await store.books.close(MARCH_CLOSES)
    await store.books.void(entry.entry_id, at=APRIL)
    [april] = await store.books.close(APRIL_CLOSES)
    return march, april


async def states(store: Shop) -> list[str]:
    return [row["state"] for row in await store.rows()]


class TestMeanwhile:
    async def test_a_payment_just_before_the_credit_note_is_taken_into_account(
        self, store: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        march, april = await corrected(store)
        await store.collect(march)
        [theirs] = await store.at_stripe()
        create = store.gateway.create_credit_note

        async def paid_first(body: Body, key: str) -> CreditNoteView:
            if store.fake.account.find("invoice", theirs.id)["status"] == "open":
                store.fake.control.pay(theirs.id)
            return await create(body, key)

        monkeypatch.setattr(store.gateway, "create_credit_note", paid_first)
        await store.collect(april)
        assert await states(store) == ["done", "done"]
        [note] = [one async for one in store.gateway.list_credit_notes(theirs.id)]
        assert (note.total, note.post_payment_amount) == (119, 119)

    async def test_whoever_is_overtaken_at_the_finalization_finds_it_done(
        self, store: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await store.books.unit(accepted=later(1), unit_price=100)
        [march] = await store.books.close(MARCH_CLOSES)
        finalize = store.gateway.finalize_invoice

        async def overtaken(invoice: str, body: Body, key: str) -> InvoiceView:
            await finalize(invoice, body, f"{key}:other")
            return await finalize(invoice, body, key)

        monkeypatch.setattr(store.gateway, "finalize_invoice", overtaken)
        await store.collect(march)
        assert await states(store) == ["done"]

    async def test_another_run_that_could_not_go_on_hides_nothing(
        self, store: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No event tells what a credit note has become: whoever made it writes it down."""
        march, april = await corrected(store)
        await store.collect(march)
        await store.events()
        create = store.gateway.create_credit_note

        async def beside_another(body: Body, key: str) -> CreditNoteView:
            made = await create(body, key)
            other = _Work(store.collector, *store.place, april.invoices[0].id)
            await other.postpone("network", is_stored=False)
            return made

        monkeypatch.setattr(store.gateway, "create_credit_note", beside_another)
        await store.collect(april)
        await store.events()
        assert [row["external_status"] for row in await store.rows()] == ["paid", "issued"]
        assert await store.reconcile() == 0

    async def test_what_stays_refused_is_quarantined(
        self, store: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await store.books.unit(accepted=later(1), unit_price=100)
        [march] = await store.books.close(MARCH_CLOSES)
        tries = list[str]()

        async def wrong(*told: Any) -> InvoiceView:
            tries.append(told[0])
            raise GatewayRefused("parameter_unknown", status=400, param="lines")

        monkeypatch.setattr(store.gateway, "add_lines", wrong)
        await store.collect(march)
        assert await states(store) == ["quarantined"]
        assert len(tries) == 2


class TestOrder:
    async def test_a_credit_note_that_comes_before_its_invoice_is_not_given_up(
        self, store: Shop
    ) -> None:
        march, april = await corrected(store)
        await store.collect(april)
        assert await states(store) == []
        await store.collect(march, april)
        assert await states(store) == ["done", "done"]
        await store.events()
        assert await store.reconcile() == 0

    async def test_one_whose_invoice_is_not_collected_is_neither(self, store: Shop) -> None:
        march, april = await corrected(store)
        await store.books.world.admin.execute(
            "INSERT INTO collection (tenant_id, invoice_id, part, state, created_at, updated_at)"
            " VALUES ($1, $2, 1, 'not_collected', now(), now())",
            store.books.isv,
            march.invoices[0].id,
        )
        await store.collect(april)
        assert await states(store) == ["not_collected", "not_collected"]


class TestGaps:
    async def test_a_newer_webhook_hides_no_older_gap(self, store: Shop) -> None:
        """Stripe gave up telling of the payment; days later it told of something else."""
        await store.books.unit(accepted=later(1), unit_price=100)
        [march] = await store.books.close(MARCH_CLOSES)
        await store.collect(march)
        await store.events()
        [theirs] = await store.at_stripe()
        store.fake.control.pay(theirs.id)
        store.fake.control.advance(4 * 86_400)
        store.fake.control.refund(theirs.id, 1)
        await store.webhook(*store.signed())
        assert await store.events() > 0
        assert [row["external_status"] for row in await store.rows()] == ["paid"]

    async def test_only_what_is_missing_is_written(self, store: Shop) -> None:
        await store.books.unit(accepted=later(1), unit_price=100)
        await store.collect(*await store.books.close(MARCH_CLOSES))
        taken = await store.take_in()
        assert taken > 0
        assert await store.take_in() == 0
        store.fake.control.fault(Fault(FaultKind.LIMITED, times=1))
        assert await store.take_in() == 0
        assert await store.kept() == taken
