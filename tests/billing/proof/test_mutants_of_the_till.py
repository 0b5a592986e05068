"""Mutants of the collecting side: the machine itself must catch each within a few runs.

What the machine misses here it would miss in the program. The same runs of the real program break
nothing, as the first test shows.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import pytest
from hypothesis.errors import Flaky
from sqlalchemy import select

from flatbed.billing.collection import exporting, steps
from flatbed.billing.collection import repository as collections
from flatbed.billing.collection.rules import bodies
from flatbed.billing.gateway import reading
from flatbed.billing.gateway.client import StripeGateway
from flatbed.billing.gateway.port import Gateway
from flatbed.billing.gateway.views import CreditNoteView, InvoiceView
from flatbed.billing.pricing.rules.tiers import Price
from flatbed.billing.statements.rules import rating
from flatbed.billing.stripe_events import applying, inbox, repository
from flatbed.billing.stripe_events.models import GatewayEvent
from tests.billing.proof.bench import bench_of, run
from tests.billing.proof.collecting import CollectingMachine
from tests.billing.proof.test_machine import TILL_STEPS
from tests.billing.proof.till import Till
from tests.support.postgres import TestDatabase

RUNS, ATTEMPTS = 5, 12
"""Within so many runs, so often begun from another seed, a mutant must be caught."""
Patch: TypeAlias = Callable[[pytest.MonkeyPatch], None]


def keys_alone(patch: pytest.MonkeyPatch) -> None:
    """An exporter that never looks what is there: the idempotency key will do."""

    async def nothing(*_: Any) -> None:
        return None

    patch.setattr(steps, "_find", nothing)


def filled_blindly(patch: pytest.MonkeyPatch) -> None:
    """All lines are added to a draft, whatever stands on it, and nobody compares."""

    async def fill(gateway: Gateway, order: steps.Order, invoice_id: str) -> None:
        key = f"{order.key}:{invoice_id}:{id(fill)}:{len(seen)}"
        seen.append(key)
        await gateway.add_lines(invoice_id, {"lines": list(order.bodies["lines"])}, key)

    seen = list[str]()
    patch.setattr(steps, "_fill", fill)


def finalized_unread(patch: pytest.MonkeyPatch) -> None:
    """A draft is finalized without a look at its sum; one line was left out."""
    real = bodies.missing_lines

    def missing(wanted: Sequence[Mapping[str, Any]], present: Any) -> list[Mapping[str, Any]]:
        return real(wanted, present)[: max(1, len(wanted) - 1)]

    async def unread(gateway: Gateway, order: steps.Order) -> InvoiceView:
        loose = steps.Order(order.customer, order.bodies, order.net, order.gross, order.key)
        found = await steps._find(gateway, loose)
        if found is None:
            body = {**order.bodies["create"], "customer": order.customer}
            found = await gateway.create_invoice(body, f"{order.key}:create")
            await steps._fill(gateway, order, found.id)
            finalize = order.bodies["finalize"]
            found = await gateway.finalize_invoice(found.id, finalize, f"{order.key}:finalize")
        return found

    patch.setattr(steps, "missing_lines", missing)
    patch.setattr(exporting, "collect", unread)


def credited_blindly(patch: pytest.MonkeyPatch) -> None:
    """A credit note is made without a look at those that are there."""

    async def none(*_: Any) -> AsyncIterator[CreditNoteView]:
        for one in list[CreditNoteView]():
            yield one

    real = steps.credit

    async def blind(gateway: Gateway, *told: Any) -> CreditNoteView:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(StripeGateway, "list_credit_notes", none)
            return await real(gateway, *told)

    patch.setattr(exporting, "credit", blind)


def told_by_the_event(patch: pytest.MonkeyPatch) -> None:
    """An event's own picture of the invoice is applied: the last to come wins."""
    fake: list[Till] = []
    real_apply, real_get = applying.apply_event, StripeGateway.get_invoice
    told = list[str]()

    async def apply(collector: Any, event_id: UUID) -> None:
        async with collector.database.worker(caller=applying.CALLER) as session:
            event = await repository.find(session, event_id)
        told.append("" if event is None else event.event_id)
        try:
            await real_apply(collector, event_id)
        finally:
            told.pop()

    async def then(gateway: StripeGateway, invoice: str) -> InvoiceView:
        event = fake[-1].fake.store.get("event", told[-1]) if told else None
        if event is not None and event["data"]["object"]["id"] == invoice:
            return reading.invoice(event["data"]["object"])
        return await real_get(gateway, invoice)

    real_init = Till.__post_init__

    def known(till: Till) -> None:
        fake.append(till)
        real_init(till)

    patch.setattr(Till, "__post_init__", known)
    patch.setattr(applying, "apply_event", apply)
    patch.setattr(StripeGateway, "get_invoice", then)


