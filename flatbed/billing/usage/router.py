"""HTTP for usage: reports, files and the preview of what is in review."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Response

from flatbed.billing.documents.languages import Language
from flatbed.billing.usage.negotiation import accepted_format, accepted_language
from flatbed.billing.usage.reports import export, page, previewing
from flatbed.billing.usage.repository.reports import Filters
from flatbed.billing.usage.schemas import (
    CampaignRef,
    Format,
    GroupBy,
    UsagePage,
    UsagePreview,
)
from flatbed.billing.usage.states import UsageState
from flatbed.tenants.access.calls import TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.after_commit import AfterCommit
from flatbed.tenants.kit.http import Listed, reply
from flatbed.tenants.kit.schemas import UtcInstant

router = APIRouter(prefix="/v1", tags=["usage"])

Reader = Annotated[TenantRead, require("usage:read").tenant_read]
MEDIA: Final = {
    Format.CSV: "text/csv",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.PDF: "application/pdf",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The representation that the client asks for."""

    format: Format
    language: Language


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


async def usage_wanted(
    format_: Annotated[
        Format | None, Query(alias="format", description="Goes before the Accept header.")
    ] = None,
    language: Annotated[
        Language | None, Query(description="Of PDF and XLSX; goes before Accept-Language.")
    ] = None,
    accept: Annotated[str, Header()] = "*/*",
    accept_language: Annotated[str, Header()] = "",
) -> Wanted:
    """The wanted representation: the parameters', else what the client accepts."""
    media = {media: format_ for format_, media in MEDIA.items()}
    return Wanted(
        format_ or accepted_format(accept, media),
        language or accepted_language(accept_language),
    )


@router.get(
    "/usage",
    operation_id="get_usage",
    response_model=UsagePage,
    responses={
        200: {
            "content": {
                MEDIA[Format.CSV]: {"schema": {"type": "string"}},
                MEDIA[Format.XLSX]: {"schema": {"type": "string", "format": "binary"}},
                MEDIA[Format.PDF]: {"schema": {"type": "string", "format": "binary"}},
            }
        }
    },
)
async def get_usage(
    call: Reader,
    listing: Listed,
    filters: Annotated[Filters, Depends(usage_filters)],
    wanted: Annotated[Wanted, Depends(usage_wanted)],
    group_by: GroupBy = GroupBy.CAMPAIGN,
) -> Response:
    """Read metered units by state, in groups, with what is expected by the period's end.

    As CSV or XLSX all lines at once, at most 20,000; as PDF at most 2,000.
    """
    page.check_grouping(call.principal, group_by)
    program = call.request.app.state.program
    if wanted.format is Format.JSON:
        return reply(
            await page.page(
                call.session,
                call.keyring,
                program.campaigns,
                call.cursors(
                    occurred_from=filters.occurred_from,
                    occurred_to=filters.occurred_to,
                    campaign_id=filters.campaign_ref,
                    state=filters.state,
                ),
                cursor=listing.cursor,
                limit=listing.limit,
                filters=filters,
                group_by=group_by,
            )
        )
    if wanted.format is Format.CSV:
        work = await export.as_table(call.session, call.keyring, filters)
    else:
        work = await export.as_document(
            call.session,
            program.campaigns,
            filters,
            wanted=wanted.format,
            language=wanted.language,
            group_by=group_by,
            public_url=program.settings.public_url,
        )

    async def finish() -> Response:
        headers = {
            "Content-Disposition": f'attachment; filename="usage.{wanted.format}"',
            "Vary": "Accept, Accept-Language",
        }
        content = await program.press.make(work)
        return Response(content, headers=headers, media_type=MEDIA[wanted.format])

    # The connection goes back before the file is made: that takes seconds, and no database.
    return AfterCommit(finish)


@router.get("/usage/preview", operation_id="preview_usage", response_model=UsagePreview)
async def preview_usage(call: Reader, campaign_id: CampaignRef | None = None) -> Response:
    """Read what the candidates in review would cost, and how each campaign's tiers would move."""
    return reply(await previewing.preview(call.session, campaign_id))
