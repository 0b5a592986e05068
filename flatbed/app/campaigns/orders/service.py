"""Rules of campaigns: what may change when, and what an order freezes.

A campaign's end moves no candidate: transitions are refused while it does not run, and a hunter
exits what is open with ``campaign_closed``. A unit that was metered stays metered.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

from flatbed.app.campaigns.errors import OfferingArchivedError
from flatbed.app.campaigns.method import CampaignState, Rubric
from flatbed.app.campaigns.models import Campaign
from flatbed.app.campaigns.offerings import service as offerings
from flatbed.app.campaigns.offerings.schemas import ProgrammeRead
from flatbed.app.campaigns.orders import repository, views
from flatbed.app.campaigns.orders.errors import CampaignStateError, PriceChangedError
from flatbed.app.campaigns.orders.room import look_for_room
from flatbed.app.campaigns.orders.schemas import (
    CampaignBrief,
    CampaignCreate,
    CampaignOrder,
    CampaignPage,
    CampaignRead,
    CampaignUpdate,
    Caps,
)
from flatbed.app.campaigns.orders.states import ENDED, LIVE, MOVES, Action, Actor, following, may
from flatbed.app.campaigns.profiles import service as profiles
from flatbed.billing.facade import PriceView, price_of, require_good_standing, tiers_to_json
from flatbed.tenants.access.principal import ISV_ROLES, Role
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import (
    TenantReadSession,
    TenantSession,
    agency_plane_to_read,
)
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import ForbiddenError, InvalidError, NotFoundError
from flatbed.tenants.organizations.service import organization_of

PLAIN: Final = frozenset(
    {
        "name",
        "quantity",
        "fit_floor",
        "revenue_floor",
        "shared_partners",
        "continue_after_fill",
        "external_ref",
        "profile_id",
    }
)
"""Members of an update that are columns of the same name."""
ACTORS: Final[Mapping[Role, Actor]] = MappingProxyType(
    {**dict.fromkeys(ISV_ROLES, Actor.ISV), Role.LEAD: Actor.LEAD}
)
ALWAYS: Final = frozenset({"name", "continue_after_fill", "external_ref", "metadata"})
ROOM: Final = frozenset({"caps", "continue_after_fill"})
"""Members of an update that may let in who waits over a cap: the ISV's opt-in."""
STANDSTILL: Final = frozenset({Action.ORDER, Action.START, Action.PAUSE})
"""Actions after which nobody who waits is let in or sent away."""


async def create(session: TenantSession, body: CampaignCreate) -> tuple[CampaignRead, int]:
    """Make a draft in the tenant's currency. Returns it with its ETag.

    Raises:
        NotFoundError: no such offering of this tenant.
        OfferingArchivedError: the offering takes nothing new.
        InvalidError: the programme or the profile is not the offering's.
    """
    programme_id = await _programme(session, body.offering_id, body.programme)
    await _check_profile(session, body.offering_id, body.profile_id)
    now = session.now()
    campaign = Campaign(
        tenant_id=session.tenant_id,
        id=uuid7(),
        name=body.name,
        offering_id=body.offering_id,
        programme_id=programme_id,
        profile_id=body.profile_id,
        status=CampaignState.DRAFT.value,
        quantity=body.quantity,
        currency=(await organization_of(session)).currency,
        fit_floor=body.fit_floor,
        revenue_floor=body.revenue_floor,
        shared_partners=body.shared_partners,
        continue_after_fill=body.continue_after_fill,
        accepted_count=0,
        external_ref=body.external_ref,
        metadata_=body.metadata,
        created_at=now,
        updated_at=now,
    )
    _set_caps(campaign, body.caps)
    session.add(campaign)
    mutation(session, "campaign.created", "camp", campaign.id, {"quantity": body.quantity})
    await session.flush()
    return views.read(campaign), campaign.version


async def get(
    session: TenantReadSession, campaign_id: UUID, role: Role
) -> tuple[CampaignRead, int]:
    """The campaign and its ETag; a hunter sees no price and no cap.

    Raises:
        NotFoundError: no such campaign of this tenant.
    """
    campaign = await _found(session, campaign_id)
    return views.read(campaign, money=role is not Role.HUNTER), campaign.version


