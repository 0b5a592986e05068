"""HTTP for paying."""

from typing import Annotated

from fastapi import APIRouter, Response

from flatbed.billing.collection import paying
from flatbed.billing.collection.schemas import (
    CollectionList,
    PaymentSetupCreate,
    PortalSessionCreate,
    ProviderLink,
)
from flatbed.billing.ids import InvoiceId
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.after_commit import AfterCommit
from flatbed.tenants.kit.http import reply

router = APIRouter(prefix="/v1", tags=["billing accounts"])

Writer = Annotated[TenantCall, require("billing:write").tenant]


@router.get(
    "/invoices/{invoice_id}/collection",
    operation_id="get_invoice_collection",
    response_model=CollectionList,
)
async def get_invoice_collection(
    invoice_id: InvoiceId,
    call: Annotated[TenantRead, require("billing:read").tenant_read],
) -> Response:
    """Read how an invoice is collected, and where it can be paid."""
    return reply(await paying.collections_of(call.session, invoice_id))


@router.post(
    "/billing-account/payment-setups",
    operation_id="create_payment_setup",
    response_model=ProviderLink,
    status_code=201,
)
async def create_payment_setup(body: PaymentSetupCreate, call: Writer) -> Response:
    """Open a page of the payment provider on which the ISV leaves a payment method."""
    make = await paying.prepare_setup(
        call.session,
        call.request.app.state.program.collector,
        success_url=body.success_url,
        cancel_url=body.cancel_url,
    )

    async def finish() -> Response:
        return reply(ProviderLink(url=await make()), status=201)

    return AfterCommit(finish)


@router.post(
    "/billing-account/portal-sessions",
    operation_id="create_portal_session",
    response_model=ProviderLink,
    status_code=201,
)
async def create_portal_session(body: PortalSessionCreate, call: Writer) -> Response:
    """Open the payment provider's own pages for the ISV."""
    collector = call.request.app.state.program.collector
    make = await paying.prepare_portal(call.session, collector, return_url=body.return_url)

    async def finish() -> Response:
        return reply(ProviderLink(url=await make()), status=201)

    return AfterCommit(finish)
