"""HTTP for an ISV's sign-in policy."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import reply, required_version
from flatbed.tenants.people.policy import service
from flatbed.tenants.people.policy.schemas import SignInPolicyRead, SignInPolicyUpdate

router = APIRouter(prefix="/v1/sign-in-policy", tags=["members"])


@router.get("", operation_id="get_sign_in_policy", response_model=SignInPolicyRead)
async def get_sign_in_policy(
    call: Annotated[TenantRead, require("members:manage").tenant_read],
) -> Response:
    """Read what the ISV asks of those who sign in for it."""
    found, version = await service.policy(call.session)
    return reply(found, version=version)


@router.put("", operation_id="put_sign_in_policy", response_model=SignInPolicyRead)
async def put_sign_in_policy(
    body: SignInPolicyUpdate,
    version: Annotated[int, Depends(required_version)],
    call: Annotated[TenantCall, require("members:manage").tenant],
) -> Response:
    """Set it, the first time with If-Match: "0"; it holds from now on.

    An owner who has no second factor is asked for one at his next sign-in or authorization of an
    application; what he let an application do by his password alone stops at once.
    """
    found, new_version = await service.put_policy(call.session, version, body)
    return reply(found, version=new_version)
