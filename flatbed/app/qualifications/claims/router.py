"""HTTP for guarantee cases and partners' requests."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.app.candidates.records.fields import Instant
from flatbed.app.ids import CampaignId, GuaranteeCaseId, QualificationId
from flatbed.app.qualifications.claims import service
from flatbed.app.qualifications.claims.schemas import (
    GuaranteeCaseCreate,
    PartnerRequestCreate,
    PartnerRequestRead,
    ReportDecision,
)
from flatbed.app.qualifications.guarantee import reading
from flatbed.app.qualifications.guarantee.repository import Filters
from flatbed.app.qualifications.guarantee.schemas import GuaranteeCasePage, GuaranteeCaseRead
from flatbed.app.qualifications.rules.cases import CaseState
from flatbed.tenants.access.calls import TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, optional_version, reply
from flatbed.tenants.kit.ids import encode

router = APIRouter(prefix="/v1", tags=["guarantee"])

MayRead = Annotated[TenantRead, require("pipeline:read").tenant_read]


@router.post(
    "/qualifications/{qualification_id}/partner-requests",
    operation_id="create_partner_request",
    response_model=PartnerRequestRead,
    status_code=201,
)
async def create_partner_request(
    qualification_id: QualificationId,
    body: PartnerRequestCreate,
    call: Annotated[TenantCall, require("disputes:decide").tenant],
) -> Response:
    """Tell the ISV that a touch of the partner is for it to answer.

    Unanswered for more than two business days from then on, it stops the guarantee's clock.
    """

    async def work() -> Response:
        made = await service.ask(call.session, call.principal, qualification_id, body)
        return reply(made, status=201)

    return await call.once(work)


@router.post(
    "/qualifications/{qualification_id}/guarantee-cases",
    operation_id="create_guarantee_case",
    response_model=GuaranteeCaseRead,
    status_code=201,
)
async def create_guarantee_case(
    qualification_id: QualificationId,
    body: GuaranteeCaseCreate,
    call: Annotated[TenantCall, require("decisions:write").tenant],
) -> Response:
    """Report that the partner of an accepted unit withdrew, with evidence."""

    async def work() -> Response:
        made, version = await service.report(call.session, call.principal, qualification_id, body)
        location = f"/v1/guarantee-cases/{encode('gcase', made.id)}"
        return reply(made, status=201, version=version, location=location)

    return await call.once(work)


@router.get(
    "/guarantee-cases", operation_id="list_guarantee_cases", response_model=GuaranteeCasePage
)
async def list_guarantee_cases(
    call: MayRead,
    listing: Listed,
    status: CaseState | None = None,
    campaign_id: CampaignId | None = None,
    updated_after: Instant | None = None,
) -> Response:
    """List the ISV's guarantee cases by last change."""
    filters = Filters(status=status, campaign_id=campaign_id, updated_after=updated_after)
    return reply(
        await reading.page(
            call.session,
            call.principal,
            call.cursors(status=status, campaign_id=campaign_id, updated_after=updated_after),
            cursor=listing.cursor,
            limit=listing.limit,
            filters=filters,
        )
    )


@router.get(
    "/guarantee-cases/{guarantee_case_id}",
    operation_id="get_guarantee_case",
    response_model=GuaranteeCaseRead,
)
async def get_guarantee_case(guarantee_case_id: GuaranteeCaseId, call: MayRead) -> Response:
    """Read one guarantee case."""
    found, version = await reading.get(call.session, call.principal, guarantee_case_id)
    return reply(found, version=version)


@router.post(
    "/guarantee-cases/{guarantee_case_id}/decision",
    operation_id="decide_guarantee_case",
    response_model=GuaranteeCaseRead,
)
async def decide_guarantee_case(
    guarantee_case_id: GuaranteeCaseId,
    body: ReportDecision,
    version: Annotated[int | None, Depends(optional_version)],
    call: Annotated[TenantCall, require("disputes:decide").tenant],
) -> Response:
    """Confirm or refuse a reported withdrawal.

    Confirmed, the campaign's next unit within 90 days is its replacement, else a credit follows.
    """

    async def work() -> Response:
        found, etag = await service.decide(
            call.session, call.principal, guarantee_case_id, body, version
        )
        return reply(found, version=etag)

    return await call.once(work)
