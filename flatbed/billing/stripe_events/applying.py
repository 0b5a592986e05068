"""Apply an event: ask Stripe what the object is now, and write that.

An event says where to look, never what to write: any order and any number of events end in the
same state.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flatbed.billing.accounts import repository as accounts
from flatbed.billing.accounts.standing import GOOD
from flatbed.billing.collection import repository as collections
from flatbed.billing.collection.collector import Collector
from flatbed.billing.collection.models import Collection
from flatbed.billing.gateway.errors import GatewayMissing
from flatbed.billing.gateway.port import Gateway
from flatbed.billing.gateway.views import InvoiceStatus, InvoiceView, SetupView
from flatbed.billing.stripe_events import repository
from flatbed.billing.stripe_events.models import GatewayEvent
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import Caller, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint

LATE: Final = frozenset({"invoice.overdue", "invoice.payment_failed"})
"""What an unpaid invoice is told to be late by."""
TRIES: Final = 5
CALLER: Final = Caller("system:gateway", request_id="")


class StaleError(Exception):
    """The row was written again and again while it was read; the job is tried again."""


async def apply_event(collector: Collector, event_id: UUID) -> None:
    """Bring our rows to what the event's object is at Stripe now.

    Raises:
        GatewayError: Stripe cannot be asked now; the job is tried again.
    """
    async with collector.database.worker(caller=CALLER) as session:
        event = await repository.find(session, event_id)
    if event is None or event.handled_at is not None or collector.gateway is None:
        return
    outcome = "not_ours"
    if event.live == collector.is_live:
        try:
            outcome = await _apply(collector, collector.gateway, event)
        except GatewayMissing:
            outcome = "gone"
    failpoint(Failpoint.EVENT_APPLIED)
    async with collector.database.worker(caller=CALLER) as session:
        await repository.handled(session, event_id, outcome)


async def _apply(collector: Collector, gateway: Gateway, event: GatewayEvent) -> str:
    if event.object_id is None:
        return "not_ours"
    if event.object_type == "checkout.session":
        return await _apply_setup(collector, gateway, await gateway.get_setup(event.object_id))
    found = "not_ours"
    for invoice_id in await _invoices(gateway, event.object_type, event.object_id):
        if await apply_invoice(collector, gateway, invoice_id, is_late=event.type in LATE):
            found = "applied"
    return found


async def _invoices(gateway: Gateway, kind: str, object_id: str) -> tuple[str, ...]:
    """The invoices that an object concerns."""
    match kind:
        case "invoice":
            return (object_id,)
        case "credit_note":
            return ((await gateway.get_credit_note(object_id)).invoice,)
        case "refund":
            payment = (await gateway.get_refund(object_id)).payment
        case "dispute":
            payment = (await gateway.get_dispute(object_id)).payment
        case _:
            return ()
    return () if payment is None else await gateway.invoices_of_payment(payment)


async def apply_invoice(
    collector: Collector, gateway: Gateway, external_id: str, *, is_late: bool = False
) -> bool:
    """Write what an invoice at Stripe is now. Returns whether it is one of ours.

    Raises:
        GatewayError: Stripe cannot be asked now.
        StaleError: others wrote the row each time meanwhile.
    """
    for _ in range(TRIES):
        # The row is read before Stripe is asked: what was asked earlier never overwrites.
        view = await gateway.get_invoice(external_id)
        place = _place(view.metadata)
        if place is None:
            return False
        realm_id, tenant_id, invoice_id, part = place
        row = await _row(collector, realm_id, tenant_id, invoice_id, part)
        if row is None:
            return False
        view = await gateway.get_invoice(external_id)
        async with collector.tenant(realm_id, tenant_id) as session:
            if await _write(session, row, view, is_late=is_late):
                await _restand(session)
                return True
    raise StaleError


async def _write(
    session: TenantSession, row: Collection, view: InvoiceView, *, is_late: bool
) -> bool:
    is_open = view.status in {InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE}
    since: datetime | None = row.overdue_since if is_open else None
    if is_open and is_late and since is None:
        since = session.now()
    values = {
        "external_id": view.id,
        "external_status": view.status.value,
        "amount_due": view.amount_due,
        "amount_paid": view.amount_paid,
        "hosted_url": view.hosted_url,
        "overdue_since": since,
    }
    if all(getattr(row, name) == value for name, value in values.items()):
        return True
    if not await collections.change(session, row, **values):
        return False
    if view.status.value != row.external_status:
        figures = {"part": row.part, "status": view.status.value, "paid": view.amount_paid}
        mutation(session, "invoice.status_changed", "inv", row.invoice_id, figures)
    return True


async def _restand(session: TenantSession) -> None:
    """The ISV's standing follows from all its invoices; it pauses ordering, nothing else."""
    account = await accounts.find(session, lock=True)
    if account is None:
        return
    standing = standing_of(await collections.everything(session))
    if standing != account.standing:
        account.standing = standing
        account.standing_since = account.updated_at = session.now()
        figures = {"standing": standing}
        mutation(session, "billing_account.standing_changed", "org", session.tenant_id, figures)
        await session.flush()


def standing_of(rows: Any) -> str:  # noqa: ANN401 - rows, or what looks like them
    """``suspended`` by a debt that was given up, ``overdue`` by one that is late, else ``good``."""
    if any(row.external_status == InvoiceStatus.UNCOLLECTIBLE for row in rows):
        return "suspended"
    late = (row.external_status == InvoiceStatus.OPEN and row.overdue_since for row in rows)
    return "overdue" if any(late) else GOOD


async def _apply_setup(collector: Collector, gateway: Gateway, setup: SetupView) -> str:
    """A payment method was left: it is the customer's, and ours to name."""
    place = _tenant_of(setup.metadata)
    if place is None or setup.customer is None or setup.payment_method is None:
        return "not_ours"
    async with collector.tenant(*place) as session:
        account = await accounts.find(session)
        is_ours = account is not None and account.customer_ref == setup.customer
        if not is_ours or not await collector.serves(session):
            return "not_ours"
    key = f"{setup.customer}:{setup.payment_method}"
    await gateway.set_default_payment_method(setup.customer, setup.payment_method, key)
    async with collector.tenant(*place) as session:
        account = await accounts.find(session, lock=True)
        if account is None:
            return "gone"
        account.payment_method_ref = setup.payment_method
        account.updated_at = session.now()
        fields = {"fields": ["payment_method"]}
        mutation(session, "billing_account.updated", "org", session.tenant_id, fields)
        await session.flush()
    return "applied"


async def _row(
    collector: Collector, realm_id: UUID, tenant_id: UUID, invoice_id: UUID, part: int
) -> Collection | None:
    async with collector.tenant(realm_id, tenant_id) as session:
        if not await collector.serves(session):
            return None  # a test key never touches a live realm: what it names is not ours
        rows = await collections.parts(session, invoice_id)
        return next((row for row in rows if row.part == part), None)


def _tenant_of(metadata: Mapping[str, str]) -> tuple[UUID, UUID] | None:
    try:
        return UUID(metadata["realm_id"]), UUID(metadata["tenant_id"])
    except (KeyError, ValueError):
        return None


def _place(metadata: Mapping[str, str]) -> tuple[UUID, UUID, UUID, int] | None:
    """Which of our rows an invoice is; None for one that is not ours."""
    try:
        return (
            UUID(metadata["realm_id"]),
            UUID(metadata["tenant_id"]),
            UUID(metadata["invoice_id"]),
            int(metadata["part"]),
        )
    except (KeyError, ValueError):
        return None
