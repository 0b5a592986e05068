"""A campaign's caps as the ledger reserves them."""

from flatbed.app.campaigns.models import Campaign
from flatbed.app.campaigns.orders.views import CampaignView
from flatbed.billing.facade import Caps


def caps_of(campaign: CampaignView | Campaign) -> Caps:
    """The caps under which a campaign's units are metered.

    No more units may be live at once than were ordered: silence accepts, so that an ISV that
    ordered three could otherwise be billed for five that waited at the same time. Its opt-in to
    go on after the campaign is filled lifts this.
    """
    most = campaign.cap_units_total
    if not campaign.continue_after_fill:
        most = campaign.quantity if most is None else min(campaign.quantity, most)
    return Caps(
        units_total=most,
        units_month=campaign.cap_units_month,
        money_total=campaign.cap_money_total,
        money_month=campaign.cap_money_month,
    )
