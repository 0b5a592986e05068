"""HTTP for agency staff."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.tenants.access.calls import AgencyCall, AgencyRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply, required_version
from flatbed.tenants.kit.ids import StaffId, encode
from flatbed.tenants.kit.schemas import ExternalRef
from flatbed.tenants.organizations import staff_service as service
from flatbed.tenants.organizations.ports import Departures, departures
from flatbed.tenants.organizations.schemas import (
    StaffCreate,
    StaffPage,
    StaffRead,
    StaffRole,
    StaffUpdate,
)

router = APIRouter(prefix="/v1/staff", tags=["staff"])


@router.post("", operation_id="create_staff", response_model=StaffRead, status_code=201)
async def create_staff(
    body: StaffCreate, call: Annotated[AgencyCall, require("tenants:manage").agency]
) -> Response:
    """Take on a staff member in one role."""

    async def work() -> Response:
        made, version = await service.create(call.session, body)
        location = f"/v1/staff/{encode('staff', made.id)}"
        return reply(made, status=201, version=version, location=location)

    return await call.once(work)


@router.get("", operation_id="list_staff", response_model=StaffPage)
async def list_staff(
    call: Annotated[AgencyRead, require("tenants:manage").agency_read],
    listing: Listed,
    role: StaffRole | None = None,
    external_ref: ExternalRef | None = None,
) -> Response:
    """List staff by last change, of one role if asked."""
    cursors = call.cursors(role=role, external_ref=external_ref)
    return reply(
        await service.page(
            call.session,
            cursors,
            cursor=listing.cursor,
            limit=listing.limit,
            role=role,
            external_ref=external_ref,
        )
    )


@router.get("/{staff_id}", operation_id="get_staff", response_model=StaffRead)
async def get_staff(
    staff_id: StaffId, call: Annotated[AgencyRead, require("tenants:manage").agency_read]
) -> Response:
    """Read one staff member."""
    found, version = await service.get(call.session, staff_id)
    return reply(found, version=version)


@router.patch("/{staff_id}", operation_id="update_staff", response_model=StaffRead)
async def update_staff(
    staff_id: StaffId,
    body: StaffUpdate,
    version: Annotated[int, Depends(required_version)],
    call: Annotated[AgencyCall, require("tenants:manage").agency],
    ending: Annotated[Departures, Depends(departures)],
) -> Response:
    """Change a staff member's data or role, or let him go."""
    found, new_version = await service.update(call.session, ending, staff_id, version, body)
    return reply(found, version=new_version)
