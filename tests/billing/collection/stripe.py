"""An ISV's books with the fake Stripe behind them, in the same process."""

import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from flatbed.billing.collection.collector import Collector
from flatbed.billing.collection.exporting import collect_invoice
from flatbed.billing.gateway.calls import Machinery
from flatbed.billing.gateway.client import StripeGateway
from flatbed.billing.gateway.fake.app import KEY, WEBHOOK_SECRET, FakeStripe
from flatbed.billing.gateway.fake.transport import InProcess
from flatbed.billing.gateway.fake.validation import stripe_document
from flatbed.billing.gateway.port import Gateway
from flatbed.billing.gateway.settings import StripeSettings
from flatbed.billing.gateway.views import InvoiceView
from flatbed.billing.reconciliation.service import reconcile
from flatbed.billing.statements.schemas import StatementRead
from flatbed.billing.stripe_events.applying import apply_event
from flatbed.billing.stripe_events.inbox import GapFiller, receive
from tests.billing.statements.books import Books


@dataclass
class Ticking:
    """The gateway's own time: pauses pass at once."""

    ms: int = 0

    def now(self) -> int:
        return self.ms

    async def sleep(self, ms: int) -> None:
        self.ms += ms


@dataclass
class Shop:
    """Books, the fake, and what brings one to the other."""

    books: Books
    fake: FakeStripe
    gateway: Gateway
    collector: Collector
    time: Ticking

    @property
    def place(self) -> tuple[UUID, UUID]:
        """Realm and tenant."""
        return self.books.world.realm_id, self.books.isv

    async def collect(self, *statements: StatementRead) -> None:
        """What the jobs after a closing do."""
        for statement in statements:
            for invoice in statement.invoices:
                await collect_invoice(self.collector, *self.place, invoice.id)

    def heal(self) -> None:
        """Nothing goes wrong any more, a day has passed, and Stripe has forgotten its keys."""
        self.fake.control.clear_faults()
        self.fake.control.advance(26 * 3600)
        self.time.ms += 26 * 3600 * 1000

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
        new = await self.take_in()
        for event_id in await self.waiting():
            await apply_event(self.collector, event_id)
        return new

    async def take_in(self) -> int:
        """Take in what no webhook brought."""
        return await GapFiller(self.collector).fill()

    async def waiting(self) -> list[UUID]:
        """What waits in the inbox."""
        rows = await self.books.world.admin.fetch(
            "SELECT id FROM gateway_event WHERE handled_at IS NULL ORDER BY id"
        )
        return [row["id"] for row in rows]

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

    async def apply_one(self, event_id: UUID) -> None:
        """Apply an event of the inbox."""
        await apply_event(self.collector, event_id)

    def signed(self) -> tuple[bytes, str]:
        """The newest event at Stripe as a webhook, signed now."""
        newest = next(iter(self.fake.account.store.newest_first("event")))
        payload = json.dumps(newest).encode()
        at = int(self.fake.account.wall().timestamp())
        mac = hmac.new(WEBHOOK_SECRET.encode(), f"{at}.".encode() + payload, "sha256")
        return payload, f"t={at},v1={mac.hexdigest()}"

    async def kept(self) -> int:
        """How many events of this account the inbox holds."""
        ids = [event["id"] for event in self.fake.account.store.oldest_first("event")]
        found = await self.books.world.admin.fetchval(
            "SELECT count(*) FROM gateway_event WHERE event_id = ANY($1)", ids
        )
        return int(found)

    async def webhook(self, payload: bytes, signature: str) -> None:
        """As the endpoint does."""
        await receive(self.collector, payload, signature)


@asynccontextmanager
async def shop(books: Books, *, strict: bool = True) -> AsyncIterator[Shop]:
    """The fake, every request held against Stripe's document; at the end all must have fitted."""
    fake = FakeStripe(validator=stripe_document(), seed=str(books.isv))
    settings = StripeSettings(key=SecretStr(KEY), webhook_secret=SecretStr(WEBHOOK_SECRET))
    time = Ticking()
    machinery = Machinery(now_ms=time.now, sleep_ms=time.sleep)
    gateway = StripeGateway(settings, InProcess(fake), machinery)
    # The inbox belongs to no tenant: what other accounts left there is not ours.
    await books.world.admin.execute("DELETE FROM gateway_event")
    try:
        yield Shop(books, fake, gateway, Collector(books.world.database, gateway), time)
        assert not strict or fake.control.status()["findings"] == []
    finally:
        await gateway.close()
        fake.close()
