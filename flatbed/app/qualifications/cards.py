"""The agency's cards of disputes and reviews: projections, written in the ISV's transaction."""

from uuid import UUID

from flatbed.app.qualifications import repository
from flatbed.app.qualifications.models import Dispute, QualificationReview
from flatbed.app.qualifications.rules.states import CaseStatus
from flatbed.app.qualifications.schemas import DisputeCardRead, DisputePage
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import AgencyReadSession, TenantSession, agency_plane
from flatbed.tenants.kit.ids import encode

PREFIXES = {"dispute": "disp", "review": "rev"}


async def show(session: TenantSession, case: Dispute | QualificationReview) -> None:
    """Bring the card of a dispute or a review up to date."""
    review = isinstance(case, QualificationReview)
    values = {
        "dispute_id": case.id,
        "kind": "review" if review else "dispute",
        "tenant_id": session.tenant_id,
        "qualification_id": case.qualification_id,
        "candidate_id": case.candidate_id,
        "state": case.status,
        "criterion": None if isinstance(case, QualificationReview) else case.criterion,
        "due_at": case.opened_at
        if isinstance(case, QualificationReview)
        else case.decide_by or case.answer_by,
        "updated_at": session.now(),
    }
    async with agency_plane(session) as agency:
        await repository.put_card(agency, values)


async def page(
    session: AgencyReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    state: CaseStatus | None,
    kind: str | None,
    organization_id: UUID | None,
) -> DisputePage:
    """A page of disputes and reviews over all ISVs, the earliest due first."""
    window = cursors.window(cursor, limit)
    rows = await repository.cards(
        session, window, state=state, kind=kind, tenant_id=organization_id
    )
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.due_at, row.dispute_id))
    data = [
        DisputeCardRead.model_validate(
            {
                "kind": row.kind,
                "id": encode(PREFIXES[row.kind], row.dispute_id),
                "organization_id": row.tenant_id,
                "qualification_id": row.qualification_id,
                "candidate_id": row.candidate_id,
                "state": row.state,
                "criterion": row.criterion,
                "due_at": row.due_at,
                "updated_at": row.updated_at,
            }
        )
        for row in shown
    ]
    return DisputePage(data=data, **envelope.model_dump())