def handled_first(patch: pytest.MonkeyPatch) -> None:
    """An event is ticked off before anything is made of it: a death in between loses it."""
    real = applying._apply

    async def ticked(collector: Any, gateway: Gateway, event: Any) -> str:
        async with collector.database.worker(caller=applying.CALLER) as session:
            await repository.handled(session, event.id, "applied")
        return await real(collector, gateway, event)

    patch.setattr(applying, "_apply", ticked)


def gaps_by_the_newest(patch: pytest.MonkeyPatch) -> None:
    """Who fills gaps believes that nothing is missing before the newest event that came."""

    async def fill(gaps: inbox.GapFiller) -> int:
        async with gaps.collector.database.worker(caller=applying.CALLER) as session:
            newest = await session.scalar(
                select(GatewayEvent.happened_at).order_by(GatewayEvent.happened_at.desc()).limit(1)
            )
        gaps.seen = newest
        return await real(gaps)

    real = inbox.GapFiller.fill
    patch.setattr(inbox.GapFiller, "fill", fill)


def credits_uncollected(patch: pytest.MonkeyPatch) -> None:
    """A credit note whose invoice no job has seen yet counts as one that is not collected."""
    real = exporting._freeze

    async def frozen(session: Any, invoice: Any, statement: Any) -> bool:
        if not await real(session, invoice, statement):
            row = exporting._row(session, invoice, 1, "not_collected", None)
            await collections.add(session, [row])
        return True

    patch.setattr(exporting, "_freeze", frozen)


def floated(patch: pytest.MonkeyPatch) -> None:
    """Money is a float on its way."""

    def amount(price: Price, rank: int | None) -> int:
        return 0 if rank is None else int(price.of(rank) / 100 * 100 - 1e-9)

    patch.setattr(rating, "amount_of", amount)


MUTANTS: tuple[tuple[Patch, int], ...] = (
    (keys_alone, 24),
    (filled_blindly, 20),
    (finalized_unread, 0),
    (credited_blindly, 22),
    (told_by_the_event, 0),
    (handled_first, 22),
    (gaps_by_the_newest, 0),
    (credits_uncollected, 0),
    (floated, 0),
)
"""Each with the part whose first runs meet it: others take up to some dozens."""


class TestMutants:
    @pytest.mark.timeout(300)
    def test_the_real_program_breaks_nothing_in_the_same_runs(self, database: TestDatabase) -> None:
        for part in {part for _, part in MUTANTS} - {0}:
            with bench_of(CollectingMachine, database) as bench:
                run(bench, RUNS, TILL_STEPS, part)

    @pytest.mark.timeout(300)
    @pytest.mark.parametrize(
        ("mutant", "part"), MUTANTS, ids=[str(one.__name__) for one, _ in MUTANTS]
    )
    def test_the_machine_catches_it(
        self, database: TestDatabase, monkeypatch: pytest.MonkeyPatch, mutant: Patch, part: int
    ) -> None:
        mutant(monkeypatch)
        assert any(self._is_caught(database, part + 100 * more) for more in range(ATTEMPTS))

    def _is_caught(self, database: TestDatabase, part: int) -> bool:
        with bench_of(CollectingMachine, database) as bench:
            try:
                run(bench, RUNS, TILL_STEPS, part)
            except (AssertionError, Flaky):
                print(f"caught in run {bench.number} of part {part}")  # noqa: T201 - kept with a failure
                return True
        return False
