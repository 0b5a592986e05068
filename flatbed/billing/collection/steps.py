"""The steps at Stripe, each safe to repeat at any point: read what is there, add what is missing.

Idempotency keys alone are not enough: they are forgotten after 24 hours, and a stored failure is
repeated under them. So every step looks first. Nothing here touches the database.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from flatbed.billing.collection.rules.bodies import missing_lines
from flatbed.billing.gateway.errors import GatewayMissing
from flatbed.billing.gateway.port import Gateway
from flatbed.billing.gateway.views import CreditNoteView, InvoiceStatus, InvoiceView, LineView
from flatbed.tenants.kit.canonical import digest
from flatbed.tenants.kit.failpoints import Failpoint, failpoint

DRIFT: Final = "amount-drift"
TWICE: Final = "line-twice"
T = TypeVar("T")


class QuarantinedError(Exception):
    """What is at Stripe is not what we billed: a person has to look."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Order:
    """One Stripe invoice to make: frozen bodies, and what it must come to in minor units."""

    customer: str
    bodies: Mapping[str, Any]
    net: int
    gross: int
    key: str


async def collect(gateway: Gateway, order: Order) -> InvoiceView:
    """Bring an invoice to Stripe and finalize it; one that is there already is finished.

    Raises:
        QuarantinedError: its lines or its sum are not ours.
        GatewayError: it could not be done now, or never (`GatewayRefused`).
    """
    found = await _find(gateway, order)
    if found is None:
        body = {**order.bodies["create"], "customer": order.customer}
        found = await gateway.create_invoice(body, f"{order.key}:create")
        failpoint(Failpoint.COLLECTION_DRAFTED)
    if found.status is InvoiceStatus.DRAFT:
        await _fill(gateway, order, found.id)
        found = await gateway.get_invoice(found.id)
    if (found.subtotal, found.total) != (order.net, order.gross):
        raise QuarantinedError(DRIFT)
    if found.status is InvoiceStatus.DRAFT:
        failpoint(Failpoint.COLLECTION_COMPARED)
        # Once more: whoever worked beside us may have made a draft too.
        kept = await _find(gateway, order)
        if kept is not None and kept.id != found.id:
            return await collect(gateway, order)
        finalize = order.bodies["finalize"]
        found = await gateway.finalize_invoice(found.id, finalize, f"{order.key}:finalize")
        failpoint(Failpoint.COLLECTION_FINALIZED)
    return found


async def credit(
    gateway: Gateway, invoice_id: str, bodies: Mapping[str, Any], gross: int, key: str
) -> CreditNoteView:
    """Credit an invoice at Stripe, once.

    What is not paid yet is reduced; what was paid is kept as the customer's credit.

    Raises:
        QuarantinedError: the credit note that is there is not ours.
        GatewayError: it could not be done now, or never (`GatewayRefused`).
    """
    wanted = bodies["metadata"]["invoice_id"]
    async for note in gateway.list_credit_notes(invoice_id):
        if note.metadata.get("invoice_id") == wanted:
            if note.total != gross:
                raise QuarantinedError(DRIFT)
            return note
    invoice = await gateway.get_invoice(invoice_id)
    rates = {
        line.metadata.get("entry_id"): next((tax.rate for tax in line.taxes), None)
        async for line in gateway.list_lines(invoice_id)
    }
    body: dict[str, Any] = {
        "invoice": invoice_id,
        "memo": bodies["memo"],
        "metadata": bodies["metadata"],
        "lines": [_credit_line(line, rates) for line in bodies["lines"]],
    }
    paid = gross - invoice.amount_remaining
    if paid > 0:
        body["credit_amount"] = paid
    made = await gateway.create_credit_note(body, f"{key}:{digest(body)[:16]}")
    failpoint(Failpoint.COLLECTION_CREDITED)
    if made.total != gross:
        raise QuarantinedError(DRIFT)
    return made


async def all_of(found: AsyncIterator[T]) -> list[T]:
    """Every item of a list at Stripe."""
    return [one async for one in found]


async def _find(gateway: Gateway, order: Order) -> InvoiceView | None:
    """Ours at Stripe: a finalized one, else the oldest draft; further drafts are deleted."""
    wanted = order.bodies["create"]["metadata"]
    names = ("statement_id", "invoice_id", "part")
    ours = [
        one
        for one in await all_of(gateway.list_invoices(order.customer))
        if all(one.metadata.get(name) == wanted[name] for name in names)
        and one.status is not InvoiceStatus.VOID
    ]
    ours.sort(key=lambda one: (one.status is InvoiceStatus.DRAFT, one.created_at, one.id))
    for spare in ours[1:]:
        if spare.status is not InvoiceStatus.DRAFT:
            raise QuarantinedError("invoice-twice")
        try:
            await gateway.delete_draft(spare.id)
        except GatewayMissing:
            continue
    return ours[0] if ours else None


async def _fill(gateway: Gateway, order: Order, invoice_id: str) -> None:
    present = await all_of(gateway.list_lines(invoice_id))
    _once(present)
    entries = [line.metadata.get("entry_id", "") for line in present]
    missing = missing_lines(order.bodies["lines"], entries)
    if missing:
        key = f"{order.key}:lines:{digest([invoice_id, missing])[:16]}"
        await gateway.add_lines(invoice_id, {"lines": list(missing)}, key)
        failpoint(Failpoint.COLLECTION_FILLED)
        _once(await all_of(gateway.list_lines(invoice_id)))


def _once(lines: list[LineView]) -> None:
    entries = [line.metadata.get("entry_id") for line in lines]
    if len(set(entries)) < len(entries):
        raise QuarantinedError(TWICE)


def _credit_line(line: Mapping[str, Any], rates: Mapping[str | None, str | None]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": "custom_line_item",
        "description": line["description"],
        "quantity": 1,
        "unit_amount": line["amount"],
    }
    rate = rates.get(line["corrected_entry_id"])
    if line["tax"] and rate is not None:
        body["tax_amounts"] = [
            {"amount": line["tax"], "taxable_amount": line["amount"], "tax_rate": rate}
        ]
    return body
