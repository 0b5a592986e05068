"""SQL for profiles and their versions."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import and_, select

from flatbed.app.campaigns.models import Profile, ProfileVersion
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession


async def find(
    session: TenantReadSession, profile_id: UUID, *, lock: bool = False
) -> Profile | None:
    """The profile, locked against other changes if asked."""
    statement = select(Profile).where(
        Profile.tenant_id == session.tenant_id, Profile.id == profile_id
    )
    if lock:
        statement = statement.with_for_update(key_share=True)
    return await session.scalar(statement)


async def page(
    session: TenantReadSession,
    window: Window,
    *,
    offering_id: UUID | None,
    external_ref: str | None,
) -> Sequence[Profile]:
    """Profiles by last change."""
    statement = select(Profile).where(Profile.tenant_id == session.tenant_id)
    if offering_id is not None:
        statement = statement.where(Profile.offering_id == offering_id)
    if external_ref is not None:
        statement = statement.where(Profile.external_ref == external_ref)
    beyond = window.beyond(Profile.updated_at, Profile.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Profile.updated_at, Profile.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def current_versions(
    session: TenantReadSession, profile_ids: Sequence[UUID]
) -> dict[UUID, ProfileVersion]:
    """The current version of each profile, by the profile's id."""
    statement = (
        select(ProfileVersion)
        .join(
            Profile,
            and_(
                Profile.tenant_id == ProfileVersion.tenant_id,
                Profile.id == ProfileVersion.profile_id,
                Profile.current_number == ProfileVersion.number,
            ),
        )
        .where(
            ProfileVersion.tenant_id == session.tenant_id,
            ProfileVersion.profile_id.in_(profile_ids),
        )
    )
    return {row.profile_id: row for row in await session.scalars(statement)}


async def version(session: TenantReadSession, version_id: UUID) -> ProfileVersion | None:
    """One version by its id."""
    return await session.scalar(
        select(ProfileVersion).where(
            ProfileVersion.tenant_id == session.tenant_id, ProfileVersion.id == version_id
        )
    )


async def versions(
    session: TenantReadSession, window: Window, profile_id: UUID
) -> Sequence[ProfileVersion]:
    """The versions of a profile, oldest first."""
    statement = select(ProfileVersion).where(
        ProfileVersion.tenant_id == session.tenant_id, ProfileVersion.profile_id == profile_id
    )
    beyond = window.beyond(ProfileVersion.number, ProfileVersion.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(ProfileVersion.number, ProfileVersion.id).limit(window.limit)
    return (await session.scalars(statement)).all()
