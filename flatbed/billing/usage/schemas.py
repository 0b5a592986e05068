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
    """What usage is summed by; months and days are the tenant's local ones."""

    CAMPAIGN = "campaign"
    MONTH = "month"
    DAY = "day"


class Format(StrEnum):
    """The representation of a report."""

    JSON = "json"
    CSV = "csv"


class Tally(Output):
    """Units, and the sum of their prices."""

    units: int
    amount: Minor


class UsageTotal(Output):
    """Units of one currency by state; nothing is ever added across currencies.

    The amount is what was billed; of units that are not billed yet, what they cost at most.
    """

    currency: str
    pending: Tally
    disputed: Tally
    accepted: Tally
    billed: Tally
    reversed: Tally
    cancelled: Tally
    written_off: Tally


class UsageGroup(UsageTotal):
    """The units of a campaign (its id), a local month (`YYYY-MM`) or a local day."""

    key: Annotated[str, Field(examples=["2026-03"])]


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


class UsagePage(Page):
    """A page of units by `occurred_at`, with sums over all units that the filters let through."""

    time_zone: str
    totals: list[UsageTotal]
    group_by: GroupBy
    groups: list[UsageGroup]
    data: list[UsageLine]
