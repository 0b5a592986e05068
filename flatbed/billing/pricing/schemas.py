"""What the API takes and gives for price lists."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from flatbed.billing.ids import PriceListId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import (
    LARGEST_INTEGER,
    CurrencyCode,
    ExternalRef,
    Input,
    Metadata,
    MoneyMinor,
    Name,
    Output,
)

UnitPrice = Annotated[
    int,
    Field(
        gt=0,
        le=LARGEST_INTEGER,
        description="Integer minor units for one qualified partner.",
        examples=[450000],
    ),
]


class PriceListCreate(Input):
    """A new price. The same name makes its next number; earlier numbers stay as they are."""

    name: Name
    currency: CurrencyCode
    unit_price: UnitPrice
    active: bool = True
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)


class PriceListUpdate(Input):
    """What may change; a member that is left out stays. A price never changes."""

    active: bool | None = None
    external_ref: ExternalRef | None = None
    metadata: Metadata | None = None


class PriceListRead(Output):
    """What a qualified partner costs."""

    id: PriceListId
    name: str
    number: int
    currency: CurrencyCode
    unit_price: MoneyMinor
    active: bool
    external_ref: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime


class PriceListPage(Page):
    """A page of price lists, by last change."""

    data: list[PriceListRead]