async def brief(session: TenantReadSession, campaign_id: UUID) -> CampaignBrief:
    """The campaign with offering, programme and profile, for who works it.

    Raises:
        NotFoundError: no such campaign of this tenant.
    """
    found = await repository.whole(session, campaign_id)
    if found is None:
        raise NotFoundError
    return views.brief(found)


async def page(
    session: TenantReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    status: CampaignState | None,
    offering_id: UUID | None,
    external_ref: str | None,
) -> CampaignPage:
    """A page of campaigns by last change."""
    window = cursors.window(cursor, limit)
    rows = await repository.page(
        session, window, status=status, offering_id=offering_id, external_ref=external_ref
    )
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
    return CampaignPage(data=[views.read(row) for row in shown], **envelope.model_dump())


async def update(
    session: TenantSession, campaign_id: UUID, etag: int, body: CampaignUpdate
) -> tuple[CampaignRead, int]:
    """Change what the body names.

    Raises:
        NotFoundError: no such campaign of this tenant.
        PreconditionFailedError: another version is stored.
        CampaignStateError: a member is frozen in this state.
        InvalidError: the programme or the profile is not the offering's.
    """
    campaign = await _found(session, campaign_id, lock=True)
    match(campaign.version, etag)
    changed = body.model_fields_set
    frozen = changed - _open_fields(CampaignState(campaign.status))
    if frozen:
        raise CampaignStateError(extra={"state": campaign.status, "fields": sorted(frozen)})
    # References first: reading them after a change would flush it, and count two versions.
    if "profile_id" in changed:
        await _check_profile(session, campaign.offering_id, body.profile_id)
    if "programme" in changed:
        campaign.programme_id = await _programme(session, campaign.offering_id, body.programme)
    for field in changed & PLAIN:
        setattr(campaign, field, getattr(body, field))
    if "metadata" in changed:
        campaign.metadata_ = body.metadata
    if "caps" in changed:
        _set_caps(campaign, body.caps)
    campaign.updated_at = session.now()
    mutation(session, "campaign.updated", "camp", campaign.id, {"fields": sorted(changed)})
    await session.flush()
    if changed & ROOM and campaign.status != CampaignState.DRAFT:
        await look_for_room(session, campaign.id)
    return views.read(campaign), campaign.version


async def order(
    session: TenantSession,
    campaign_id: UUID,
    body: CampaignOrder,
    role: Role,
    etag: int | None,
    *,
    validate_only: bool,
) -> tuple[CampaignRead, int | None]:
    """Freeze price, profile version and rubric; with ``validate_only`` show what would be frozen.

    Returns the campaign as it is (or would be) ordered, with its ETag (None for a preview).

    Raises:
        NotFoundError: no such campaign of this tenant.
        PreconditionFailedError: another version is stored.
        CampaignStateError: it is no draft.
        OfferingArchivedError: the offering takes nothing new.
        BadStandingError: the ISV owes the agency; what was ordered goes on.
        NoPriceError: the agency has no active price list in the currency.
        PriceChangedError: the price is not the expected one.
    """
    campaign = await _found(session, campaign_id, lock=not validate_only)
    match(campaign.version, etag)
    target = _target(campaign, Action.ORDER, role)
    await _offering_takes_new(session, campaign.offering_id)
    await require_good_standing(session)
    price = await _price(session, campaign.currency)
    if body.expected_unit_price not in {None, price.unit_price}:
        raise PriceChangedError(extra={"unit_price": price.unit_price, "currency": price.currency})
    profile, _ = await profiles.get(session, campaign.profile_id)
    rubric = Rubric(
        fit_floor=campaign.fit_floor,
        revenue_floor=campaign.revenue_floor,
        currency=campaign.currency,
    )
    frozen = {
        "status": target,
        "profile_version_id": profile.current.id,
        "price_list_id": price.price_list_id,
        "unit_price": price.unit_price,
        "price_tiers": tiers_to_json(price.tiers) or None,
        "rubric": rubric.to_json(),
        "ordered_at": session.now(),
    }
    if validate_only:
        shown = {**frozen, "price_tiers": views.tiers(tiers_to_json(price.tiers))}
        return views.read(campaign).model_copy(update=shown), None
    for column, value in frozen.items():
        setattr(campaign, column, value)
    campaign.status = target.value
    figures = {
        "from": CampaignState.DRAFT.value,
        "to": target.value,
        "quantity": campaign.quantity,
        "unit_price": price.unit_price,
        "currency": price.currency,
        "rubric_version": rubric.version,
    }
    return await _saved(session, campaign, Action.ORDER, figures)


