"""HTTP for qualifications and disputes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from flatbed.app.candidates.records.fields import Instant
from flatbed.app.ids import CampaignId, CandidateId, QualificationId
from flatbed.app.qualifications import (
    acceptance,
    cards,
    decisions,
    disputes,
    reading,
    submission,
    withdrawal,
)
from flatbed.app.qualifications.repository import Filters
from flatbed.app.qualifications.rules.states import CaseStatus, Status
from flatbed.app.qualifications.schemas import (
    CardKind,
    DecisionCreate,
    DisputeAnswer,
    DisputeCreate,
    DisputePage,
    DisputeRead,
    QualificationCreate,
    QualificationDetail,
    QualificationPage,
    QualificationRead,
)
from flatbed.app.qualifications.waiting.schemas import WaitingQualificationRead
from flatbed.tenants.access.calls import AgencyRead, TenantCall, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, optional_version, reply
from flatbed.tenants.kit.ids import OrganizationId, encode
from flatbed.tenants.kit.schemas import ExternalRef

router = APIRouter(prefix="/v1", tags=["qualifications"])

Version = Annotated[int | None, Depends(optional_version)]
MaySubmit = Annotated[TenantCall, require("pipeline:write").tenant]
MayRead = Annotated[TenantRead, require("pipeline:read").tenant_read]
IsvDecides = Annotated[TenantCall, require("decisions:write").tenant]
AgencyDecides = Annotated[TenantCall, require("disputes:decide").tenant]


@router.post(
    "/candidates/{candidate_id}/qualifications",
    operation_id="create_qualification",
    response_model=QualificationRead,
    status_code=201,
    responses={
        202: {
            "model": WaitingQualificationRead,
            "description": "A cap is met: it passed every gate and waits for room.",
        }
    },
)
async def create_qualification(
    candidate_id: CandidateId, call: MaySubmit, body: QualificationCreate | None = None
) -> Response:
    """Submit a candidate: the gates of `qualified`, the dossier, the unit and the stage at once.

    Where a cap of the campaign is met, or others wait for room before it, the answer is 202 and a
    reservation that waits with gates and dossier frozen for 30 days; submitted again, the same
    one. Refused with `gate-failed` and the criteria, or with `cap-reached` where a cap is below a
    single unit; then nothing has changed.
    """

    async def work() -> Response:
        made, version = await submission.submit(
            call.session, call.principal, candidate_id, body or QualificationCreate()
        )
        if isinstance(made, WaitingQualificationRead):
            location = f"/v1/waiting-qualifications/{encode('wait', made.id)}"
            return reply(made, status=202, version=version, location=location)
        location = f"/v1/qualifications/{encode('qual', made.id)}"
        return reply(made, status=201, version=version, location=location)

    return await call.once(work)


@router.get(
    "/candidates/{candidate_id}/qualifications",
    operation_id="list_candidate_qualifications",
    response_model=QualificationPage,
)
async def list_candidate_qualifications(
    candidate_id: CandidateId, call: MayRead, listing: Listed
) -> Response:
    """List a candidate's qualifications, voided generations among them."""
    return reply(
        await reading.page_of_candidate(
            call.session,
            call.principal,
            call.cursors(candidate_id=candidate_id),
            candidate_id,
            cursor=listing.cursor,
            limit=listing.limit,
        )
    )


@router.get("/qualifications", operation_id="list_qualifications", response_model=QualificationPage)
async def list_qualifications(
    call: MayRead,
    listing: Listed,
    status: Status | None = None,
    campaign_id: CampaignId | None = None,
    updated_after: Instant | None = None,
    external_ref: ExternalRef | None = None,
) -> Response:
    """List the ISV's qualifications by last change."""
    filters = Filters(
        status=status,
        campaign_id=campaign_id,
        updated_after=updated_after,
        external_ref=external_ref,
    )
    cursors = call.cursors(
        status=status,
        campaign_id=campaign_id,
        updated_after=updated_after,
        external_ref=external_ref,
    )
    return reply(
        await reading.page(
            call.session,
            call.principal,
            cursors,
            cursor=listing.cursor,
            limit=listing.limit,
            filters=filters,
        )
    )


