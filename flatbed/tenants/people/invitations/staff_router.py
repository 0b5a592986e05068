"""HTTP for inviting the agency's staff."""

from typing import Annotated

from fastapi import APIRouter, Response

from flatbed.tenants.access.calls import AgencyCall
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import reply
from flatbed.tenants.kit.ids import StaffId
from flatbed.tenants.people.invitations.schemas import InvitationRead
from flatbed.tenants.people.invitations.staff_service import invite

router = APIRouter(prefix="/v1/staff", tags=["staff"])


@router.post(
    "/{staff_id}/invitation",
    operation_id="invite_staff",
    response_model=InvitationRead,
    status_code=201,
)
async def invite_staff(
    staff_id: StaffId, call: Annotated[AgencyCall, require("tenants:manage").agency]
) -> Response:
    """Let a staff member sign in as himself; a link that he was sent before opens nothing more."""

    async def work() -> Response:
        return reply(await invite(call.session, staff_id), status=201)

    return await call.once(work)
