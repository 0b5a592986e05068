"""The port on Stripe itself, or on the fake, which speaks the same protocol."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import quote

import httpx

from flatbed.billing.gateway import reading
from flatbed.billing.gateway.calls import Calls, Machinery
from flatbed.billing.gateway.errors import BadEvent, BadSignature, GatewayUnavailable
from flatbed.billing.gateway.port import SUBSCRIBED, Gateway
from flatbed.billing.gateway.reading import Data, Unreadable
from flatbed.billing.gateway.rules.signature import Untrusted, verify
from flatbed.billing.gateway.settings import StripeSettings
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
from flatbed.tenants.kit.clock import system_now

PAGE: Final = 100
"""Objects of one list request; Stripe gives no more."""
T = TypeVar("T")


def connect(
    settings: StripeSettings, transport: httpx.AsyncBaseTransport | None = None
) -> Gateway | None:
    """The gateway, if there is a key."""
    return None if settings.key is None else StripeGateway(settings, transport)


class StripeGateway:
    """`Gateway` over HTTPS.

    Args:
        settings: they hold a key.
        transport: another way than the network.
        machinery: time and chance of retries.
        clock: the time that webhooks' signatures are judged by.
    """

    def __init__(
        self,
        settings: StripeSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        machinery: Machinery | None = None,
        clock: Callable[[], datetime] = system_now,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.calls = Calls(settings, transport, machinery)

    def __repr__(self) -> str:
        return f"StripeGateway({self._settings.base_url}, {self._settings.mode})"

    async def close(self) -> None:
        """Close the connections."""
        await self.calls.close()

    async def create_customer(self, body: Body, key: str) -> CustomerView:
        """See `Gateway`."""
        return await self._post("/v1/customers", reading.customer, body, key)

    async def update_customer(self, customer: str, body: Body, key: str) -> CustomerView:
        """See `Gateway`."""
        return await self._post(f"/v1/customers/{_id(customer)}", reading.customer, body, key)

    async def get_customer(self, customer: str) -> CustomerView:
        """See `Gateway`."""
        return await self._get(f"/v1/customers/{_id(customer)}", reading.customer)

    def list_tax_ids(self, customer: str) -> AsyncIterator[TaxIdView]:
        """See `Gateway`."""
        return self._pages(f"/v1/customers/{_id(customer)}/tax_ids", reading.tax_id)

    async def create_tax_id(self, customer: str, kind: str, value: str, key: str) -> TaxIdView:
        """See `Gateway`."""
        path = f"/v1/customers/{_id(customer)}/tax_ids"
        return await self._post(path, reading.tax_id, {"type": kind, "value": value}, key)

    async def delete_tax_id(self, customer: str, tax_id: str) -> None:
        """See `Gateway`."""
        await self.calls.call("delete", f"/v1/customers/{_id(customer)}/tax_ids/{_id(tax_id)}")

    async def create_setup(self, body: Body, key: str) -> SetupView:
        """See `Gateway`."""
        params = {**body, "mode": "setup"}
        return await self._post("/v1/checkout/sessions", reading.setup, params, key)

    async def get_setup(self, setup: str) -> SetupView:
        """See `Gateway`."""
        path = f"/v1/checkout/sessions/{_id(setup)}"
        return await self._get(path, reading.setup, {"expand": ["setup_intent"]})

    async def set_default_payment_method(
        self, customer: str, payment_method: str, key: str
    ) -> CustomerView:
        """See `Gateway`."""
        body: Body = {"invoice_settings": {"default_payment_method": payment_method}}
        return await self.update_customer(customer, body, key)

    async def create_portal(self, body: Body, key: str) -> PortalView:
        """See `Gateway`."""
        return await self._post("/v1/billing_portal/sessions", reading.portal, body, key)

    def list_invoices(self, customer: str) -> AsyncIterator[InvoiceView]:
        """See `Gateway`. A list, never Search, which lags behind what was written."""
        return self._pages("/v1/invoices", reading.invoice, {"customer": customer})

    async def create_invoice(self, body: Body, key: str) -> InvoiceView:
        """See `Gateway`."""
        return await self._post("/v1/invoices", reading.invoice, body, key)

    async def get_invoice(self, invoice: str) -> InvoiceView:
        """See `Gateway`."""
        return await self._get(f"/v1/invoices/{_id(invoice)}", reading.invoice)

    def list_lines(self, invoice: str) -> AsyncIterator[LineView]:
        """See `Gateway`."""
        return self._pages(f"/v1/invoices/{_id(invoice)}/lines", reading.line)

    async def add_lines(self, invoice: str, body: Body, key: str) -> InvoiceView:
        """See `Gateway`."""
        return await self._act(invoice, "add_lines", body, key)

    async def finalize_invoice(self, invoice: str, body: Body, key: str) -> InvoiceView:
        """See `Gateway`."""
        return await self._act(invoice, "finalize", body, key)

    async def delete_draft(self, invoice: str) -> None:
        """See `Gateway`."""
        await self.calls.call("delete", f"/v1/invoices/{_id(invoice)}")

    async def void_invoice(self, invoice: str, key: str) -> InvoiceView:
        """See `Gateway`."""
        return await self._act(invoice, "void", {}, key)

    async def mark_uncollectible(self, invoice: str, key: str) -> InvoiceView:
        """See `Gateway`."""
        return await self._act(invoice, "mark_uncollectible", {}, key)

    async def create_credit_note(self, body: Body, key: str) -> CreditNoteView:
        """See `Gateway`."""
        return await self._post("/v1/credit_notes", reading.credit_note, body, key)

    async def get_credit_note(self, credit_note: str) -> CreditNoteView:
        """See `Gateway`."""
        return await self._get(f"/v1/credit_notes/{_id(credit_note)}", reading.credit_note)

    def list_credit_notes(self, invoice: str) -> AsyncIterator[CreditNoteView]:
        """See `Gateway`."""
        return self._pages("/v1/credit_notes", reading.credit_note, {"invoice": invoice})

    async def get_refund(self, refund: str) -> RefundView:
        """See `Gateway`."""
        return await self._get(f"/v1/refunds/{_id(refund)}", reading.refund)

    async def get_dispute(self, dispute: str) -> DisputeView:
        """See `Gateway`."""
        return await self._get(f"/v1/disputes/{_id(dispute)}", reading.dispute)

    async def invoices_of_payment(self, payment: str) -> tuple[str, ...]:
        """See `Gateway`."""
        params: Body = {"payment": {"type": "payment_intent", "payment_intent": payment}}
        found = self._pages("/v1/invoice_payments", reading.paid_invoice, params)
        return tuple([invoice async for invoice in found])

    def list_events(
        self, since: datetime | None = None, types: Sequence[str] = SUBSCRIBED
    ) -> AsyncIterator[EventRef]:
        """See `Gateway`."""
        params: dict[str, Body | Sequence[str]] = {"types": tuple(types)}
        if since is not None:
            params["created"] = {"gte": int(since.timestamp())}
        return self._pages("/v1/events", reading.event, params)

    async def get_event(self, event: str) -> EventRef:
        """See `Gateway`."""
        return await self._get(f"/v1/events/{_id(event)}", reading.event)

    def read_webhook(self, payload: bytes, signature: str) -> EventRef:
        """See `Gateway`."""
        secret = self._settings.webhook_secret
        if secret is None:
            raise BadSignature("no-secret")
        try:
            verify(
                payload,
                signature,
                secret.get_secret_value(),
                int(self._clock().timestamp()),
                self._settings.tolerance_seconds,
            )
        except Untrusted as untrusted:
            raise BadSignature(untrusted.code) from None
        try:
            return reading.read(reading.event, json.loads(payload))
        except (Unreadable, ValueError, RecursionError):
            raise BadEvent("unreadable") from None

    async def _post(self, path: str, reader: Callable[[Data], T], body: Body, key: str) -> T:
        return _read(reader, await self.calls.call("post", path, body, key))

    async def _act(self, invoice: str, verb: str, body: Body, key: str) -> InvoiceView:
        return await self._post(f"/v1/invoices/{_id(invoice)}/{verb}", reading.invoice, body, key)

    async def _get(self, path: str, reader: Callable[[Data], T], params: Body | None = None) -> T:
        return _read(reader, await self.calls.call("get", path, params))

    async def _pages(
        self, path: str, reader: Callable[[Data], T], params: Body | None = None
    ) -> AsyncIterator[T]:
        asked: Body = {**(params or {}), "limit": PAGE}
        while True:
            page = await self.calls.call("get", path, asked)
            items, cursor = _read(_page, page)
            for item in items:
                yield _read(reader, item)
            if cursor is None:
                return
            asked = {**asked, "starting_after": cursor}


def _page(data: Data) -> tuple[Sequence[Data], str | None]:
    """The objects of a page and where the next one begins, if there is one."""
    items = data["data"]
    # "More" behind an empty page would be asked for without end: it raises.
    return items, items[-1]["id"] if data["has_more"] is True else None


def _read(reader: Callable[[Data], T], data: Data) -> T:
    try:
        return reading.read(reader, data)
    except Unreadable:
        raise GatewayUnavailable("unreadable", in_doubt=True) from None


def _id(given: str) -> str:
    """An id as a step of a path. An empty one would make the list of it."""
    if not given:
        raise ValueError("an empty id")
    return quote(given, safe="")
