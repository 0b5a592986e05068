"""What happens at Stripe: any order and any number of events end in the same state."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from flatbed.billing.accounts.errors import BadStandingError
from flatbed.billing.accounts.standing import require_good_standing
from flatbed.billing.collection.collector import Collector
from flatbed.billing.gateway.views import Body, InvoiceStatus, InvoiceView
from flatbed.billing.statements.errors import ClosingBlockedError
from flatbed.billing.stripe_events import repository
from flatbed.billing.stripe_events.errors import WebhookRefusedError
from flatbed.billing.stripe_events.inbox import FORGOTTEN, PATIENCE, ask_again
from tests.billing.collection.stripe import Shop
from tests.billing.collection.test_collecting import billed
from tests.billing.statements.books import APRIL, APRIL_CLOSES


async def standing(store: Shop) -> str:
    found: str = await store.books.world.admin.fetchval(
        "SELECT standing FROM billing_account WHERE tenant_id = $1", store.books.isv
    )
    return found


async def asked(store: Shop) -> int:
    """How many more comparisons wait."""
    return await store.books.world.jobs("reconcile", store.books.isv)


class TestApply:
    async def test_a_payment_is_noted(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        [theirs] = await store.at_stripe()
        store.fake.control.pay(theirs.id)
        assert await store.events() > 0
        [row] = await store.rows()
        assert (row["external_status"], row["amount_paid"]) == ("paid", 119)
        assert await store.events() == 0

    async def test_events_commute(self, store: Shop) -> None:
        """Invariant 11: each order of the same events, each of them twice."""
        await store.collect(await billed(store, 100))
        [theirs] = await store.at_stripe()
        store.fake.control.fail_payment(theirs.id)
        store.fake.control.pay(theirs.id)
        await store.events()
        wanted = [{**row, "revision": 0, "updated_at": None} for row in await store.rows()]
        assert wanted[0]["external_status"] == "paid"
        rows = await store.books.world.admin.fetch(
            "SELECT id FROM gateway_event WHERE object_id = $1 ORDER BY id", theirs.id
        )
        ids = [row["id"] for row in rows]
        assert len(ids) >= 3
        for order in itertools.islice(itertools.permutations(ids), 12):
            await store.books.world.admin.execute(
                "UPDATE gateway_event SET handled_at = NULL WHERE id = ANY($1)", ids
            )
            for event_id in (*order, *reversed(order)):
                await store.apply_one(event_id)
            found = [{**row, "revision": 0, "updated_at": None} for row in await store.rows()]
            assert found == wanted

    async def test_two_workers_at_one_invoice_end_in_what_it_is(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        [theirs] = await store.at_stripe()
        store.fake.control.fail_payment(theirs.id)
        store.fake.control.pay(theirs.id)
        await store.take_in()
        waiting = await store.waiting()
        assert len(waiting) >= 2
        await asyncio.gather(*(store.apply_one(one) for one in waiting * 3))
        assert [row["external_status"] for row in await store.rows()] == ["paid"]

    async def test_what_is_not_ours_is_left(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        customer = (await store.at_stripe())[0].customer
        body: Body = {"customer": customer, "currency": "eur", "auto_advance": False}
        stranger = await store.gateway.create_invoice(body, "stranger")
        await store.gateway.add_lines(
            stranger.id, {"lines": [{"amount": 5, "description": "x"}]}, "stranger-1"
        )
        await store.gateway.finalize_invoice(stranger.id, {}, "stranger-2")
        await store.events()
        assert len(await store.rows()) == 1
        outcome = await store.books.world.admin.fetchval(
            "SELECT outcome FROM gateway_event WHERE object_id = $1 LIMIT 1", stranger.id
        )
        assert outcome == "not_ours"

    async def test_an_event_that_is_faster_than_our_own_note_loses_nothing(
        self, store: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Stripe tells of the finalized invoice before the job has written that it is there."""
        statement = await billed(store, 100)
        finalize = store.gateway.finalize_invoice

        async def overtaken(*args: Any) -> InvoiceView:
            found = await finalize(*args)
            store.fake.control.pay(found.id)
            assert await store.events() > 0
            return found

        monkeypatch.setattr(store.gateway, "finalize_invoice", overtaken)
        await store.collect(statement)
        [row] = await store.rows()
        assert (row["state"], row["external_status"], row["amount_paid"]) == ("done", "paid", 119)


