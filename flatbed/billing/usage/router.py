"""HTTP for usage and the statement preview."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response

from flatbed.billing.usage import reports
from flatbed.billing.usage.repository.reports import Filters
from flatbed.billing.usage.schemas import (
    CampaignRef,
    Format,
    GroupBy,
    UsagePage,
)
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.access.calls import TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply
from flatbed.tenants.kit.schemas import UtcInstant

router = APIRouter(prefix="/v1", tags=["usage"])


async def usage_filters(
    occurred_from: Annotated[
        UtcInstant | None, Query(alias="from", description="Occurred at this instant or later.")
    ] = None,
    occurred_to: Annotated[
        UtcInstant | None, Query(alias="to", description="Occurred before this instant.")
    ] = None,
    campaign_id: CampaignRef | None = None,
    state: UsageState | None = None,
) -> Filters:
    """The filters of usage."""
    return Filters(occurred_from, occurred_to, campaign_id, state)


async def usage_format(
    format_: Annotated[
        Format | None, Query(alias="format", description="Goes before the Accept header.")
    ] = None,
    accept: Annotated[str, Header()] = "*/*",
) -> Format:
    """The wanted representation: the parameter's, else what the client accepts."""
    wants_csv = accept.partition(",")[0].partition(";")[0].strip() == "text/csv"
    return format_ or (Format.CSV if wants_csv else Format.JSON)


@router.get(
    "/usage",
    operation_id="get_usage",
    response_model=UsagePage,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def get_usage(
    call: Annotated[TenantRead, require("usage:read").tenant_read],
    listing: Listed,
    filters: Annotated[Filters, Depends(usage_filters)],
    wanted: Annotated[Format, Depends(usage_format)],
    group_by: GroupBy = GroupBy.CAMPAIGN,
) -> Response:
    """Read metered units by state; as CSV all lines at once, at most 20,000."""
    if wanted is Format.CSV:
        text = await reports.export(call.session, call.keyring, filters)
        headers = {"Content-Disposition": 'attachment; filename="usage.csv"', "Vary": "Accept"}
        return Response(text, headers=headers, media_type="text/csv")
    cursors = call.cursors(
        occurred_from=filters.occurred_from,
        occurred_to=filters.occurred_to,
        campaign_id=filters.campaign_ref,
        state=filters.state,
    )
    return reply(
        await reports.page(
            call.session,
            call.keyring,
            cursors,
            cursor=listing.cursor,
            limit=listing.limit,
            filters=filters,
            group_by=group_by,
        )
    )
