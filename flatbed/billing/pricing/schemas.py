"""What the API takes and gives for price lists."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from flatbed.billing.ids import PriceListId
from flatbed.billing.pricing.rules.tiers import Price, Tier
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


MOST_TIERS = 50
FromUnit = Annotated[
    int,
    Field(
        ge=2,
        le=LARGEST_INTEGER,
        description="The first unit of a campaign that has this price, counted from 1.",
        examples=[11],
    ),
]


class TierCreate(Input):
    """A graduated tier: units before it keep their price."""

    from_unit: FromUnit
    unit_price: UnitPrice


class TierRead(Output):
    """From the `from_unit`-th unit of a campaign on, a unit costs `unit_price`."""

    from_unit: int
    unit_price: MoneyMinor


class PriceListCreate(Input):
    """A new price. The same name makes its next number; earlier numbers stay as they are."""

    name: Name
    currency: CurrencyCode
    unit_price: UnitPrice
    tiers: Annotated[
        list[TierCreate],
        Field(
            max_length=MOST_TIERS,
            description="Graduated, cumulative per campaign, ascending by `from_unit`.",
        ),
    ] = Field(default_factory=list)
    active: bool = True
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        self.price()
        return self

    def price(self) -> Price:
        """The price that the rules know.

        Raises:
            TierError: tiers that do not ascend.
        """
        tiers = tuple(Tier(one.from_unit, one.unit_price) for one in self.tiers)
        return Price(self.unit_price, tiers)


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
    tiers: list[TierRead]
    active: bool
    external_ref: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime


class PriceListPage(Page):
    """A page of price lists, by last change."""

    data: list[PriceListRead]
