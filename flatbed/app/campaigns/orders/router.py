"""HTTP for campaigns."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from flatbed.app.campaigns.method import CampaignState
from flatbed.app.campaigns.orders import service
from flatbed.app.campaigns.orders.schemas import (
    CampaignBrief,
    CampaignCreate,
    CampaignOrder,
    CampaignPage,
    CampaignRead,
    CampaignUpdate,
)
from flatbed.app.campaigns.orders.states import Action
from flatbed.app.ids import CampaignId, OfferingId
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, optional_version, reply, required_version
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.schemas import ExternalRef

router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

Version = Annotated[int | None, Depends(optional_version)]
MayWrite = Annotated[TenantCall, require("campaigns:write").tenant]
MayOrder = Annotated[TenantCall, require("orders:write").tenant]


@router.post("", operation_id="create_campaign", response_model=CampaignRead, status_code=201)
async def create_campaign(body: CampaignCreate, call: MayWrite) -> Response:
    """Draft a campaign; nothing is frozen before it is ordered."""

    async def work() -> Response:
        campaign, version = await service.create(call.session, body)
        location = f"/v1/campaigns/{encode('camp', campaign.id)}"
        return reply(campaign, status=201, version=version, location=location)

    return await call.once(work)


@router.get("", operation_id="list_campaigns", response_model=CampaignPage)
async def list_campaigns(
    call: Annotated[TenantRead, require("campaigns:read").tenant_read],
    listing: Listed,
    status: CampaignState | None = None,
    offering_id: OfferingId | None = None,
    external_ref: ExternalRef | None = None,
) -> Response:
    """List campaigns by last change."""
    cursors = call.cursors(status=status, offering_id=offering_id, external_ref=external_ref)
    return reply(
        await service.page(
            call.session,
            cursors,
            cursor=listing.cursor,
            limit=listing.limit,
            status=status,
            offering_id=offering_id,
            external_ref=external_ref,
        )
    )


@router.get("/{campaign_id}", operation_id="get_campaign", response_model=CampaignRead)
async def get_campaign(
    campaign_id: CampaignId, call: Annotated[TenantRead, require("campaigns:read").tenant_read]
) -> Response:
    """Read one campaign; a hunter sees no price and no cap."""
    campaign, version = await service.get(call.session, campaign_id, call.principal.role)
    return reply(campaign, version=version)


@router.patch("/{campaign_id}", operation_id="update_campaign", response_model=CampaignRead)
async def update_campaign(
    campaign_id: CampaignId,
    body: CampaignUpdate,
    version: Annotated[int, Depends(required_version)],
    call: MayWrite,
) -> Response:
    """Change a draft; later only what an order does not freeze."""
    campaign, new_version = await service.update(call.session, campaign_id, version, body)
    return reply(campaign, version=new_version)


@router.get("/{campaign_id}/brief", operation_id="get_campaign_brief", response_model=CampaignBrief)
async def get_campaign_brief(
    campaign_id: CampaignId, call: Annotated[TenantRead, require("campaigns:read").tenant_read]
) -> Response:
    """Read what a hunter needs to work the campaign: offering, programme and profile."""
    return reply(await service.brief(call.session, campaign_id))


@router.post("/{campaign_id}/order", operation_id="order_campaign", response_model=CampaignRead)
async def order_campaign(
    campaign_id: CampaignId,
    call: MayOrder,
    version: Version,
    body: CampaignOrder | None = None,
    *,
    validate_only: Annotated[
        bool, Query(description="Answer what would be frozen, and change nothing.")
    ] = False,
) -> Response:
    """Order the campaign: price, profile version and rubric are frozen."""

    async def work() -> Response:
        campaign, new_version = await service.order(
            call.session,
            campaign_id,
            body or CampaignOrder(),
            call.principal.role,
            version,
            validate_only=validate_only,
        )
        return reply(campaign, version=new_version)

    return await call.once(work)


async def _move(
    call: TenantCall, campaign_id: CampaignId, action: Action, version: int | None
) -> Response:
    async def work() -> Response:
        campaign, new_version = await service.move(
            call.session, campaign_id, action, call.principal.role, version
        )
        return reply(campaign, version=new_version)

    return await call.once(work)


@router.post("/{campaign_id}/start", operation_id="start_campaign", response_model=CampaignRead)
async def start_campaign(campaign_id: CampaignId, version: Version, call: MayWrite) -> Response:
    """Start an ordered campaign."""
    return await _move(call, campaign_id, Action.START, version)


@router.post("/{campaign_id}/pause", operation_id="pause_campaign", response_model=CampaignRead)
async def pause_campaign(campaign_id: CampaignId, version: Version, call: MayWrite) -> Response:
    """Pause a running campaign: nothing goes out, what comes in is kept, clocks run."""
    return await _move(call, campaign_id, Action.PAUSE, version)


@router.post("/{campaign_id}/resume", operation_id="resume_campaign", response_model=CampaignRead)
async def resume_campaign(campaign_id: CampaignId, version: Version, call: MayWrite) -> Response:
    """Let a paused campaign run again."""
    return await _move(call, campaign_id, Action.RESUME, version)


@router.post("/{campaign_id}/cancel", operation_id="cancel_campaign", response_model=CampaignRead)
async def cancel_campaign(campaign_id: CampaignId, version: Version, call: MayOrder) -> Response:
    """Cancel a campaign that has not ended; what was metered stays metered."""
    return await _move(call, campaign_id, Action.CANCEL, version)


@router.post("/{campaign_id}/close", operation_id="close_campaign", response_model=CampaignRead)
async def close_campaign(campaign_id: CampaignId, version: Version, call: MayWrite) -> Response:
    """Close a campaign before it is filled."""
    return await _move(call, campaign_id, Action.CLOSE, version)
