"""The fake Stripe of one run, and the agency's jobs beside it, which may die at any await.

The wire gives up the loop before a request is sent and before its answer is read, as a network
does: a death there is a request that was never sent, or one whose answer nobody heard.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar
from uuid import UUID

import httpx
from pydantic import SecretStr

from flatbed.billing.collection.collector import Collector
from flatbed.billing.collection.exporting import collect_invoice
from flatbed.billing.gateway.calls import Machinery
from flatbed.billing.gateway.client import StripeGateway
from flatbed.billing.gateway.errors import GatewayError
from flatbed.billing.gateway.fake import invoices
from flatbed.billing.gateway.fake.app import KEY, WEBHOOK_SECRET, FakeStripe
from flatbed.billing.gateway.fake.forms import Params
from flatbed.billing.gateway.fake.store import Obj
from flatbed.billing.gateway.fake.transport import InProcess
from flatbed.billing.gateway.fake.validation import stripe_document
from flatbed.billing.gateway.fake.webhooks import Endpoint, Mischief
from flatbed.billing.gateway.port import SUBSCRIBED
from flatbed.billing.gateway.settings import StripeSettings
from flatbed.billing.reconciliation import service
from flatbed.billing.stripe_events import applying
from flatbed.billing.stripe_events.inbox import GapFiller, receive
from tests.billing.proof.doing import Mortal
from tests.billing.world import World

HOUR = 3600
DAY = 24 * HOUR
PRUNED = 26 * HOUR
"""After which Stripe has forgotten an idempotency key."""
PATIENCE = 6
"""How often whatever was put off is tried again, once nothing goes wrong any more."""


class Wire(httpx.AsyncBaseTransport):
    """The way to the fake."""

    def __init__(self, fake: FakeStripe) -> None:
        self._inner = InProcess(fake)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        await asyncio.sleep(0)
        answer = await self._inner.handle_async_request(request)
        await asyncio.sleep(0)
        return answer


@dataclass
class Ticking:
    """The gateway's own time: pauses pass at once."""

    ms: int = 0

    def now(self) -> int:
        return self.ms

    async def sleep(self, ms: int) -> None:
        await asyncio.sleep(0)
        self.ms += ms


async def dying(work: Coroutine[Any, Any, Any], at: int) -> bool:
    """Let work die at its ``at``-th await. Returns whether it did, and was not done before."""

    async def mortal() -> None:
        await Mortal(work, at)

    try:
        await asyncio.create_task(mortal())
    except asyncio.CancelledError:
        return True
    return False


