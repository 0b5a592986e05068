"""HTTP for billing accounts and the agency's billing profile."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.billing.accounts import service
from flatbed.billing.accounts.schemas import (
    BillingAccountRead,
    BillingAccountTerms,
    BillingAccountUpdate,
    BillingProfileRead,
    BillingProfileUpdate,
)
from flatbed.tenants.access.calls import AgencyCall, AgencyRead, TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import reply, required_version

router = APIRouter(prefix="/v1", tags=["billing accounts"])

Version = Annotated[int, Depends(required_version)]


@router.get(
    "/billing-account", operation_id="get_billing_account", response_model=BillingAccountRead
)
async def get_billing_account(
    call: Annotated[TenantRead, require("billing:read").tenant_read],
) -> Response:
    """Read how the ISV is billed."""
    account, version = await service.account(call.session)
    return reply(account, version=version)


@router.patch(
    "/billing-account", operation_id="update_billing_account", response_model=BillingAccountRead
)
async def update_billing_account(
    body: BillingAccountUpdate,
    version: Version,
    call: Annotated[TenantCall, require("billing:write").tenant],
) -> Response:
    """Change address, tax ids, purchase order, language or way of paying for later invoices."""
    account, new_version = await service.update_account(call.session, version, body)
    return reply(account, version=new_version)


@router.put(
    "/billing-account/terms", operation_id="set_billing_terms", response_model=BillingAccountRead
)
async def set_billing_terms(
    body: BillingAccountTerms,
    version: Version,
    call: Annotated[TenantCall, require("billing:write").tenant],
) -> Response:
    """Set what the agency agreed with the ISV: days until an invoice is due."""
    account, new_version = await service.update_account(call.session, version, body)
    return reply(account, version=new_version)


@router.get(
    "/billing-profile", operation_id="get_billing_profile", response_model=BillingProfileRead
)
async def get_billing_profile(
    call: Annotated[AgencyRead, require("billing:read").agency_read],
) -> Response:
    """Read the agency's data on its invoices."""
    profile, version = await service.profile(call.session)
    return reply(profile, version=version)


@router.put(
    "/billing-profile", operation_id="put_billing_profile", response_model=BillingProfileRead
)
async def put_billing_profile(
    body: BillingProfileUpdate,
    version: Version,
    call: Annotated[AgencyCall, require("billing:write").agency],
) -> Response:
    """Fill in (If-Match: "0") or replace the agency's data on its later invoices."""
    profile, new_version = await service.put_profile(call.session, version, body)
    return reply(profile, version=new_version)
