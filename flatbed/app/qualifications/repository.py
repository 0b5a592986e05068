"""SQL for qualifications, disputes, reviews and their cards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.dialects.postgresql import insert

from flatbed.app.candidates.models import (
    Candidate,
    EvidenceConfirmation,
    Touchpoint,
    TouchpointVerdict,
    Transition,
    WaitingQualification,
)
from flatbed.app.candidates.rules.stages import Stage
from flatbed.app.candidates.rules.touches import Side
from flatbed.app.qualifications.guarantee.models import PartnerRequest
from flatbed.app.qualifications.models import (
    Dispute,
    DisputeCard,
    Qualification,
    QualificationReview,
)
from flatbed.app.qualifications.rules.states import CaseStatus, Status
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.columns import word
from flatbed.tenants.kit.database.session import (
    AgencyReadSession,
    AgencySession,
    TenantReadSession,
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which qualifications; None is any."""

    candidate_id: UUID | None = None
    campaign_id: UUID | None = None
    status: Status | None = None
    updated_after: datetime | None = None
    external_ref: str | None = None


async def find(session: TenantReadSession, qualification_id: UUID) -> Qualification | None:
    """The qualification as it is stored now, also where an older reading is at hand."""
    statement = (
        select(Qualification)
        .where(Qualification.tenant_id == session.tenant_id, Qualification.id == qualification_id)
        .execution_options(populate_existing=True)
    )
    return await session.scalar(statement)


async def live(session: TenantReadSession, candidate_id: UUID) -> Qualification | None:
    """The candidate's qualification that is not voided."""
    statement = (
        select(Qualification)
        .where(
            Qualification.tenant_id == session.tenant_id,
            Qualification.candidate_id == candidate_id,
            Qualification.status != word(Status.VOIDED.value),
        )
        .execution_options(populate_existing=True)
    )
    return await session.scalar(statement)


async def page(
    session: TenantReadSession, window: Window, filters: Filters
) -> Sequence[Qualification]:
    """Qualifications by last change."""
    statement = select(Qualification).where(Qualification.tenant_id == session.tenant_id)
    if filters.candidate_id is not None:
        statement = statement.where(Qualification.candidate_id == filters.candidate_id)
    if filters.campaign_id is not None:
        statement = statement.where(Qualification.campaign_id == filters.campaign_id)
    if filters.status is not None:
        statement = statement.where(Qualification.status == filters.status.value)
    if filters.updated_after is not None:
        statement = statement.where(Qualification.updated_at > filters.updated_after)
    if filters.external_ref is not None:
        statement = statement.where(Qualification.external_ref == filters.external_ref)
    beyond = window.beyond(Qualification.updated_at, Qualification.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Qualification.updated_at, Qualification.id)
    return (await session.scalars(statement.limit(window.limit))).all()


async def disputes(
    session: TenantReadSession, qualifications: Sequence[Qualification]
) -> Sequence[Dispute]:
    """The disputes of these qualifications, oldest first."""
    statement = select(Dispute).where(
        Dispute.tenant_id == session.tenant_id,
        Dispute.candidate_id.in_({one.candidate_id for one in qualifications}),
        Dispute.qualification_id.in_({one.id for one in qualifications}),
    )
    return (await session.scalars(statement.order_by(Dispute.opened_at, Dispute.id))).all()


async def reviews(
    session: TenantReadSession, qualifications: Sequence[Qualification]
) -> Sequence[QualificationReview]:
    """The reviews of these qualifications, oldest first."""
    statement = select(QualificationReview).where(
        QualificationReview.tenant_id == session.tenant_id,
        QualificationReview.candidate_id.in_({one.candidate_id for one in qualifications}),
        QualificationReview.qualification_id.in_({one.id for one in qualifications}),
    )
    order = QualificationReview.opened_at, QualificationReview.id
    return (await session.scalars(statement.order_by(*order))).all()


async def dispute(session: TenantReadSession, candidate_id: UUID, id_: UUID) -> Dispute | None:
    """The candidate's dispute as it is stored now."""
    statement = (
        select(Dispute)
        .where(
            Dispute.tenant_id == session.tenant_id,
            Dispute.candidate_id == candidate_id,
            Dispute.id == id_,
        )
        .execution_options(populate_existing=True)
    )
    return await session.scalar(statement)


