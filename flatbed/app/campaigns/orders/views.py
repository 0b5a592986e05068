"""A campaign as each reader sees it: the API, a hunter, and the other slices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flatbed.app.campaigns.method import CampaignState, Criterion, Rubric
from flatbed.app.campaigns.models import Campaign
from flatbed.app.campaigns.offerings.schemas import ProgrammeRead
from flatbed.app.campaigns.orders.repository import Whole
from flatbed.app.campaigns.orders.schemas import (
    CampaignBrief,
    CampaignRead,
    CapsRead,
    OfferingBrief,
    PriceTier,
)
from flatbed.app.campaigns.profiles.criteria import from_store
from flatbed.app.campaigns.profiles.service import read_version
from flatbed.billing.facade import Tier, tiers_from_json


@dataclass(frozen=True, slots=True)
class CampaignView:
    """What candidates and qualifications need to know of a campaign.

    ``rubric``, ``unit_price`` and ``price_list_id`` are None in a draft (and in one that was
    cancelled as a draft); ``criteria`` are then the profile's current ones, else the frozen ones.
    Money in minor units of ``currency``; a cap of None is none.
    """

    id: UUID
    name: str
    status: CampaignState
    offering_id: UUID
    offering_name: str
    programme_id: UUID
    countries: tuple[str, ...]
    profile_version_id: UUID
    criteria: tuple[Criterion, ...]
    rubric: Rubric | None
    quantity: int
    accepted_count: int
    fit_floor: int
    revenue_floor: int
    currency: str
    price_list_id: UUID | None
    unit_price: int | None
    price_tiers: tuple[Tier, ...]
    cap_units_total: int | None
    cap_units_month: int | None
    cap_money_total: int | None
    cap_money_month: int | None
    shared_partners: str
    continue_after_fill: bool
    ordered_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


def view(whole: Whole) -> CampaignView:
    """The campaign for other slices."""
    campaign, offering, programme, _, version = whole
    return CampaignView(
        id=campaign.id,
        name=campaign.name,
        status=CampaignState(campaign.status),
        offering_id=offering.id,
        offering_name=offering.name,
        programme_id=programme.id,
        countries=tuple(programme.countries),
        profile_version_id=version.id,
        criteria=from_store(version.hard) + from_store(version.soft),
        rubric=None if campaign.rubric is None else Rubric.from_json(campaign.rubric),
        quantity=campaign.quantity,
        accepted_count=campaign.accepted_count,
        fit_floor=campaign.fit_floor,
        revenue_floor=campaign.revenue_floor,
        currency=campaign.currency,
        price_list_id=campaign.price_list_id,
        unit_price=campaign.unit_price,
        price_tiers=tiers_from_json(campaign.price_tiers),
        cap_units_total=campaign.cap_units_total,
        cap_units_month=campaign.cap_units_month,
        cap_money_total=campaign.cap_money_total,
        cap_money_month=campaign.cap_money_month,
        shared_partners=campaign.shared_partners,
        continue_after_fill=campaign.continue_after_fill,
        ordered_at=campaign.ordered_at,
        started_at=campaign.started_at,
        ended_at=campaign.ended_at,
    )


def read(campaign: Campaign, *, money: bool = True) -> CampaignRead:
    """The campaign for the API; without ``money``, price and caps are null."""
    caps = CapsRead(
        units_total=campaign.cap_units_total,
        units_month=campaign.cap_units_month,
        money_total=campaign.cap_money_total,
        money_month=campaign.cap_money_month,
    )
    return CampaignRead(
        id=campaign.id,
        name=campaign.name,
        status=CampaignState(campaign.status),
        offering_id=campaign.offering_id,
        programme_id=campaign.programme_id,
        profile_id=campaign.profile_id,
        profile_version_id=campaign.profile_version_id,
        quantity=campaign.quantity,
        accepted_count=campaign.accepted_count,
        currency=campaign.currency,
        price_list_id=campaign.price_list_id if money else None,
        unit_price=campaign.unit_price if money else None,
        price_tiers=tiers(campaign.price_tiers) if money and campaign.unit_price else None,
        caps=caps if money else None,
        fit_floor=campaign.fit_floor,
        revenue_floor=campaign.revenue_floor,
        shared_partners="allow" if campaign.shared_partners == "allow" else "deny",
        continue_after_fill=campaign.continue_after_fill,
        rubric=campaign.rubric,
        ordered_at=campaign.ordered_at,
        started_at=campaign.started_at,
        ended_at=campaign.ended_at,
        external_ref=campaign.external_ref,
        metadata=campaign.metadata_,
        created_at=campaign.created_at,
        updated_at=campaign.updated_at,
    )


def tiers(stored: Sequence[dict[str, Any]] | None) -> list[PriceTier]:
    """Frozen tiers for the API."""
    return [PriceTier.model_validate(one) for one in stored or ()]


def brief(whole: Whole) -> CampaignBrief:
    """The campaign for a hunter."""
    campaign, offering, programme, profile, version = whole
    return CampaignBrief(
        id=campaign.id,
        name=campaign.name,
        status=CampaignState(campaign.status),
        offering=OfferingBrief.model_validate(offering),
        programme=ProgrammeRead.model_validate(programme),
        profile_name=profile.name,
        profile=read_version(version),
        quantity=campaign.quantity,
        accepted_count=campaign.accepted_count,
        fit_floor=campaign.fit_floor,
        revenue_floor=campaign.revenue_floor,
        currency=campaign.currency,
        shared_partners="allow" if campaign.shared_partners == "allow" else "deny",
        started_at=campaign.started_at,
    )
