"""HTTP for profiles."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.app.campaigns.profiles import service
from flatbed.app.campaigns.profiles.schemas import (
    ProfileCreate,
    ProfilePage,
    ProfileRead,
    ProfileUpdate,
    ProfileVersionCreate,
    ProfileVersionPage,
    ProfileVersionRead,
)
from flatbed.app.ids import OfferingId, ProfileId
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, optional_version, reply, required_version
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.schemas import ExternalRef

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])


@router.post("", operation_id="create_profile", response_model=ProfileRead, status_code=201)
async def create_profile(
    body: ProfileCreate, call: Annotated[TenantCall, require("profiles:write").tenant]
) -> Response:
    """Describe the ideal partner for an offering; this is version 1."""

    async def work() -> Response:
        profile, version = await service.create(call.session, body)
        location = f"/v1/profiles/{encode('ipp', profile.id)}"
        return reply(profile, status=201, version=version, location=location)

    return await call.once(work)


@router.get("", operation_id="list_profiles", response_model=ProfilePage)
async def list_profiles(
    call: Annotated[TenantRead, require("profiles:read").tenant_read],
    listing: Listed,
    offering_id: OfferingId | None = None,
    external_ref: ExternalRef | None = None,
) -> Response:
    """List profiles by last change."""
    cursors = call.cursors(offering_id=offering_id, external_ref=external_ref)
    return reply(
        await service.page(
            call.session,
            cursors,
            cursor=listing.cursor,
            limit=listing.limit,
            offering_id=offering_id,
            external_ref=external_ref,
        )
    )


@router.get("/{profile_id}", operation_id="get_profile", response_model=ProfileRead)
async def get_profile(
    profile_id: ProfileId, call: Annotated[TenantRead, require("profiles:read").tenant_read]
) -> Response:
    """Read one profile with its current version."""
    profile, version = await service.get(call.session, profile_id)
    return reply(profile, version=version)


@router.patch("/{profile_id}", operation_id="update_profile", response_model=ProfileRead)
async def update_profile(
    profile_id: ProfileId,
    body: ProfileUpdate,
    version: Annotated[int, Depends(required_version)],
    call: Annotated[TenantCall, require("profiles:write").tenant],
) -> Response:
    """Change a profile's name or references."""
    profile, new_version = await service.update(call.session, profile_id, version, body)
    return reply(profile, version=new_version)


@router.post(
    "/{profile_id}/versions",
    operation_id="create_profile_version",
    response_model=ProfileVersionRead,
    status_code=201,
)
async def create_profile_version(
    profile_id: ProfileId,
    body: ProfileVersionCreate,
    version: Annotated[int | None, Depends(optional_version)],
    call: Annotated[TenantCall, require("profiles:write").tenant],
) -> Response:
    """Write down new criteria; campaigns that were ordered keep the version they froze."""

    async def work() -> Response:
        made = await service.add_version(call.session, profile_id, version, body)
        return reply(made, status=201)

    return await call.once(work)


@router.get(
    "/{profile_id}/versions",
    operation_id="list_profile_versions",
    response_model=ProfileVersionPage,
)
async def list_profile_versions(
    profile_id: ProfileId,
    call: Annotated[TenantRead, require("profiles:read").tenant_read],
    listing: Listed,
) -> Response:
    """List a profile's versions, oldest first."""
    cursors = call.cursors(profile_id=profile_id)
    return reply(
        await service.versions(
            call.session, cursors, profile_id, cursor=listing.cursor, limit=listing.limit
        )
    )
