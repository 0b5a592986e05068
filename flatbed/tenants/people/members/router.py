"""HTTP for the members of an ISV."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.tenants.access.calls import Call, TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply, required_version
from flatbed.tenants.kit.ids import MembershipId, encode
from flatbed.tenants.people.invitations.schemas import InvitationRead
from flatbed.tenants.people.members.schemas import (
    MemberCreate,
    MemberPage,
    MemberRead,
    MemberRole,
    MemberUpdate,
)
from flatbed.tenants.people.members.service import Members

router = APIRouter(prefix="/v1/members", tags=["members"])


@router.post("", operation_id="create_member", response_model=MemberRead, status_code=201)
async def create_member(
    body: MemberCreate,
    call: Annotated[TenantCall, require("members:manage").tenant],
) -> Response:
    """Invite a person to the ISV, by a mail with a link that is good for seven days."""

    async def work() -> Response:
        made, version = await _members(call).create(call.session, body)
        location = f"/v1/members/{encode('mem', made.id)}"
        return reply(made, status=201, version=version, location=location)

    return await call.once(work)


@router.get("", operation_id="list_members", response_model=MemberPage)
async def list_members(
    call: Annotated[TenantRead, require("members:read").tenant_read],
    listing: Listed,
    role: MemberRole | None = None,
) -> Response:
    """List the ISV's people by last change, of one role if asked."""
    return reply(
        await _members(call).page(
            call.session,
            call.cursors(role=role),
            cursor=listing.cursor,
            limit=listing.limit,
            role=role,
        )
    )


@router.get("/{member_id}", operation_id="get_member", response_model=MemberRead)
async def get_member(
    member_id: MembershipId,
    call: Annotated[TenantRead, require("members:read").tenant_read],
) -> Response:
    """Read one member."""
    found, version = await _members(call).get(call.session, member_id)
    return reply(found, version=version)


@router.patch("/{member_id}", operation_id="update_member", response_model=MemberRead)
async def update_member(
    member_id: MembershipId,
    body: MemberUpdate,
    version: Annotated[int, Depends(required_version)],
    call: Annotated[TenantCall, require("members:manage").tenant],
) -> Response:
    """Change a member's name or role, or switch him off; nobody his own role."""
    found, new_version = await _members(call).update(
        call.session, call.principal, member_id, version, body
    )
    return reply(found, version=new_version)


@router.post(
    "/{member_id}/invitation",
    operation_id="resend_invitation",
    response_model=InvitationRead,
    status_code=201,
)
async def resend_invitation(
    member_id: MembershipId,
    call: Annotated[TenantCall, require("members:manage").tenant],
) -> Response:
    """Invite a member anew; the link of the mail before opens nothing any more."""

    async def work() -> Response:
        return reply(await _members(call).invite(call.session, member_id), status=201)

    return await call.once(work)


def _members(call: Call) -> Members:
    members: Members = call.request.app.state.people.members
    return members
