"""What the API gives for usage and statements. Money is integer minor units of its currency."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from flatbed.billing.ids import PriceListId, UsageEntryId
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.kit.cursors import Page
from flatbed.tenants.kit.ids import annotations
from flatbed.tenants.kit.schemas import Output

CampaignRef = Annotated[UUID, *annotations("camp")]
"""The campaign of a unit. Billing knows its id and nothing else of it."""
Minor = Annotated[int, Field(description="Integer minor units of the currency.")]


class GroupBy(StrEnum):
    """What usage is summed by; months and days are the tenant's local ones.

    `hunter`, who worked the unit, is for the agency only.
    """

    CAMPAIGN = "campaign"
    PROGRAMME = "programme"
    COUNTRY = "country"
    MONTH = "month"
    DAY = "day"
    HUNTER = "hunter"


class Format(StrEnum):
    """The representation of a report."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"


class Tally(Output):
    """Units, and the sum of their prices."""

    units: int
    amount: Minor


class UsageTotal(Output):
    """Units of one currency by state; nothing is ever added across currencies.

    The amount is what was billed; of units that are not billed yet, what they cost at most. What
    the guarantee gave back is not taken off: the ISV pays `billed` less `credited`.
    """

    currency: str
    pending: Tally
    disputed: Tally
    accepted: Tally
    billed: Tally
    reversed: Tally
    cancelled: Tally
    written_off: Tally
    credited: Annotated[
        int, Field(description="Minor units that the guarantee gave back of what is `billed`.")
    ]


class UsageGroup(UsageTotal):
    """The units of a campaign, a programme or a hunter (its id), a country or a local time.

    The key of a country is its ISO 3166-1 code, of a month `YYYY-MM`, of a day `YYYY-MM-DD`; it
    is null for units that have none.
    """

    key: Annotated[str | None, Field(examples=["2026-03"])]


class LineBase(Output):
    """One metered unit."""

    entry_id: UsageEntryId
    unit_key: Annotated[
        str,
        Field(description="HMAC of programme and company group: equal for the same unit."),
    ]
    generation: Annotated[int, Field(description="1; one more after each void of the unit.")]
    qualification_id: Annotated[str, Field(examples=["qual_01h455vb4pex5vsknk084sn02q"])]
    campaign_id: CampaignRef
    price_list_id: PriceListId
    occurred_at: datetime
    amount: Minor
    currency: str
    dossier: Annotated[str, Field(description="Where the evidence is read.")]
    dossier_hash: str
    hash: Annotated[str, Field(description="The entry's hash in the ledger's chain.")]


class UsageLine(LineBase):
    """One metered unit and what has become of it."""

    state: UsageState
    late: Annotated[bool, Field(description="It occurred before the period that it is in.")]
    credited: Annotated[
        int, Field(description="Minor units that the guarantee gave back of its amount.")
    ]
    replaces_entry_id: Annotated[
        UsageEntryId | None,
        Field(description="The unit that it replaces under the guarantee, for nothing."),
    ]


class ForecastInputs(Output):
    """The numbers that a forecast is made of."""

    window_seconds: Annotated[
        int, Field(description="The trailing 28 days, or the campaign's age if it is less.")
    ]
    recent_units: Annotated[int, Field(description="Units that were qualified in the window.")]
    remaining_seconds: Annotated[int, Field(description="Until the period's end.")]
    room: Annotated[
        int | None,
        Field(description="New units that caps and quantity leave room for; null: no bound."),
    ]
    taken_units: Annotated[
        int,
        Field(description="Accepted or billed, of the ISV's units in 180 days and this currency."),
    ]
    decided_units: Annotated[
        int, Field(description="Those, and the reversed, cancelled and written off ones.")
    ]


class Expectation(Tally):
    """What a campaign is expected to come to by the period's end.

    `units` = `accepted_units` + `open_units` + `new_units`, where `open_units` = (pending +
    disputed) × `taken_units` / `decided_units`, and `new_units` = min(`recent_units` ×
    `remaining_seconds` / `window_seconds`, `room`) × `taken_units` / `decided_units`. Each number
    of units is rounded half to even. `amount` is the money of all of them by the campaign's tiers,
    behind the units that are billed. Replacements under the guarantee cost nothing: only accepted
    ones are counted.
    """

    accepted_units: int
    open_units: int
    new_units: int
    inputs: ForecastInputs


class ForecastBase(Output):
    """What is not billed yet, each unit at the price of its place in its campaign.

    `accepted` would be billed now. `pending` is what the pending units cost if all are taken, and
    `disputed` what the disputed ones cost after them.
    """

    currency: str
    accepted: Tally
    pending: Tally
    disputed: Tally


class CampaignForecast(ForecastBase):
    """A campaign's units that are not billed yet, and what it is expected to come to.

    The forecast is null where there is too little history: a campaign younger than 7 days or with
    fewer than 5 units in 180 days, or an ISV with fewer than 5 decided ones in the currency.
    """

    campaign_id: CampaignRef
    forecast: Expectation | None


class CurrencyForecast(ForecastBase):
    """The sums over the campaigns of one currency; nothing is ever added across currencies.

    A campaign without a forecast counts with what is accepted; the forecast is null where none
    has one.
    """

    forecast: Tally | None
    campaigns_without_forecast: int


class UsageForecast(Output):
    """What is expected by the end of the period that holds the present.

    Of all that is not billed yet, units of earlier periods among it. Of the filters only
    `campaign_id` narrows it.
    """

    starts_at: datetime
    ends_at: Annotated[datetime, Field(description="Exclusive.")]
    currencies: list[CurrencyForecast]
    campaigns: list[CampaignForecast]


class TierPrice(Output):
    """From the `from_unit`-th unit of a campaign on, a unit costs `unit_price`."""

    from_unit: int
    unit_price: Minor


class TierBand(TierPrice):
    """Units that fall into a tier, and what they cost together."""

    units: int
    amount: Minor


class PlaceRead(Output):
    """How far a campaign has come, seen from its next unit."""

    rank: Annotated[int, Field(description="Units so far, counted over all periods.")]
    tier: Annotated[TierPrice, Field(description="What the next unit costs.")]
    next_tier: Annotated[TierPrice | None, Field(description="Null: no tier follows.")]
    units_until_next_tier: Annotated[
        int | None, Field(description="How many more units cost as much as the next one.")
    ]


class StageRead(Output):
    """The units of one state, what they would cost, and where the campaign would be then."""

    units: int
    free_units: Annotated[int, Field(description="Of them, replacements under the guarantee.")]
    amount: Minor
    tiers: Annotated[list[TierBand], Field(description="The units that are not free, by tier.")]
    after: PlaceRead


class CampaignPreview(Output):
    """A campaign: what is billed, then what would be, stage by stage in this order.

    The accepted units come as they were accepted, behind what is billed; the pending ones as they
    occurred, if all of them are taken; the disputed ones last, if all are confirmed.
    """

    campaign_id: CampaignRef
    currency: str
    billed: PlaceRead
    accepted: StageRead
    pending: StageRead
    disputed: StageRead


class UsagePreview(Output):
    """What the candidates in review would cost, and how the tiers would move."""

    campaigns: list[CampaignPreview]


class UsagePage(Page):
    """A page of units by `occurred_at`, with sums over all units that the filters let through."""

    time_zone: str
    totals: list[UsageTotal]
    group_by: GroupBy
    groups: list[UsageGroup]
    forecast: Annotated[
        UsageForecast | None, Field(description="On the first page; null on later ones.")
    ]
    data: list[UsageLine]
