"""HTTP for the reconciliation."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from flatbed.billing.reconciliation import service
from flatbed.billing.reconciliation.schemas import FindingPage, ReconciliationRead
from flatbed.tenants.access.calls import TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply

router = APIRouter(prefix="/v1/reconciliation", tags=["statements"])

Reader = Annotated[TenantRead, require("billing:read").tenant_read]


@router.get("", operation_id="get_reconciliation", response_model=ReconciliationRead)
async def get_reconciliation(call: Reader) -> Response:
    """Read whether ledger, statements and Stripe agree."""
    return reply(await service.report(call.session))


@router.get("/findings", operation_id="list_billing_findings", response_model=FindingPage)
async def list_billing_findings(
    call: Reader,
    listing: Listed,
    *,
    is_open: Annotated[
        bool | None, Query(alias="open", description="Open ones, or settled ones.")
    ] = None,
) -> Response:
    """List what disagreed, by when it was found."""
    return reply(
        await service.findings(
            call.session,
            call.cursors(is_open=is_open),
            cursor=listing.cursor,
            limit=listing.limit,
            is_open=is_open,
        )
    )
