"""The port by which billing's reports learn what a campaign is."""

from collections.abc import Collection, Mapping
from uuid import UUID

from flatbed.app.campaigns.method import CampaignState
from flatbed.app.campaigns.models import Campaign
from flatbed.app.campaigns.orders import repository
from flatbed.app.campaigns.orders.caps import caps_of
from flatbed.billing.facade import CampaignFacts
from flatbed.tenants.kit.database.session import TenantReadSession


class KnownCampaigns:
    """The tenant's campaigns, with the bounds under which their units are metered."""

    async def facts(
        self, session: TenantReadSession, campaign_refs: Collection[UUID]
    ) -> Mapping[UUID, CampaignFacts]:
        """The facts of these campaigns; one that is not known is left out."""
        rows = await repository.some(session, campaign_refs)
        return {row.id: _facts(row) for row in rows}


def _facts(row: Campaign) -> CampaignFacts:
    going_on = row.status == CampaignState.FILLED and row.continue_after_fill
    return CampaignFacts(
        name=row.name,
        caps=caps_of(row),
        takes_units=row.status == CampaignState.RUNNING or going_on,
    )