async def move(
    session: TenantSession, campaign_id: UUID, action: Action, role: Role, etag: int | None
) -> tuple[CampaignRead, int]:
    """Start, pause, resume, cancel or close the campaign.

    Raises:
        NotFoundError: no such campaign of this tenant.
        ForbiddenError: the action is another principal's.
        PreconditionFailedError: another version is stored.
        CampaignStateError: the present state does not allow it.
    """
    campaign = await _found(session, campaign_id, lock=True)
    match(campaign.version, etag)
    target = _target(campaign, action, role)
    figures = {"from": campaign.status, "to": target.value}
    campaign.status = target.value
    if action is Action.START:
        campaign.started_at = session.now()
    if target in ENDED:
        campaign.ended_at = session.now()
    return await _saved(session, campaign, action, figures)


async def _saved(
    session: TenantSession, campaign: Campaign, action: Action, figures: Mapping[str, str | int]
) -> tuple[CampaignRead, int]:
    campaign.updated_at = session.now()
    mutation(session, f"campaign.{MOVES[action].past}", "camp", campaign.id, figures)
    await session.flush()
    if action not in STANDSTILL:
        await look_for_room(session, campaign.id)
    failpoint(Failpoint.CAMPAIGN_MOVED)
    return views.read(campaign), campaign.version


async def _found(session: TenantReadSession, campaign_id: UUID, *, lock: bool = False) -> Campaign:
    campaign = await repository.find(session, campaign_id, lock=lock)
    if campaign is None:
        raise NotFoundError
    return campaign


def _target(campaign: Campaign, action: Action, role: Role) -> CampaignState:
    actor = ACTORS.get(role)
    if actor is None or not may(actor, action):
        raise ForbiddenError
    target = following(CampaignState(campaign.status), action)
    if target is None:
        raise CampaignStateError(extra={"state": campaign.status})
    return target


def _open_fields(state: CampaignState) -> frozenset[str]:
    if state is CampaignState.DRAFT:
        return frozenset(CampaignUpdate.model_fields)
    return ALWAYS | {"caps"} if state in LIVE else ALWAYS


def _set_caps(campaign: Campaign, caps: Caps) -> None:
    for field in caps.model_fields_set:
        setattr(campaign, f"cap_{field}", getattr(caps, field))


async def _offering_takes_new(
    session: TenantReadSession, offering_id: UUID
) -> Sequence[ProgrammeRead]:
    offering, _ = await offerings.get(session, offering_id)
    if offering.archived_at is not None:
        raise OfferingArchivedError
    return offering.programmes


async def _programme(session: TenantReadSession, offering_id: UUID, code: str) -> UUID:
    for programme in await _offering_takes_new(session, offering_id):
        if programme.code == code:
            return programme.id
    raise InvalidError.at("/programme", "unknown-programme", "The offering has no such programme.")


async def _check_profile(session: TenantReadSession, offering_id: UUID, profile_id: UUID) -> None:
    profile, _ = await profiles.get(session, profile_id)
    if profile.offering_id != offering_id:
        raise InvalidError.at("/profile_id", "other-offering", "It is another offering's profile.")


async def _price(session: TenantSession, currency: str) -> PriceView:
    # Price lists are the agency's; the tenant's transaction borrows its plane to read one.
    async with agency_plane_to_read(session) as agency:
        return await price_of(agency, currency=currency)