async def open_review(
    session: TenantReadSession, qualification: Qualification
) -> QualificationReview | None:
    """The review of the qualification that waits for its decision."""
    statement = select(QualificationReview).where(
        QualificationReview.tenant_id == session.tenant_id,
        QualificationReview.candidate_id == qualification.candidate_id,
        QualificationReview.qualification_id == qualification.id,
        QualificationReview.status == word(CaseStatus.OPEN.value),
    )
    return await session.scalar(statement)


async def had_a_hand(session: TenantReadSession, candidate_id: UUID, actor: str) -> bool:
    """Whether the actor reached out, audited, confirmed, marked, gave an override or submitted."""
    statement = select(
        or_(
            exists().where(
                Touchpoint.tenant_id == session.tenant_id,
                Touchpoint.candidate_id == candidate_id,
                Touchpoint.side == Side.AGENCY.value,
                Touchpoint.recorded_by == actor,
            ),
            exists().where(
                TouchpointVerdict.tenant_id == session.tenant_id,
                TouchpointVerdict.candidate_id == candidate_id,
                TouchpointVerdict.kind == "audit",
                TouchpointVerdict.actor == actor,
            ),
            exists().where(
                EvidenceConfirmation.tenant_id == session.tenant_id,
                EvidenceConfirmation.candidate_id == candidate_id,
                EvidenceConfirmation.actor == actor,
            ),
            exists().where(
                PartnerRequest.tenant_id == session.tenant_id,
                PartnerRequest.candidate_id == candidate_id,
                PartnerRequest.marked_by == actor,
            ),
            # What waited for room was submitted by another than moved it.
            exists().where(
                WaitingQualification.tenant_id == session.tenant_id,
                WaitingQualification.candidate_id == candidate_id,
                WaitingQualification.submitted_by == actor,
            ),
            exists().where(
                Transition.tenant_id == session.tenant_id,
                Transition.candidate_id == candidate_id,
                Transition.actor == actor,
                or_(
                    Transition.override_reason.is_not(None),
                    Transition.to_stage == Stage.QUALIFIED.value,
                ),
            ),
        )
    )
    return bool(await session.scalar(statement))


async def put_card(session: AgencySession, values: dict[str, Any]) -> None:
    """Write a card, or bring it up to date."""
    fresh = insert(DisputeCard).values(realm_id=session.realm_id, **values)
    await session.execute(
        fresh.on_conflict_do_update(
            index_elements=["realm_id", "dispute_id"],
            set_={
                name: values[name] for name in ("state", "qualification_id", "due_at", "updated_at")
            },
        )
    )


async def cards(
    session: AgencyReadSession,
    window: Window,
    *,
    state: CaseStatus | None,
    kind: str | None,
    tenant_id: UUID | None,
) -> Sequence[DisputeCard]:
    """Cards of the realm, the earliest due first."""
    statement = select(DisputeCard).where(DisputeCard.realm_id == session.realm_id)
    if state is not None:
        statement = statement.where(DisputeCard.state == state.value)
    if kind is not None:
        statement = statement.where(DisputeCard.kind == kind)
    if tenant_id is not None:
        statement = statement.where(DisputeCard.tenant_id == tenant_id)
    beyond = window.beyond(DisputeCard.due_at, DisputeCard.dispute_id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(DisputeCard.due_at, DisputeCard.dispute_id)
    return (await session.scalars(statement.limit(window.limit))).all()


async def qualified_entries(session: TenantReadSession) -> dict[UUID, str]:
    """The entry that each candidate holds, and the hash of the dossier it rests on.

    Asked by ``flatbed verify ledger``: an entry that no candidate names, or the other way round,
    is a finding.
    """
    statement = (
        select(Candidate.entry_id, Qualification.dossier_hash)
        .outerjoin(
            Qualification,
            (Qualification.tenant_id == Candidate.tenant_id)
            & (Qualification.candidate_id == Candidate.id)
            & (Qualification.entry_id == Candidate.entry_id),
        )
        .where(Candidate.tenant_id == session.tenant_id, Candidate.entry_id.is_not(None))
    )
    rows = (await session.execute(statement)).all()
    return {entry_id: hash_ or "" for entry_id, hash_ in rows if entry_id is not None}
