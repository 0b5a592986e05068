"""What the API takes and gives for campaigns."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from flatbed.app.campaigns.method import CampaignState
from flatbed.app.campaigns.offerings.schemas import ProgrammeRead
from flatbed.app.campaigns.profiles.schemas import ProfileVersionRead
from flatbed.app.ids import CampaignId, OfferingId, ProfileId, ProfileVersionId, ProgrammeId
from flatbed.billing.ids import PriceListId
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.schemas import (
    Code,
    ExternalRef,
    Input,
    Metadata,
    MoneyMinor,
    Name,
    Output,
    unset,
)

LARGEST_QUANTITY = 100_000

Quantity = Annotated[
    int, Field(ge=1, le=LARGEST_QUANTITY, description="Qualified partners ordered.", examples=[10])
]
UnitCap = Annotated[int, Field(ge=0, le=LARGEST_QUANTITY, description="Units; null is none.")]
FitFloor = Annotated[
    int, Field(ge=0, le=100, description="A qualified partner's fit is at least this.")
]
RevenueFloor = Annotated[
    MoneyMinor, Field(description="The plan's revenue target is at least this, in minor units.")
]
SharedPartners = Annotated[
    Literal["allow", "deny"],
    Field(description="Whether a partner may be worked for a competing ISV at the same time."),
]
CapName = Literal["units_total", "units_month", "money_total", "money_month"]


class Caps(Input):
    """What may be metered at most. Null is no cap; money in minor units of the currency.

    A cap that is set below what is reserved already takes nothing back; it admits nothing more.
    """

    units_total: UnitCap | None = None
    units_month: UnitCap | None = None
    money_total: MoneyMinor | None = None
    money_month: MoneyMinor | None = None


class CampaignCreate(Input):
    """A draft: nothing is frozen, and nobody works it."""

    name: Name
    offering_id: OfferingId
    programme: Annotated[Code, Field(description="The code of a programme of the offering.")]
    profile_id: ProfileId
    quantity: Quantity
    caps: Caps = Field(default_factory=Caps)
    fit_floor: FitFloor = 60
    revenue_floor: RevenueFloor = 0
    shared_partners: SharedPartners = "deny"
    continue_after_fill: bool = False
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=dict)


class CampaignUpdate(Input):
    """What may change; a member that is left out stays.

    All of it in a draft. Later only `name`, `continue_after_fill`, `external_ref` and `metadata`,
    and `caps` until the campaign has ended; caps that are left out stay.
    """

    name: Name = Field(default_factory=unset)
    programme: Code = Field(default_factory=unset)
    profile_id: ProfileId = Field(default_factory=unset)
    quantity: Quantity = Field(default_factory=unset)
    caps: Caps = Field(default_factory=unset)
    fit_floor: FitFloor = Field(default_factory=unset)
    revenue_floor: RevenueFloor = Field(default_factory=unset)
    shared_partners: SharedPartners = Field(default_factory=unset)
    continue_after_fill: bool = Field(default_factory=unset)
    external_ref: ExternalRef | None = None
    metadata: Metadata = Field(default_factory=unset)


class CampaignOrder(Input):
    """An order at the price of the agency's list, or at none but the expected one."""

    expected_unit_price: Annotated[
        MoneyMinor | None, Field(description="Refuse the order if the price is another one.")
    ] = None


class CapsRead(Output):
    """What may be metered at most; null is no cap."""

    units_total: int | None
    units_month: int | None
    money_total: int | None
    money_month: int | None


class PriceTier(Output):
    """From the campaign's `from_unit`-th billed unit on, a unit costs `unit_price`."""

    from_unit: int
    unit_price: int


class CampaignRead(Output):
    """A campaign. A hunter sees null for price list, prices and `caps`."""

    id: CampaignId
    name: str
    status: CampaignState
    offering_id: OfferingId
    programme_id: ProgrammeId
    profile_id: ProfileId
    profile_version_id: Annotated[ProfileVersionId | None, Field(description="Frozen at order.")]
    quantity: int
    accepted_count: int
    currency: str
    price_list_id: Annotated[PriceListId | None, Field(description="Frozen at order.")]
    unit_price: Annotated[int | None, Field(description="Frozen at order, in minor units.")]
    price_tiers: Annotated[
        list[PriceTier] | None,
        Field(description="Graduated prices of later units, frozen at order."),
    ]
    caps: CapsRead | None
    fit_floor: int
    revenue_floor: int
    shared_partners: SharedPartners
    continue_after_fill: bool
    rubric: Annotated[
        dict[str, Any] | None, Field(description="The numbers of every gate, frozen at order.")
    ]
    ordered_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    external_ref: str | None
    metadata: Metadata
    created_at: datetime
    updated_at: datetime


class CampaignPage(Page):
    """A page of campaigns, by last change."""

    data: list[CampaignRead]


class OfferingBrief(Output):
    """The product, as far as a hunter needs it."""

    id: OfferingId
    name: str
    category: str | None
    description: str | None


class CampaignBrief(Output):
    """All that a hunter may read to work a campaign: no price, no cap, no reference of the ISV."""

    id: CampaignId
    name: str
    status: CampaignState
    offering: OfferingBrief
    programme: ProgrammeRead
    profile_name: str
    profile: ProfileVersionRead
    quantity: int
    accepted_count: int
    fit_floor: int
    revenue_floor: Annotated[int, Field(description="The plan's floor, in minor units.")]
    currency: str
    shared_partners: SharedPartners
    started_at: datetime | None
