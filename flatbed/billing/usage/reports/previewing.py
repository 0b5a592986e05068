"""What the candidates in review would cost, and how the tiers move with them."""

from uuid import UUID

from flatbed.billing.pricing.rules.tiers import Tier
from flatbed.billing.usage.reports.forecasting import ranked_units
from flatbed.billing.usage.rules.ranking import Place, Ranked, Stage
from flatbed.billing.usage.schemas import (
    CampaignPreview,
    PlaceRead,
    StageRead,
    TierBand,
    TierPrice,
    UsagePreview,
)
from flatbed.tenants.kit.database.session import TenantReadSession


async def preview(session: TenantReadSession, campaign_ref: UUID | None) -> UsagePreview:
    """Every campaign that has units, or one: a campaign without units is not in it."""
    ranked = await ranked_units(session, campaign_ref)
    return UsagePreview(campaigns=[_campaign(one) for one in ranked])


def _campaign(ranked: Ranked) -> CampaignPreview:
    return CampaignPreview(
        campaign_id=ranked.key[0],
        currency=ranked.key[1],
        billed=_place(ranked.billed),
        accepted=_stage(ranked.accepted),
        pending=_stage(ranked.pending),
        disputed=_stage(ranked.disputed),
    )


def _stage(stage: Stage) -> StageRead:
    return StageRead(
        units=stage.units,
        free_units=stage.free,
        amount=stage.amount,
        tiers=[
            TierBand(
                from_unit=band.tier.from_unit,
                unit_price=band.tier.unit_price,
                units=band.units,
                amount=band.amount,
            )
            for band in stage.bands
        ],
        after=_place(stage.after),
    )


def _place(place: Place) -> PlaceRead:
    return PlaceRead(
        rank=place.rank,
        tier=_tier(place.tier),
        next_tier=None if place.next_tier is None else _tier(place.next_tier),
        units_until_next_tier=place.until_next_tier,
    )


def _tier(tier: Tier) -> TierPrice:
    return TierPrice(from_unit=tier.from_unit, unit_price=tier.unit_price)