@dataclass
class Till:
    """One account at Stripe for all ISVs of a run."""

    world: World
    fake: FakeStripe
    gateway: StripeGateway
    collector: Collector
    time: Ticking
    tally: Counter[str]
    chance: Random
    gaps: GapFiller = field(init=False)
    AWAY: ClassVar = (GatewayError, applying.StaleError)
    """What a job is tried again after."""
    webhooks_die: list[int] = field(default_factory=list)
    """At which await the next receivers of webhooks die."""

    def __post_init__(self) -> None:
        self.restart()

    async def collect(self, tenant_id: UUID, invoice_id: UUID) -> None:
        """What the job of an invoice does."""
        await collect_invoice(self.collector, self.world.realm_id, tenant_id, invoice_id)

    async def reconcile(self, tenant_id: UUID) -> int:
        """Compare an ISV's books; how many findings are open."""
        return await service.reconcile(self.collector, self.world.realm_id, tenant_id)

    async def apply(self, event_id: UUID) -> None:
        """What the job of an event does."""
        await applying.apply_event(self.collector, event_id)

    async def fill_gaps(self) -> int:
        """Take in what no webhook brought."""
        return await self.gaps.fill()

    def restart(self) -> None:
        """Another worker process, which remembers nothing."""
        self.gaps = GapFiller(self.collector)

    async def arrives(self, payload: bytes, signature: str) -> int:
        """A webhook at our endpoint; who dies there answers nothing."""
        work = receive(self.collector, payload, signature)
        if self.webhooks_die:
            if await dying(work, self.webhooks_die.pop()):
                self.tally["webhook died"] += 1
                return 0
        else:
            await work
        self.tally["webhook"] += 1
        return 200

    async def invoices(self, tenant_id: UUID) -> list[UUID]:
        """The ISV's invoices and credit notes, oldest first."""
        rows = await self.world.admin.fetch(
            "SELECT id FROM invoice WHERE tenant_id = $1 ORDER BY number", tenant_id
        )
        return [row["id"] for row in rows]

    async def inbox(self, *, handled: bool = False) -> list[UUID]:
        """The events that wait, or those of which something was made."""
        rows = await self.world.admin.fetch(
            "SELECT id FROM gateway_event WHERE (handled_at IS NOT NULL) = $1 ORDER BY id", handled
        )
        return [row["id"] for row in rows]

    async def unhandle(self, events: list[UUID]) -> None:
        """Let events be applied once more."""
        await self.world.admin.execute(
            "UPDATE gateway_event SET handled_at = NULL WHERE id = ANY($1)", events
        )

    async def open_findings(self, tenant_id: UUID) -> list[str]:
        """What the reconciliation found and not yet resolved."""
        rows = await self.world.admin.fetch(
            "SELECT kind, subject, detail FROM billing_finding"
            " WHERE tenant_id = $1 AND resolved_at IS NULL",
            tenant_id,
        )
        return [str(tuple(row)) for row in rows]

    def payable(self) -> list[Obj]:
        """What a customer may pay now, oldest first."""
        found = self.fake.store.oldest_first("invoice")
        return [one for one in found if one["status"] in {"open", "uncollectible"}]

    def paid(self) -> list[Obj]:
        """What was paid through Stripe."""
        payments = self.fake.store.oldest_first("invoice_payment")
        return [self.fake.account.find("invoice", one["invoice"]) for one in payments]

    def give_up(self, invoice: str) -> None:
        """The agency gives a debt up, in Stripe's dashboard."""
        invoices.mark_uncollectible(self.fake.account, (invoice,), Params({}))
        self.fake.store.flush()

    def lose_webhooks(self) -> int:
        """Stripe gives up telling us; returns of how many events."""
        lost = self.fake.store.keys("_delivery")
        for event in lost:
            self.fake.store.remove("_delivery", event)
        return len(lost)

    def pass_time(self, seconds: int) -> None:
        """On both clocks."""
        self.fake.control.advance(seconds)
        self.time.ms += seconds * 1000

    async def heal(self, tenants: list[UUID]) -> None:
        """Nothing goes wrong any more, keys are forgotten, and everybody does what is left.

        In no order that the program promises: credit notes may come before their invoices.
        """
        self.fake.control.clear_faults()
        self.fake.control.mischief(Mischief(shuffled=True, doubled_percent=40))
        self.webhooks_die.clear()
        self.pass_time(PRUNED)
        for _ in range(PATIENCE):
            left = [(t, one) for t in tenants for one in await self._unfinished(t)]
            self.chance.shuffle(left)
            for tenant_id, invoice_id in left:
                await self.collect(tenant_id, invoice_id)
        await self.fake.control.deliver(at_once=True)
        await self.fill_gaps()
        waiting = await self.inbox()
        self.chance.shuffle(waiting)
        for event_id in waiting:
            await self.apply(event_id)

    async def _unfinished(self, tenant_id: UUID) -> list[UUID]:
        rows = await self.world.admin.fetch(
            "SELECT i.id FROM invoice i WHERE i.tenant_id = $1 AND NOT EXISTS (SELECT FROM"
            " collection c WHERE c.tenant_id = i.tenant_id AND c.invoice_id = i.id"
            " AND c.state <> 'pending')",
            tenant_id,
        )
        return [row["id"] for row in rows]


@asynccontextmanager
async def opened(world: World, chance: Random, tally: Counter[str]) -> AsyncIterator[Till]:
    """A till whose every request is held against Stripe's own document."""
    till: list[Till] = []

    async def send(payload: bytes, signature: str) -> int:
        return await till[0].arrives(payload, signature)

    endpoint = Endpoint(send, WEBHOOK_SECRET, frozenset(SUBSCRIBED))
    fake = FakeStripe(
        endpoint=endpoint, validator=stripe_document(), seed=f"proof {chance.random()}"
    )
    settings = StripeSettings(key=SecretStr(KEY), webhook_secret=SecretStr(WEBHOOK_SECRET))
    time = Ticking()
    machinery = Machinery(now_ms=time.now, sleep_ms=time.sleep, roll=chance.randrange)
    gateway = StripeGateway(settings, Wire(fake), machinery)
    # The inbox belongs to no tenant: what other runs left there is not ours.
    await world.admin.execute("DELETE FROM gateway_event")
    collector = Collector(world.database, gateway)
    till.append(Till(world, fake, gateway, collector, time, tally, chance))
    try:
        yield till[0]
    finally:
        await gateway.close()
        fake.close()
