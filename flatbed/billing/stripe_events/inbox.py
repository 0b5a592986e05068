"""Take an event in: verified, written, then answered; a job does the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from flatbed.billing.collection.collector import Collector
from flatbed.billing.gateway.errors import BadEvent, BadSignature
from flatbed.billing.gateway.views import EventRef
from flatbed.billing.stripe_events import repository
from flatbed.billing.stripe_events.errors import WebhookRefusedError
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database.session import Caller, LoginSession, WorkerSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs.queue import enqueue, enqueue_missing
from flatbed.tenants.kit.problems import NotFoundError

APPLY_JOB: Final = "apply_gateway_event"
OVERLAP: Final = timedelta(hours=1)
"""Events are late by minutes, and two of one second have no order."""
BATCH: Final = 500
"""Events that one query looks for in the inbox."""
PATIENCE: Final = timedelta(minutes=10)
"""How long an event's job may take, with all its tries, before another is asked for."""
FORGOTTEN: Final = timedelta(days=7)
"""How long an event is asked for again."""


async def receive(collector: Collector, payload: bytes, signature: str) -> None:
    """Keep a webhook's event. Once this returns it is not lost, however often it comes again.

    Raises:
        NotFoundError: nothing is collected here.
        WebhookRefusedError: Stripe did not sign this, or not just now.
    """
    if collector.gateway is None:
        raise NotFoundError
    try:
        event = collector.gateway.read_webhook(payload, signature)
    except BadSignature:
        raise WebhookRefusedError from None
    except BadEvent:
        return  # truly Stripe's, and nothing that we read: sending it again is in vain
    async with collector.database.login(caller=_caller()) as session:
        await keep(session, event)


async def keep(session: LoginSession | WorkerSession, event: EventRef) -> bool:
    """Write an event and ask for its job. Returns whether it was new."""
    kept = await repository.keep(session, event)
    failpoint(Failpoint.EVENT_KEPT)
    if kept is None:
        return False
    await enqueue(session, APPLY_JOB, event_id=kept)
    return True


@dataclass(slots=True)
class GapFiller:
    """Takes in what no webhook brought.

    Each process begins with all that Stripe still tells of (30 days), and goes on from what it has
    listed itself. What webhooks brought says nothing about what came before them.
    """

    collector: Collector
    seen: datetime | None = None
    """When the newest event happened that a whole listing has told of."""

    async def fill(self) -> int:
        """Take in what is missing. Returns how many events that were.

        Raises:
            GatewayError: Stripe cannot be asked now.
        """
        if self.collector.gateway is None:
            return 0
        since = None if self.seen is None else self.seen - OVERLAP
        found = [event async for event in self.collector.gateway.list_events(since)]
        taken = 0
        for start in range(0, len(found), BATCH):
            taken += await self._take_in(found[start : start + BATCH])
        if found:
            self.seen = max(event.created_at for event in found)
        return taken

    async def _take_in(self, found: Sequence[EventRef]) -> int:
        async with self.collector.database.worker(caller=_caller()) as session:
            known = await repository.known(session, [event.id for event in found])
        taken = 0
        for event in reversed([one for one in found if one.id not in known]):
            async with self.collector.database.worker(caller=_caller()) as session:
                taken += await keep(session, event)
        return taken


async def ask_again(collector: Collector) -> int:
    """Ask for the events that nothing was made of: their jobs gave up while Stripe was away.

    Running one twice is harmless. What stays so past the week is for the reconciliation to find.
    Returns how many were asked for.
    """
    if collector.gateway is None:
        return 0
    now = system_now()
    async with collector.database.worker(caller=_caller()) as session:
        waiting = await repository.unhandled(session, now - FORGOTTEN, now - PATIENCE)
        wanted = [{"event_id": event_id} for event_id in waiting]
        return await enqueue_missing(session, APPLY_JOB, wanted)


def _caller() -> Caller:
    return Caller("system:gateway", str(uuid7()))
