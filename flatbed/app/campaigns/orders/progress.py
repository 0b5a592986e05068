"""What candidates and qualifications ask of a campaign, and tell it."""

from uuid import UUID

from flatbed.app.campaigns.method import CampaignState
from flatbed.app.campaigns.models import Campaign
from flatbed.app.campaigns.orders import repository
from flatbed.app.campaigns.orders.states import MOVES, Action, following
from flatbed.app.campaigns.orders.views import CampaignView, view
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.problems import NotFoundError


async def campaign_of(session: TenantReadSession, campaign_id: UUID) -> CampaignView:
    """The campaign as other slices need it, with its frozen criteria, rubric, price and caps.

    Raises:
        NotFoundError: no such campaign of this tenant.
    """
    found = await repository.whole(session, campaign_id)
    if found is None:
        raise NotFoundError
    return view(found)


async def count_accepted(session: TenantReadSession, campaign_id: UUID) -> int:
    """How many of the campaign's units stand accepted.

    Raises:
        NotFoundError: no such campaign of this tenant.
    """
    found = await repository.find(session, campaign_id)
    if found is None:
        raise NotFoundError
    return found.accepted_count


async def note_acceptance(session: TenantSession, campaign_id: UUID) -> CampaignState:
    """Count one acceptance; running or paused it becomes ``filled`` when accepted = quantity.

    Takes the campaign's row lock: call it after the candidate's. A campaign that has ended
    counts on and stays ended. Returns the state after it.

    Raises:
        NotFoundError: no such campaign of this tenant.
    """
    campaign = await _locked(session, campaign_id)
    campaign.accepted_count += 1
    if campaign.accepted_count >= campaign.quantity:
        _move(session, campaign, Action.FILL)
        failpoint(Failpoint.CAMPAIGN_FILLED)
    return await _noted(session, campaign)


async def note_void_of_accepted(session: TenantSession, campaign_id: UUID) -> CampaignState:
    """Take back one acceptance that a review voided; a filled campaign that lacks one runs again.

    The voiding of a unit that was never accepted is not told here. Locks as
    :func:`note_acceptance`. Returns the state after it.

    Raises:
        NotFoundError: no such campaign of this tenant.
    """
    campaign = await _locked(session, campaign_id)
    campaign.accepted_count -= 1
    if campaign.accepted_count < campaign.quantity:
        _move(session, campaign, Action.REOPEN)
    return await _noted(session, campaign)


async def _locked(session: TenantSession, campaign_id: UUID) -> Campaign:
    campaign = await repository.find(session, campaign_id, lock=True)
    if campaign is None:
        raise NotFoundError
    return campaign


def _move(session: TenantSession, campaign: Campaign, action: Action) -> None:
    target = following(CampaignState(campaign.status), action)
    if target is None:
        return
    figures = {
        "from": campaign.status,
        "to": target.value,
        "accepted": campaign.accepted_count,
        "quantity": campaign.quantity,
    }
    campaign.status = target.value
    campaign.ended_at = session.now() if action is Action.FILL else None
    mutation(session, f"campaign.{MOVES[action].past}", "camp", campaign.id, figures)


async def _noted(session: TenantSession, campaign: Campaign) -> CampaignState:
    # A sweep's clock stands at its deadline, maybe before the row's last change.
    campaign.updated_at = max(campaign.updated_at, session.now())
    await session.flush()
    return CampaignState(campaign.status)