class TestStanding:
    async def test_a_late_invoice_pauses_orders_until_it_is_paid(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        [theirs] = await store.at_stripe()
        store.fake.control.advance(15 * 24 * 3600)
        await store.events()
        assert await standing(store) == "overdue"
        async with store.books.world.reading(store.books.isv) as session:
            with pytest.raises(BadStandingError):
                await require_good_standing(session)
        store.fake.control.pay(theirs.id)
        await store.events()
        assert await standing(store) == "good"
        async with store.books.world.reading(store.books.isv) as session:
            await require_good_standing(session)

    async def test_a_debt_that_is_given_up_suspends(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        [theirs] = await store.at_stripe()
        await store.gateway.mark_uncollectible(theirs.id, "given-up")
        await store.events()
        assert await standing(store) == "suspended"

    async def test_the_ledger_goes_on_whatever_is_owed(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        [theirs] = await store.at_stripe()
        await store.gateway.mark_uncollectible(theirs.id, "given-up")
        await store.events()
        entry = await store.books.unit()
        assert entry.amount > 0


class TestInbox:
    async def test_a_webhook_is_kept_once_however_often_it_comes(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        payload, signature = store.signed()
        for _ in range(3):
            await store.webhook(payload, signature)
        await asyncio.gather(*(store.webhook(payload, signature) for _ in range(5)))
        assert await store.kept() == 1

    @pytest.mark.parametrize("signature", ["", "t=1,v1=00", "nonsense"])
    async def test_what_stripe_did_not_sign_is_refused(self, store: Shop, signature: str) -> None:
        await store.collect(await billed(store, 100))
        payload, _ = store.signed()
        with pytest.raises(WebhookRefusedError):
            await store.webhook(payload, signature)
        assert await store.kept() == 0

    async def test_gaps_are_filled(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        store.fake.control.pay((await store.at_stripe())[0].id)
        payload, signature = store.signed()
        await store.webhook(payload, signature)
        assert await store.events() >= 1
        assert await store.events() == 0


async def received(store: Shop, event_id: UUID, ago: timedelta) -> None:
    """An event has been in the inbox for so long."""
    await store.books.world.admin.execute(
        "UPDATE gateway_event SET received_at = now() - $2::interval WHERE id = $1", event_id, ago
    )


async def jobs_of(store: Shop, event_id: UUID) -> list[str]:
    """The states of an event's jobs, oldest first."""
    rows = await store.books.world.admin.fetch(
        "SELECT status FROM pgqueuer WHERE entrypoint = 'apply_gateway_event'"
        " AND convert_from(payload, 'UTF8')::jsonb ->> 'event_id' = $1 ORDER BY id",
        str(event_id),
    )
    return [row["status"] for row in rows]


class TestAskAgain:
    """An event whose job gave up while Stripe was away is not lost."""

    @pytest_asyncio.fixture
    async def lost(self, store: Shop) -> UUID:
        """A payment of which no job is left, and nothing was made."""
        await store.collect(await billed(store, 100))
        await store.events()
        store.fake.control.pay((await store.at_stripe())[0].id)
        await store.take_in()
        first, *others = await store.waiting()
        for event_id in others:
            await store.apply_one(event_id)
        await store.books.world.admin.execute(
            "DELETE FROM pgqueuer WHERE entrypoint = 'apply_gateway_event'"
        )
        return first

    async def test_one_whose_job_is_gone_is_asked_for_once_it_had_its_time(
        self, store: Shop, lost: UUID
    ) -> None:
        assert await ask_again(store.collector) == 0
        assert await jobs_of(store, lost) == []
        await received(store, lost, PATIENCE + timedelta(seconds=1))
        assert await ask_again(store.collector) == 1
        assert await jobs_of(store, lost) == ["queued"]

    async def test_one_that_waits_is_not_asked_for_twice(self, store: Shop, lost: UUID) -> None:
        await received(store, lost, PATIENCE * 2)
        assert [await ask_again(store.collector) for _ in range(3)] == [1, 0, 0]
        assert await jobs_of(store, lost) == ["queued"]

    async def test_a_dead_one_is_tried_again_and_no_other_is_made(
        self, store: Shop, lost: UUID
    ) -> None:
        """However long Stripe refuses it, a person has one dead job to look at."""
        await received(store, lost, PATIENCE * 2)
        for _ in range(3):
            assert await ask_again(store.collector) == 1
            assert await jobs_of(store, lost) == ["queued"]
            await store.books.world.admin.execute(
                "UPDATE pgqueuer SET status = 'failed', attempts = 6"
                " WHERE entrypoint = 'apply_gateway_event'"
            )

    async def test_without_a_key_nothing_can_be_made_of_it(self, store: Shop, lost: UUID) -> None:
        await received(store, lost, PATIENCE * 2)
        assert await ask_again(Collector(store.books.world.database, None)) == 0

    async def test_one_that_was_handled_is_left(self, store: Shop, lost: UUID) -> None:
        await received(store, lost, PATIENCE * 2)
        await store.apply_one(lost)
        assert await store.waiting() == []
        assert await ask_again(store.collector) == 0
        assert await jobs_of(store, lost) == []

    async def test_one_of_before_the_week_is_left_to_the_reconciliation(
        self, store: Shop, lost: UUID
    ) -> None:
        await received(store, lost, FORGOTTEN + timedelta(minutes=1))
        assert await ask_again(store.collector) == 0
        await received(store, lost, FORGOTTEN - timedelta(minutes=1))
        assert await ask_again(store.collector) == 1
        assert timedelta(days=7) == FORGOTTEN

    async def test_the_oldest_come_first(
        self, store: Shop, lost: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(repository, "MOST", 1)
        rows = await store.books.world.admin.fetch("SELECT id FROM gateway_event")
        await store.books.world.admin.execute("UPDATE gateway_event SET handled_at = NULL")
        for row in rows:
            await received(store, row["id"], PATIENCE * 2)
        await received(store, lost, PATIENCE * 3)
        assert len(rows) > 1
        assert await ask_again(store.collector) == 1
        assert await jobs_of(store, lost) == ["queued"]


class TestReconcile:
    async def test_books_that_agree_have_no_finding(self, store: Shop) -> None:
        await store.collect(await billed(store, 100, 200))
        assert await store.reconcile() == 0
        run: Any = await store.books.world.admin.fetchrow(
            "SELECT * FROM reconciliation WHERE tenant_id = $1", store.books.isv
        )
        assert (run["collects"], run["statements"], run["invoices"], run["findings"]) == (
            True,
            1,
            1,
            0,
        )

    async def test_a_state_that_no_event_told_is_found_and_then_settled(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        store.fake.control.pay((await store.at_stripe())[0].id)
        assert await store.reconcile() == 1
        assert await store.findings() == ["status_drift"]
        assert await store.reconcile() == 0
        assert await store.findings() == []

    async def test_only_a_run_that_took_a_state_over_asks_for_another(self, store: Shop) -> None:
        """Else a closing would be blocked till the next day, or runs would never end."""
        await store.collect(await billed(store, 100))
        assert await store.reconcile() == 0
        assert await asked(store) == 0
        store.fake.control.pay((await store.at_stripe())[0].id)
        assert await store.reconcile() == 1
        assert await asked(store) == 1
        assert await store.reconcile() == 0
        assert await asked(store) == 1

    async def test_a_finding_that_stays_asks_once(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        await store.gateway.void_invoice((await store.at_stripe())[0].id, "void")
        for _ in range(3):
            assert await store.reconcile() == 1
        assert await asked(store) == 1

    async def test_a_state_that_cannot_be_taken_over_asks_for_no_other(self, store: Shop) -> None:
        """Somebody at Stripe took away what says whose invoice it is."""
        await store.collect(await billed(store, 100))
        [theirs] = await store.at_stripe()
        held = store.fake.account.store.get("invoice", theirs.id)
        assert held is not None
        store.fake.account.store.put("invoice", theirs.id, {**held, "metadata": {}})
        store.fake.control.pay(theirs.id)
        for _ in range(2):
            assert await store.reconcile() > 0
        assert [row["external_status"] for row in await store.rows()] == ["open"]
        assert await asked(store) == 0

    async def test_an_invoice_that_nobody_billed_is_found(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        customer = (await store.at_stripe())[0].customer
        body: Body = {"customer": customer, "currency": "eur", "auto_advance": False}
        stranger = await store.gateway.create_invoice(body, "stranger")
        assert await store.reconcile() == 0  # it may be one that is being made
        await store.gateway.add_lines(
            stranger.id, {"lines": [{"amount": 5, "description": "x"}]}, "stranger-1"
        )
        await store.gateway.finalize_invoice(stranger.id, {}, "stranger-2")
        await store.reconcile()
        assert await store.findings() == ["unknown_invoice"]

    async def test_a_void_at_stripe_is_found(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        await store.gateway.void_invoice((await store.at_stripe())[0].id, "void")
        await store.reconcile()
        assert await store.findings() == ["status_drift"]
        # Taken over, it still is an invoice of ours that nobody asks for.
        await store.reconcile()
        assert await store.findings() == ["status_drift"]
        assert [row["external_status"] for row in await store.rows()] == [InvoiceStatus.VOID]

    async def test_a_ledger_that_was_edited_is_found(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        await store.books.world.admin.execute("SET session_replication_role = replica")
        await store.books.world.admin.execute(
            "UPDATE statement_line SET amount = amount + 1 WHERE tenant_id = $1", store.books.isv
        )
        await store.books.world.admin.execute("SET session_replication_role = origin")
        await store.reconcile()
        assert await store.findings() == ["ledger_drift"]

    async def test_an_open_finding_blocks_the_next_closing(self, store: Shop) -> None:
        await store.collect(await billed(store, 100))
        await store.gateway.void_invoice((await store.at_stripe())[0].id, "void")
        await store.reconcile()
        await store.books.unit(at=APRIL, accepted=APRIL)
        with pytest.raises(ClosingBlockedError) as blocked:
            await store.books.close(APRIL_CLOSES)
        assert blocked.value.extra == {"reason": "findings"}
