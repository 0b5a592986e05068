"""What the gateway answers: plain values. Money in minor units, currencies as ISO 4217 (EUR).

Stripe writes currencies in lower case and instants as seconds; both end here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "str | int | bool | Sequence[Json] | Mapping[str, Json] | None"
Body: TypeAlias = Mapping[str, Json]
"""A request's parameters as they were frozen. Decimal numbers are texts; ``None`` is not sent."""


class InvoiceStatus(StrEnum):
    """An invoice's state. Only a draft can change; paid and void are final."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOID = "void"


class SetupStatus(StrEnum):
    """A Checkout session's state."""

    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class CustomerView:
    """A customer. A deleted one keeps its id and nothing else."""

    id: str
    name: str | None
    email: str | None
    default_payment_method: str | None
    metadata: Mapping[str, str]
    deleted: bool
    live: bool


@dataclass(frozen=True, slots=True)
class TaxIdView:
    """A customer's tax id; ``verification`` is pending, verified, unverified or unavailable."""

    id: str
    kind: str
    value: str
    verification: str | None


@dataclass(frozen=True, slots=True)
class SetupView:
    """A Checkout session in setup mode. ``payment_method`` once it is complete."""

    id: str
    status: SetupStatus
    customer: str | None
    url: str | None
    payment_method: str | None
    expires_at: datetime
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PortalView:
    """A short-lived link to the customer's own pages at Stripe."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """An invoice.

    ``subtotal`` is the sum of the lines before tax, ``total`` includes tax and never changes
    after finalizing. ``amount_due`` is the total less the credits given before payment
    (``pre_payment_credits``); ``amount_remaining`` is what is due and not yet paid.
    """

    id: str
    number: str | None
    status: InvoiceStatus
    customer: str
    currency: str
    subtotal: int
    tax: int
    total: int
    amount_due: int
    amount_paid: int
    amount_remaining: int
    pre_payment_credits: int
    post_payment_credits: int
    collection_method: str
    auto_advance: bool
    attempted: bool
    created_at: datetime
    finalized_at: datetime | None
    due_at: datetime | None
    paid_at: datetime | None
    hosted_url: str | None
    pdf_url: str | None
    metadata: Mapping[str, str]
    live: bool


@dataclass(frozen=True, slots=True)
class LineTax:
    """Tax on a line. ``rate`` is Stripe's id, which a credit note on the line has to name."""

    amount: int
    taxable_amount: int | None
    rate: str | None
    inclusive: bool


@dataclass(frozen=True, slots=True)
class LineView:
    """A line of an invoice; ``amount`` is before exclusive tax."""

    id: str
    currency: str
    amount: int
    description: str | None
    taxes: tuple[LineTax, ...]
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CreditNoteView:
    """A credit note; amounts are positive and ``total`` includes tax.

    ``pre_payment_amount`` reduced what was due, ``post_payment_amount`` was refunded, credited
    to the customer's balance or settled out of band.
    """

    id: str
    number: str
    status: str
    invoice: str
    customer: str
    currency: str
    subtotal: int
    total: int
    pre_payment_amount: int
    post_payment_amount: int
    created_at: datetime
    pdf_url: str
    metadata: Mapping[str, str]
    live: bool


@dataclass(frozen=True, slots=True)
class RefundView:
    """Money given back. ``status`` is pending, requires_action, succeeded, failed or canceled."""

    id: str
    status: str | None
    currency: str
    amount: int
    payment: str | None


@dataclass(frozen=True, slots=True)
class DisputeView:
    """A payment that the customer's bank disputes (chargeback). Closed as ``won`` or ``lost``."""

    id: str
    status: str
    reason: str
    currency: str
    amount: int
    payment: str | None


@dataclass(frozen=True, slots=True)
class EventRef:
    """That something happened to an object; what it is now is asked of the object itself.

    ``created_at`` has whole seconds and says nothing about order. Some kinds of objects have no
    id.
    """

    id: str
    type: str
    object_type: str
    object_id: str | None
    created_at: datetime
    live: bool
