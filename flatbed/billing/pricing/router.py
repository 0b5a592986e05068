"""HTTP for price lists."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.billing.ids import PriceListId
from flatbed.billing.pricing import service
from flatbed.billing.pricing.schemas import (
    PriceListCreate,
    PriceListPage,
    PriceListRead,
    PriceListUpdate,
)
from flatbed.tenants.access.calls import AgencyCall, AgencyRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply, required_version
from flatbed.tenants.kit.ids import encode
from flatbed.tenants.kit.schemas import CurrencyCode, ExternalRef

router = APIRouter(prefix="/v1/price-lists", tags=["price lists"])


@router.post("", operation_id="create_price_list", response_model=PriceListRead, status_code=201)
async def create_price_list(
    body: PriceListCreate, call: Annotated[AgencyCall, require("prices:manage").agency]
) -> Response:
    """Set the price of a qualified partner; the same name makes its next number."""

    async def work() -> Response:
        price_list, version = await service.create(call.session, body)
        location = f"/v1/price-lists/{encode('price', price_list.id)}"
        return reply(price_list, status=201, version=version, location=location)

    return await call.once(work)


@router.get("", operation_id="list_price_lists", response_model=PriceListPage)
async def list_price_lists(
    call: Annotated[AgencyRead, require("prices:manage").agency_read],
    listing: Listed,
    currency: CurrencyCode | None = None,
    active: bool | None = None,  # noqa: FBT001 - FastAPI passes query parameters by name
    external_ref: ExternalRef | None = None,
) -> Response:
    """List price lists by last change."""
    cursors = call.cursors(currency=currency, active=active, external_ref=external_ref)
    return reply(
        await service.page(
            call.session,
            cursors,
            cursor=listing.cursor,
            limit=listing.limit,
            currency=currency,
            active=active,
            external_ref=external_ref,
        )
    )


@router.get("/{price_list_id}", operation_id="get_price_list", response_model=PriceListRead)
async def get_price_list(
    price_list_id: PriceListId,
    call: Annotated[AgencyRead, require("prices:manage").agency_read],
) -> Response:
    """Read one price list."""
    price_list, version = await service.get(call.session, price_list_id)
    return reply(price_list, version=version)


@router.patch("/{price_list_id}", operation_id="update_price_list", response_model=PriceListRead)
async def update_price_list(
    price_list_id: PriceListId,
    body: PriceListUpdate,
    version: Annotated[int, Depends(required_version)],
    call: Annotated[AgencyCall, require("prices:manage").agency],
) -> Response:
    """Activate or deactivate a price list; its price never changes."""
    price_list, new_version = await service.update(call.session, price_list_id, version, body)
    return reply(price_list, version=new_version)
