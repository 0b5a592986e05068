"""Stripe's JSON as our values. What is missing or of another type raises `Unreadable`."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

from flatbed.billing.gateway.views import (
    CreditNoteView,
    CustomerView,
    DisputeView,
    EventRef,
    InvoiceStatus,
    InvoiceView,
    LineTax,
    LineView,
    PortalView,
    RefundView,
    SetupStatus,
    SetupView,
    TaxIdView,
)

Data: TypeAlias = Mapping[str, Any]
T = TypeVar("T")


class Unreadable(Exception):
    """An answer that is not what the API describes."""


def read(reader: Callable[[Data], T], data: Data) -> T:
    """What the reader makes of an answer.

    Raises:
        Unreadable: a member is missing or of another type.
    """
    try:
        return reader(data)
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError):
        raise Unreadable from None


def customer(data: Data) -> CustomerView:
    """A customer, deleted or not."""
    settings = data.get("invoice_settings") or {}
    is_deleted = data.get("deleted") is True
    return CustomerView(
        id=_text(data["id"]),
        name=_maybe(data.get("name")),
        email=_maybe(data.get("email")),
        default_payment_method=_ref(settings.get("default_payment_method")),
        metadata=_metadata(data),
        deleted=is_deleted,
        # What is left of a deleted customer does not say.
        live=not is_deleted and _flag(data["livemode"]),
    )


def tax_id(data: Data) -> TaxIdView:
    """A tax id."""
    return TaxIdView(
        id=_text(data["id"]),
        kind=_text(data["type"]),
        value=_text(data["value"]),
        verification=_maybe((data.get("verification") or {}).get("status")),
    )


def setup(data: Data) -> SetupView:
    """A Checkout session whose ``setup_intent`` is expanded where it has one."""
    intent = data.get("setup_intent")
    expanded = intent if isinstance(intent, Mapping) else {}
    return SetupView(
        id=_text(data["id"]),
        status=SetupStatus(data["status"]),
        customer=_ref(data.get("customer")),
        url=_maybe(data.get("url")),
        payment_method=_ref(expanded.get("payment_method")),
        expires_at=_instant(data["expires_at"]),
        metadata=_metadata(data),
    )


def portal(data: Data) -> PortalView:
    """A session of the customer portal."""
    return PortalView(id=_text(data["id"]), url=_text(data["url"]))


def invoice(data: Data) -> InvoiceView:
    """An invoice."""
    moments = data["status_transitions"]
    return InvoiceView(
        id=_text(data["id"]),
        number=_maybe(data.get("number")),
        status=InvoiceStatus(data["status"]),
        customer=_needed_ref(data["customer"]),
        currency=_currency(data),
        subtotal=_whole(data["subtotal"]),
        tax=sum(_whole(tax["amount"]) for tax in data.get("total_taxes") or ()),
        total=_whole(data["total"]),
        amount_due=_whole(data["amount_due"]),
        amount_paid=_whole(data["amount_paid"]),
        amount_remaining=_whole(data["amount_remaining"]),
        pre_payment_credits=_whole(data["pre_payment_credit_notes_amount"]),
        post_payment_credits=_whole(data["post_payment_credit_notes_amount"]),
        collection_method=_text(data["collection_method"]),
        auto_advance=_flag(data["auto_advance"]),
        attempted=_flag(data["attempted"]),
        created_at=_instant(data["created"]),
        finalized_at=_moment(moments.get("finalized_at")),
        due_at=_moment(data.get("due_date")),
        paid_at=_moment(moments.get("paid_at")),
        hosted_url=_maybe(data.get("hosted_invoice_url")),
        pdf_url=_maybe(data.get("invoice_pdf")),
        metadata=_metadata(data),
        live=_flag(data["livemode"]),
    )


def line(data: Data) -> LineView:
    """A line of an invoice."""
    return LineView(
        id=_text(data["id"]),
        currency=_currency(data),
        amount=_whole(data["amount"]),
        description=_maybe(data.get("description")),
        taxes=tuple(_tax(tax) for tax in data.get("taxes") or ()),
        metadata=_metadata(data),
    )


def _tax(data: Data) -> LineTax:
    taxable = data.get("taxable_amount")
    return LineTax(
        amount=_whole(data["amount"]),
        taxable_amount=None if taxable is None else _whole(taxable),
        rate=_ref((data.get("tax_rate_details") or {}).get("tax_rate")),
        inclusive=data["tax_behavior"] == "inclusive",
    )


def credit_note(data: Data) -> CreditNoteView:
    """A credit note."""
    return CreditNoteView(
        id=_text(data["id"]),
        number=_text(data["number"]),
        status=_text(data["status"]),
        invoice=_needed_ref(data["invoice"]),
        customer=_needed_ref(data["customer"]),
        currency=_currency(data),
        subtotal=_whole(data["subtotal"]),
        total=_whole(data["total"]),
        pre_payment_amount=_whole(data["pre_payment_amount"]),
        post_payment_amount=_whole(data["post_payment_amount"]),
        created_at=_instant(data["created"]),
        pdf_url=_text(data["pdf"]),
        metadata=_metadata(data),
        live=_flag(data["livemode"]),
    )


def refund(data: Data) -> RefundView:
    """A refund."""
    return RefundView(
        id=_text(data["id"]),
        status=_maybe(data.get("status")),
        currency=_currency(data),
        amount=_whole(data["amount"]),
        payment=_ref(data.get("payment_intent")),
    )


def dispute(data: Data) -> DisputeView:
    """A dispute."""
    return DisputeView(
        id=_text(data["id"]),
        status=_text(data["status"]),
        reason=_text(data["reason"]),
        currency=_currency(data),
        amount=_whole(data["amount"]),
        payment=_ref(data.get("payment_intent")),
    )


def paid_invoice(data: Data) -> str:
    """The invoice that an invoice payment belongs to."""
    return _needed_ref(data["invoice"])


def event(data: Data) -> EventRef:
    """An event of either source: listed, or sent to our webhook."""
    if data["object"] != "event":
        raise ValueError
    concerned = data["data"]["object"]
    return EventRef(
        id=_text(data["id"]),
        type=_text(data["type"]),
        object_type=_text(concerned["object"]),
        object_id=_maybe(concerned.get("id")),
        created_at=_instant(data["created"]),
        live=_flag(data["livemode"]),
    )


def _text(value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise TypeError


def _maybe(value: object) -> str | None:
    return None if value is None or value == "" else _text(value)


def _ref(value: object) -> str | None:
    """The id of an object that may be expanded."""
    return _maybe(value["id"] if isinstance(value, Mapping) else value)


def _needed_ref(value: object) -> str:
    return _text(_ref(value))


def _whole(value: object) -> int:
    # A bool is an int to Python, and 12.0 is how a careless sender writes money.
    if type(value) is int:
        return value
    raise TypeError


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError


def _currency(data: Data) -> str:
    return _text(data["currency"]).upper()


def _instant(value: object) -> datetime:
    return datetime.fromtimestamp(_whole(value), UTC)


def _moment(value: object) -> datetime | None:
    return None if value is None else _instant(value)


def _metadata(data: Data) -> Mapping[str, str]:
    return {_text(key): str(value) for key, value in (data.get("metadata") or {}).items()}
