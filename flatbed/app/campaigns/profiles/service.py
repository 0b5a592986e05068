"""Rules of profiles: criteria change by a new version only, and a version is never changed."""

from uuid import UUID

from flatbed.app.campaigns.errors import OfferingArchivedError
from flatbed.app.campaigns.models import Profile, ProfileVersion
from flatbed.app.campaigns.offerings import service as offerings
from flatbed.app.campaigns.profiles import repository
from flatbed.app.campaigns.profiles.criteria import six_cs, to_store
from flatbed.app.campaigns.profiles.schemas import (
    ProfileCreate,
    ProfilePage,
    ProfileRead,
    ProfileUpdate,
    ProfileVersionCreate,
    ProfileVersionPage,
    ProfileVersionRead,
)
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import NotFoundError


async def create(session: TenantSession, body: ProfileCreate) -> tuple[ProfileRead, int]:
    """Make a profile and its version 1. Returns it with its ETag.

    Raises:
        NotFoundError: no such offering of this tenant.
        OfferingArchivedError: the offering takes nothing new.
    """
    offering, _ = await offerings.get(session, body.offering_id)
    if offering.archived_at is not None:
        raise OfferingArchivedError
    now = session.now()
    profile = Profile(
        tenant_id=session.tenant_id,
        id=uuid7(),
        offering_id=offering.id,
        name=body.name,
        current_number=1,
        external_ref=body.external_ref,
        metadata_=body.metadata,
        created_at=now,
        updated_at=now,
    )
    session.add(profile)
    await session.flush()
    version = _add_version(session, profile, body)
    mutation(session, "profile.created", "ipp", profile.id, _figures(version))
    await session.flush()
    return _read(profile, version), profile.version


async def get(session: TenantReadSession, profile_id: UUID) -> tuple[ProfileRead, int]:
    """The profile with its current version, and its ETag.

    Raises:
        NotFoundError: no such profile of this tenant.
    """
    profile = await _found(session, profile_id)
    versions = await repository.current_versions(session, [profile.id])
    return _read(profile, versions[profile.id]), profile.version


async def page(
    session: TenantReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    offering_id: UUID | None,
    external_ref: str | None,
) -> ProfilePage:
    """A page of profiles by last change."""
    window = cursors.window(cursor, limit)
    rows = await repository.page(
        session, window, offering_id=offering_id, external_ref=external_ref
    )
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
    versions = await repository.current_versions(session, [row.id for row in shown])
    data = [_read(row, versions[row.id]) for row in shown]
    return ProfilePage(data=data, **envelope.model_dump())


async def update(
    session: TenantSession, profile_id: UUID, etag: int, body: ProfileUpdate
) -> tuple[ProfileRead, int]:
    """Change what the body names.

    Raises:
        NotFoundError: no such profile of this tenant.
        PreconditionFailedError: another version of the row is stored.
    """
    profile = await _found(session, profile_id, lock=True)
    match(profile.version, etag)
    changed = body.model_fields_set
    for field in changed & {"name", "external_ref"}:
        setattr(profile, field, getattr(body, field))
    if "metadata" in changed:
        profile.metadata_ = body.metadata
    profile.updated_at = session.now()
    mutation(session, "profile.updated", "ipp", profile.id, {"fields": sorted(changed)})
    await session.flush()
    versions = await repository.current_versions(session, [profile.id])
    return _read(profile, versions[profile.id]), profile.version


async def add_version(
    session: TenantSession, profile_id: UUID, etag: int | None, body: ProfileVersionCreate
) -> ProfileVersionRead:
    """Write down new criteria; campaigns that were ordered keep theirs.

    Raises:
        NotFoundError: no such profile of this tenant.
        PreconditionFailedError: another version of the row is stored.
    """
    profile = await _found(session, profile_id, lock=True)
    match(profile.version, etag)
    profile.current_number += 1
    profile.updated_at = session.now()
    version = _add_version(session, profile, body)
    mutation(session, "profile.version_created", "ipp", profile.id, _figures(version))
    await session.flush()
    return read_version(version)


async def versions(
    session: TenantReadSession,
    cursors: Cursors,
    profile_id: UUID,
    *,
    cursor: str | None,
    limit: int,
) -> ProfileVersionPage:
    """A page of a profile's versions, oldest first.

    Raises:
        NotFoundError: no such profile of this tenant.
    """
    profile = await _found(session, profile_id)
    window = cursors.window(cursor, limit)
    rows = await repository.versions(session, window, profile.id)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.number, row.id))
    data = [read_version(row) for row in shown]
    return ProfileVersionPage(data=data, **envelope.model_dump())


def read_version(version: ProfileVersion) -> ProfileVersionRead:
    """A version as the API shows it."""
    return ProfileVersionRead.model_validate(version)


async def _found(session: TenantReadSession, profile_id: UUID, *, lock: bool = False) -> Profile:
    profile = await repository.find(session, profile_id, lock=lock)
    if profile is None:
        raise NotFoundError
    return profile


def _add_version(
    session: TenantSession, profile: Profile, body: ProfileVersionCreate
) -> ProfileVersion:
    version = ProfileVersion(
        tenant_id=session.tenant_id,
        id=uuid7(),
        profile_id=profile.id,
        number=profile.current_number,
        hard=to_store(body.hard),
        soft=to_store(body.soft) or six_cs(),
        created_at=session.now(),
    )
    session.add(version)
    return version


def _figures(version: ProfileVersion) -> dict[str, int]:
    return {"number": version.number, "hard": len(version.hard), "soft": len(version.soft)}


def _read(profile: Profile, version: ProfileVersion) -> ProfileRead:
    return ProfileRead(
        id=profile.id,
        offering_id=profile.offering_id,
        name=profile.name,
        current=read_version(version),
        external_ref=profile.external_ref,
        metadata=profile.metadata_,
        created_at=profile.created_at,
        updated_at=profile.updated_at,
    )
