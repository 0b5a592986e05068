"""The agency's cards of what waits for a lead: projections, written in the ISV's transaction."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flatbed.app.qualifications import repository
from flatbed.app.qualifications.guarantee.models import GuaranteeCase
from flatbed.app.qualifications.models import Dispute, QualificationReview
from flatbed.app.qualifications.rules.states import CaseStatus
from flatbed.app.qualifications.schemas import CardKind, DisputeCardRead, DisputePage
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import AgencyReadSession, TenantSession, agency_plane
from flatbed.tenants.kit.ids import encode

PREFIXES = {"dispute": "disp", "review": "rev", "guarantee": "gcase", "free_ride": "ride"}


@dataclass(frozen=True, slots=True)
class Card:
    """What a lead is to look at: its id, of what kind, whose, how it stands and since when."""

    id: UUID
    kind: CardKind
    qualification_id: UUID | None
    candidate_id: UUID
    state: CaseStatus
    due_at: datetime
    criterion: str | None = None


async def show(session: TenantSession, case: Dispute | QualificationReview) -> None:
    """Bring the card of a dispute or a review up to date."""
    is_review = isinstance(case, QualificationReview)
    await put(
        session,
        Card(
            id=case.id,
            kind="review" if is_review else "dispute",
            qualification_id=case.qualification_id,
            candidate_id=case.candidate_id,
            state=CaseStatus(case.status),
            due_at=case.opened_at
            if isinstance(case, QualificationReview)
            else case.decide_by or case.answer_by,
            criterion=None if isinstance(case, QualificationReview) else case.criterion,
        ),
    )


async def show_claim(session: TenantSession, case: GuaranteeCase, state: CaseStatus) -> None:
    """Bring the card of a reported withdrawal up to date."""
    await put(
        session,
        Card(
            id=case.id,
            kind="guarantee",
            qualification_id=case.qualification_id,
            candidate_id=case.candidate_id,
            state=state,
            due_at=case.reported_at,
        ),
    )


async def put(session: TenantSession, card: Card) -> None:
    """Write a card, or bring it up to date."""
    values = {
        "dispute_id": card.id,
        "kind": card.kind,
        "tenant_id": session.tenant_id,
        "qualification_id": card.qualification_id,
        "candidate_id": card.candidate_id,
        "state": card.state.value,
        "criterion": card.criterion,
        "due_at": card.due_at,
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
    """A page of what waits or waited for a lead over all ISVs, the earliest due first."""
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
