"""The port to the payment provider: what billing asks of it, and nothing more.

Every write takes an idempotency key (1 to 255 visible ASCII characters). The provider forgets a
key after 24 hours and replays a stored failure until then, so a key alone makes nothing safe:
read first, write what is missing. Every call may raise `GatewayUnavailable`, `GatewayDenied` and,
where an object is named, `GatewayMissing`; every write `GatewayRefused` and `GatewayConflict`.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final, Protocol

from flatbed.billing.gateway.views import (
    Body,
    CreditNoteView,
    CustomerView,
    DisputeView,
    EventRef,
    InvoiceView,
    LineView,
    PortalView,
    RefundView,
    SetupView,
    TaxIdView,
)

MOST_LINES: Final = 250
"""Lines of one invoice; a longer statement is split."""
LONGEST_NUMBER: Final = 26
"""Characters of an invoice's number."""
LONGEST_KEY: Final = 255
"""Characters of an idempotency key."""

SUBSCRIBED: Final = (
    "checkout.session.completed",
    "invoice.finalized",
    "invoice.finalization_failed",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.overdue",
    "invoice.voided",
    "invoice.marked_uncollectible",
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
"""The events that billing acts on: what the webhook endpoint subscribes to and gaps are filled
with. Stripe lists at most 20 types in one request."""


class CustomerGateway(Protocol):
    """Customers, their tax ids, and how they pay."""

    async def create_customer(self, body: Body, key: str) -> CustomerView:
        """Make a customer (``POST /v1/customers``)."""
        ...

    async def update_customer(self, customer: str, body: Body, key: str) -> CustomerView:
        """Change what the body names; metadata are merged, an empty text removes a value."""
        ...

    async def get_customer(self, customer: str) -> CustomerView:
        """The customer; a deleted one is answered too, and says so."""
        ...

    def list_tax_ids(self, customer: str) -> AsyncIterator[TaxIdView]:
        """The customer's tax ids, newest first."""
        ...

    async def create_tax_id(self, customer: str, kind: str, value: str, key: str) -> TaxIdView:
        """Add a tax id of a Stripe kind, such as ``eu_vat``. An equal one is added again."""
        ...

    async def delete_tax_id(self, customer: str, tax_id: str) -> None:
        """Remove a tax id; `GatewayMissing` when it is gone already."""
        ...

    async def create_setup(self, body: Body, key: str) -> SetupView:
        """Open a Checkout session that collects a payment method; ``mode`` is added."""
        ...

    async def get_setup(self, setup: str) -> SetupView:
        """The Checkout session, with the payment method once it is complete."""
        ...

    async def set_default_payment_method(
        self, customer: str, payment_method: str, key: str
    ) -> CustomerView:
        """Let the customer's invoices be charged to this payment method."""
        ...

    async def create_portal(self, body: Body, key: str) -> PortalView:
        """Open a session of the customer portal."""
        ...


class InvoiceGateway(Protocol):
    """Invoices, their lines and their credit notes."""

    def list_invoices(self, customer: str) -> AsyncIterator[InvoiceView]:
        """All invoices of a customer, drafts included, newest first. Read after write holds."""
        ...

    async def create_invoice(self, body: Body, key: str) -> InvoiceView:
        """Make a draft."""
        ...

    async def get_invoice(self, invoice: str) -> InvoiceView:
        """The invoice as it is now."""
        ...

    def list_lines(self, invoice: str) -> AsyncIterator[LineView]:
        """All lines of an invoice, in no promised order."""
        ...

    async def add_lines(self, invoice: str, body: Body, key: str) -> InvoiceView:
        """Add the body's ``lines`` to a draft, all or none; `MOST_LINES` in all."""
        ...

    async def finalize_invoice(self, invoice: str, body: Body, key: str) -> InvoiceView:
        """Make a draft an open invoice, or a paid one if nothing is due. It is then unchangeable.

        The number, unless the draft has ours, the amounts due and the due date are set now.
        """
        ...

    async def delete_draft(self, invoice: str) -> None:
        """Remove a draft; `GatewayMissing` when it is gone already."""
        ...

    async def void_invoice(self, invoice: str, key: str) -> InvoiceView:
        """Void an open or uncollectible invoice."""
        ...

    async def mark_uncollectible(self, invoice: str, key: str) -> InvoiceView:
        """Write an open invoice off; it may still be paid."""
        ...

    async def create_credit_note(self, body: Body, key: str) -> CreditNoteView:
        """Credit a finalized invoice, up to its total.

        What is not yet paid is reduced first; the rest must be named in the body as
        ``refund_amount``, ``credit_amount`` or ``out_of_band_amount``.
        """
        ...

    async def get_credit_note(self, credit_note: str) -> CreditNoteView:
        """The credit note as it is now."""
        ...

    def list_credit_notes(self, invoice: str) -> AsyncIterator[CreditNoteView]:
        """All credit notes on an invoice, newest first."""
        ...


class PaymentGateway(Protocol):
    """What events about payments name, and the way back to the invoice."""

    async def get_refund(self, refund: str) -> RefundView:
        """The refund as it is now."""
        ...

    async def get_dispute(self, dispute: str) -> DisputeView:
        """The dispute as it is now."""
        ...

    async def invoices_of_payment(self, payment: str) -> tuple[str, ...]:
        """The invoices that a payment (of a refund or dispute) went to."""
        ...


class EventGateway(Protocol):
    """What happened at the provider."""

    def list_events(
        self, since: datetime | None = None, types: Sequence[str] = SUBSCRIBED
    ) -> AsyncIterator[EventRef]:
        """Events of these types from ``since`` on, newest first; the provider keeps 30 days.

        Two events of one second have no order, so ``since`` is given with an overlap.
        """
        ...

    async def get_event(self, event: str) -> EventRef:
        """One event."""
        ...

    def read_webhook(self, payload: bytes, signature: str) -> EventRef:
        """Verify a webhook's raw body against its ``Stripe-Signature`` header, then read it.

        Raises:
            BadSignature: forged, altered, or signed too long ago or too far in the future.
            BadEvent: truly signed, and not an event.
        """
        ...


class Gateway(CustomerGateway, InvoiceGateway, PaymentGateway, EventGateway, Protocol):
    """The whole port."""

    async def close(self) -> None:
        """Close its connections."""
        ...
