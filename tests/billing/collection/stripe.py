"""An ISV's books with the fake Stripe behind them, in the same process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from flatbed.billing.collection.exporting import Collector, collect_invoice
from flatbed.billing.gateway.client import StripeGateway
from flatbed.billing.gateway.fake.app import KEY, WEBHOOK_SECRET, FakeStripe
from flatbed.billing.gateway.fake.transport import InProcess
from flatbed.billing.gateway.fake.validation import Validator
from flatbed.billing.gateway.port import Gateway
from flatbed.billing.gateway.settings import StripeSettings
from flatbed.billing.gateway.views import InvoiceView
from flatbed.billing.reconciliation.service import reconcile
from flatbed.billing.statements.schemas import StatementRead
from flatbed.billing.stripe_events.applying import apply_event
from flatbed.billing.stripe_events.inbox import fill_gaps, receive
from tests.billing.statements.books import Books


@dataclass
class Shop:
    """Books, the fake, and what brings one to the other."""

    books: Books
    fake: FakeStripe
    gateway: Gateway
    collector: Collector
    taken: list[UUID] = field(default_factory=list)

    @property
    def place(self) -> tuple[UUID, UUID]:
        """Realm and tenant."""
        return self.books.world.realm_id, self.books.isv

    async def collect(self, *statements: StatementRead) -> None:
        """What the jobs after a closing do."""
        for statement in statements:
            for invoice in statement.invoices:
                await collect_invoice(self.collector, *self.place, invoice.id)

    async def rows(self) -> list[dict[str, Any]]:
        """How the ISV's invoices are collected, by number and part."""
        found = await self.books.world.admin.fetch(
            "SELECT c.*, i.number FROM collection c JOIN invoice i ON i.tenant_id = c.tenant_id"
            " AND i.id = c.invoice_id WHERE c.tenant_id = $1 ORDER BY i.number, c.part",
            self.books.isv,
        )
        return [dict(row) for row in found]

    async def at_stripe(self) -> list[InvoiceView]:
        """All invoices at Stripe, oldest first."""
        customer = await self.books.world.admin.fetchval(
            "SELECT customer_ref FROM billing_account WHERE tenant_id = $1", self.books.isv
        )
        if customer is None:
            return []
        found = [one async for one in self.gateway.list_invoices(customer)]
        return sorted(found, key=lambda one: one.number or "")

    async def events(self) -> int:
        """Take in and apply all that happened at Stripe. Returns how many events were new."""
        new = await fill_gaps(self.collector)
        await self.apply()
        return new

    async def apply(self) -> None:
        """Apply what waits in the inbox."""
        rows = await self.books.world.admin.fetch(
            "SELECT id FROM gateway_event WHERE handled_at IS NULL ORDER BY id"
        )
        for row in rows:
            await apply_event(self.collector, row["id"])

    async def reconcile(self) -> int:
        """Compare; how many findings are open."""
        return await reconcile(self.collector, *self.place)

    async def findings(self) -> list[str]:
        """The kinds of the open findings."""
        rows = await self.books.world.admin.fetch(
            "SELECT kind FROM billing_finding WHERE tenant_id = $1 AND resolved_at IS NULL"
            " ORDER BY kind",
            self.books.isv,
        )
        return [row["kind"] for row in rows]

    async def webhook(self, payload: bytes, signature: str) -> None:
        """As the endpoint does."""
        await receive(self.collector, payload, signature)


@asynccontextmanager
async def shop(books: Books, *, strict: bool = True) -> AsyncIterator[Shop]:
    """The fake, every request held against Stripe's document; at the end all must have fitted."""
    fake = FakeStripe(validator=Validator(), seed=str(books.isv))
    settings = StripeSettings(key=SecretStr(KEY), webhook_secret=SecretStr(WEBHOOK_SECRET))
    gateway = StripeGateway(settings, InProcess(fake))
    try:
        yield Shop(books, fake, gateway, Collector(books.world.database, gateway))
        assert not strict or fake.control.status()["findings"] == []
    finally:
        await gateway.close()
        fake.close()