@router.get(
    "/qualifications/{qualification_id}",
    operation_id="get_qualification",
    response_model=QualificationDetail,
)
async def get_qualification(qualification_id: QualificationId, call: MayRead) -> Response:
    """Read a qualification with its evidence dossier."""
    found, version = await reading.get(call.session, call.principal, qualification_id)
    return reply(found, version=version)


@router.post(
    "/qualifications/{qualification_id}/acceptance",
    operation_id="accept_qualification",
    response_model=QualificationRead,
)
async def accept_qualification(
    qualification_id: QualificationId, version: Version, call: IsvDecides
) -> Response:
    """Accept a qualified partner: the unit becomes billable."""

    async def work() -> Response:
        found, etag = await acceptance.accept(
            call.session, call.principal, qualification_id, version
        )
        return reply(found, version=etag)

    return await call.once(work)


@router.post(
    "/qualifications/{qualification_id}/disputes",
    operation_id="dispute_qualification",
    response_model=DisputeRead,
    status_code=201,
)
async def dispute_qualification(
    qualification_id: QualificationId, body: DisputeCreate, version: Version, call: IsvDecides
) -> Response:
    """Dispute a qualification: name a criterion of the frozen rubric and bring evidence."""

    async def work() -> Response:
        made = await disputes.create(call.session, call.principal, qualification_id, body, version)
        return reply(made, status=201)

    return await call.once(work)


@router.post(
    "/qualifications/{qualification_id}/dispute/withdrawal",
    operation_id="withdraw_dispute",
    response_model=QualificationRead,
)
async def withdraw_dispute(
    qualification_id: QualificationId, version: Version, call: IsvDecides
) -> Response:
    """Take the open dispute of a qualification back.

    What was left of the term to accept runs on, at least two business days. It is not disputed a
    second time, fraud excepted.
    """

    async def work() -> Response:
        found, etag = await withdrawal.withdraw(
            call.session, call.principal, qualification_id, version
        )
        return reply(found, version=etag)

    return await call.once(work)


@router.post(
    "/qualifications/{qualification_id}/answer",
    operation_id="answer_dispute",
    response_model=DisputeRead,
)
async def answer_dispute(
    qualification_id: QualificationId, body: DisputeAnswer, version: Version, call: AgencyDecides
) -> Response:
    """Answer the open dispute of a qualification for the agency."""

    async def work() -> Response:
        return reply(
            await disputes.answer(call.session, call.principal, qualification_id, body, version)
        )

    return await call.once(work)


@router.post(
    "/qualifications/{qualification_id}/decision",
    operation_id="decide_dispute",
    response_model=QualificationRead,
)
async def decide_dispute(
    qualification_id: QualificationId, body: DecisionCreate, version: Version, call: AgencyDecides
) -> Response:
    """Decide the answered dispute of a qualification, or its open review."""

    async def work() -> Response:
        found, etag = await decisions.decide(
            call.session, call.principal, qualification_id, body, version
        )
        return reply(found, version=etag)

    return await call.once(work)


@router.get("/disputes", operation_id="list_disputes", response_model=DisputePage)
async def list_disputes(
    call: Annotated[AgencyRead, require("disputes:decide").agency_read],
    listing: Listed,
    state: CaseStatus | None = None,
    kind: CardKind | None = None,
    organization_id: OrganizationId | None = None,
) -> Response:
    """List disputes, reviews and reports over all ISVs, the earliest due first."""
    return reply(
        await cards.page(
            call.session,
            call.cursors(state=state, kind=kind, organization_id=organization_id),
            cursor=listing.cursor,
            limit=listing.limit,
            state=state,
            kind=kind,
            organization_id=organization_id,
        )
    )
