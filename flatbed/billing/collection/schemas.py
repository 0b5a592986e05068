"""What the API takes and gives for paying."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from flatbed.billing.ids import InvoiceId
from flatbed.tenants.kit.schemas import Input, Output

Link = Annotated[
    str,
    Field(
        pattern="^https://[a-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[!-~]{0,1500})?$",
        description="Where the provider sends the browser back to.",
        examples=["https://isv.example/billing"],
    ),
]


class PaymentSetupCreate(Input):
    """Where to come back to after a payment method was left, or not."""

    success_url: Link
    cancel_url: Link


class PortalSessionCreate(Input):
    """Where to come back to from the provider's pages."""

    return_url: Link


class ProviderLink(Output):
    """A short-lived page of the payment provider."""

    url: str


class CollectionRead(Output):
    """How an invoice is collected; amounts are minor units of its currency, tax included."""

    invoice_id: InvoiceId
    part: Annotated[int, Field(description="1, unless it has more lines than the provider takes.")]
    state: Annotated[str, Field(examples=["pending", "done", "quarantined", "not_collected"])]
    status: Annotated[
        str | None, Field(description="At the provider.", examples=["open", "paid", "issued"])
    ]
    amount_due: int | None
    amount_paid: int | None
    url: Annotated[str | None, Field(description="Where it can be paid.")]
    overdue_since: datetime | None


class CollectionList(Output):
    """How an invoice is collected, by part."""

    data: list[CollectionRead]
