"""SQL for campaigns."""

from collections.abc import Collection, Sequence
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Row, and_, exists, or_, select

from flatbed.app.campaigns.models import Campaign, Offering, Profile, ProfileVersion, Programme
from flatbed.app.campaigns.orders.states import LAUNCHED
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession

Whole: TypeAlias = Row[Campaign, Offering, Programme, Profile, ProfileVersion]


async def find(
    session: TenantReadSession, campaign_id: UUID, *, lock: bool = False
) -> Campaign | None:
    """The campaign, locked against other changes if asked."""
    statement = select(Campaign).where(
        Campaign.tenant_id == session.tenant_id, Campaign.id == campaign_id
    )
    if lock:
        # Candidates refer to the row: their foreign keys go on, and what was read before the
        # lock was granted is read again.
        statement = statement.with_for_update(key_share=True).execution_options(
            populate_existing=True
        )
    return await session.scalar(statement)


async def some(session: TenantReadSession, campaign_ids: Collection[UUID]) -> Sequence[Campaign]:
    """Those of these campaigns that are the tenant's."""
    statement = select(Campaign).where(
        Campaign.tenant_id == session.tenant_id, Campaign.id.in_(campaign_ids)
    )
    return (await session.scalars(statement)).all()


async def page(
    session: TenantReadSession,
    window: Window,
    *,
    status: str | None,
    offering_id: UUID | None,
    external_ref: str | None,
) -> Sequence[Campaign]:
    """Campaigns by last change."""
    statement = select(Campaign).where(Campaign.tenant_id == session.tenant_id)
    if status is not None:
        statement = statement.where(Campaign.status == status)
    if offering_id is not None:
        statement = statement.where(Campaign.offering_id == offering_id)
    if external_ref is not None:
        statement = statement.where(Campaign.external_ref == external_ref)
    beyond = window.beyond(Campaign.updated_at, Campaign.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Campaign.updated_at, Campaign.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def whole(session: TenantReadSession, campaign_id: UUID) -> Whole | None:
    """The campaign with what it rests on; the profile's frozen version, in a draft its current."""
    tenant = session.tenant_id
    statement = (
        select(Campaign, Offering, Programme, Profile, ProfileVersion)
        .join(Offering, and_(Offering.tenant_id == tenant, Offering.id == Campaign.offering_id))
        .join(Programme, and_(Programme.tenant_id == tenant, Programme.id == Campaign.programme_id))
        .join(Profile, and_(Profile.tenant_id == tenant, Profile.id == Campaign.profile_id))
        .join(
            ProfileVersion,
            and_(
                ProfileVersion.tenant_id == tenant,
                ProfileVersion.profile_id == Campaign.profile_id,
                or_(
                    ProfileVersion.id == Campaign.profile_version_id,
                    and_(
                        Campaign.profile_version_id.is_(None),
                        ProfileVersion.number == Profile.current_number,
                    ),
                ),
            ),
        )
        .where(Campaign.tenant_id == tenant, Campaign.id == campaign_id)
    )
    return (await session.execute(statement)).one_or_none()


async def any_launched(session: TenantReadSession) -> bool:
    """Whether a campaign of the tenant is running, paused or filled."""
    launched = exists().where(
        Campaign.tenant_id == session.tenant_id, Campaign.status.in_(sorted(LAUNCHED))
    )
    return bool(await session.scalar(select(launched)))
