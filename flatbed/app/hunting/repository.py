"""SQL for assignments and candidate cards, all in the agency plane."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert

from flatbed.app.hunting.models import Assignment, CandidateCard
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.columns import word
from flatbed.tenants.kit.database.session import AgencyReadSession, AgencySession
from flatbed.tenants.organizations.models import Staff

LIVE_CANDIDATE: Final = (Assignment.kind == word("candidate"), Assignment.ended_at.is_(None))
LIVE_SOURCING: Final = (Assignment.kind == word("sourcing"), Assignment.ended_at.is_(None))
"""The conditions of the partial indexes on live assignments, as these need them."""


async def tenant_of_candidate(
    session: AgencyReadSession, staff_id: UUID, candidate_id: UUID
) -> UUID | None:
    """The tenant of the candidate, if its live assignment is this hunter's."""
    return await session.scalar(
        select(Assignment.tenant_id).where(
            Assignment.realm_id == session.realm_id,
            *LIVE_CANDIDATE,
            Assignment.candidate_id == candidate_id,
            Assignment.staff_id == staff_id,
        )
    )


async def tenant_of_campaign(
    session: AgencyReadSession, staff_id: UUID, campaign_id: UUID
) -> UUID | None:
    """The tenant of the campaign, if this hunter sources for it."""
    return await session.scalar(
        select(Assignment.tenant_id).where(
            Assignment.realm_id == session.realm_id,
            *LIVE_SOURCING,
            Assignment.campaign_id == campaign_id,
            Assignment.staff_id == staff_id,
        )
    )


async def find(
    session: AgencyReadSession, assignment_id: UUID, *, lock: bool = False
) -> Assignment | None:
    """The assignment, locked if asked."""
    statement = select(Assignment).where(
        Assignment.realm_id == session.realm_id, Assignment.id == assignment_id
    )
    return await session.scalar(statement.with_for_update() if lock else statement)


async def live(
    session: AgencyReadSession, *, kind: str, staff_id: UUID | None, target: UUID
) -> Assignment | None:
    """The live assignment to this candidate, or of this hunter to this campaign."""
    statement = select(Assignment).where(Assignment.realm_id == session.realm_id)
    if kind == "candidate":
        statement = statement.where(*LIVE_CANDIDATE, Assignment.candidate_id == target)
    else:
        statement = statement.where(
            *LIVE_SOURCING, Assignment.campaign_id == target, Assignment.staff_id == staff_id
        )
    return await session.scalar(statement)


async def page(
    session: AgencyReadSession,
    window: Window,
    *,
    staff_id: UUID | None,
    tenant_id: UUID | None,
    only_live: bool,
) -> Sequence[Assignment]:
    """Assignments, oldest first."""
    statement = select(Assignment).where(Assignment.realm_id == session.realm_id)
    if staff_id is not None:
        statement = statement.where(Assignment.staff_id == staff_id)
    if tenant_id is not None:
        statement = statement.where(Assignment.tenant_id == tenant_id)
    if only_live:
        statement = statement.where(Assignment.ended_at.is_(None))
    beyond = window.beyond(Assignment.started_at, Assignment.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Assignment.started_at, Assignment.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def is_hunter(session: AgencyReadSession, staff_id: UUID) -> bool:
    """Whether the realm has this active hunter."""
    found = await session.scalar(
        select(Staff.id).where(
            Staff.realm_id == session.realm_id,
            Staff.id == staff_id,
            Staff.role == "hunter",
            Staff.active,
        )
    )
    return found is not None


async def queue(
    session: AgencyReadSession, staff_id: UUID, window: Window
) -> Sequence[Row[CandidateCard, datetime]]:
    """The cards of the hunter's candidates that are not exited, the earliest due first."""
    statement = select(CandidateCard, CandidateCard.queue_at).where(
        CandidateCard.realm_id == session.realm_id,
        CandidateCard.staff_id == staff_id,
        CandidateCard.status != word("exited"),
    )
    beyond = window.beyond(CandidateCard.queue_at, CandidateCard.candidate_id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(CandidateCard.queue_at, CandidateCard.candidate_id).limit(
        window.limit
    )
    return (await session.execute(statement)).all()


@dataclass(frozen=True, slots=True)
class Card:
    """What the agency's lists show of a candidate."""

    tenant_id: UUID
    candidate_id: UUID
    campaign_id: UUID
    campaign_name: str
    company_name: str
    stage: str
    status: str
    due_at: datetime | None


async def put_card(session: AgencySession, card: Card) -> None:
    """Write a candidate's card, or write it anew; its hunter stays as his assignment left it."""
    shown = {**asdict(card), "updated_at": session.now()}
    hunter = (
        select(Assignment.staff_id)
        .where(
            Assignment.realm_id == session.realm_id,
            *LIVE_CANDIDATE,
            Assignment.candidate_id == card.candidate_id,
        )
        .scalar_subquery()
    )
    await session.execute(
        insert(CandidateCard)
        .values(realm_id=session.realm_id, staff_id=hunter, **shown)
        .on_conflict_do_update(index_elements=["realm_id", "candidate_id"], set_=shown)
    )


async def hand_over(session: AgencySession, candidate_id: UUID, staff_id: UUID | None) -> None:
    """Put the candidate's card, if there is one yet, into the hunter's queue or into none."""
    await session.execute(
        update(CandidateCard)
        .where(
            CandidateCard.realm_id == session.realm_id,
            CandidateCard.candidate_id == candidate_id,
        )
        .values(staff_id=staff_id)
        .execution_options(synchronize_session=False)
    )
