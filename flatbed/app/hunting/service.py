"""Rules of assignments: one live hunter a candidate, and the queue over all ISVs."""

from typing import Protocol
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from flatbed.app.hunting import repository
from flatbed.app.hunting.errors import (
    AlreadyAssignedError,
    AssignmentEndedError,
    NotAHunterError,
)
from flatbed.app.hunting.models import Assignment
from flatbed.app.hunting.schemas import (
    AssignmentCreate,
    AssignmentPage,
    AssignmentRead,
    QueueItem,
    QueuePage,
)
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import (
    AgencyReadSession,
    AgencySession,
    TenantSession,
    agency_plane,
)
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.problems import InvalidError, NotFoundError


class Targets(Protocol):
    """What an assignment may name, in a tenant's own rows (bound in wiring)."""

    async def has_campaign(self, session: TenantSession, campaign_id: UUID) -> bool:
        """Whether the tenant has this campaign."""
        ...

    async def give_candidate(
        self, session: TenantSession, candidate_id: UUID, staff_id: UUID
    ) -> UUID | None:
        """Note the hunter on the candidate; its campaign, or None if there is no such candidate."""
        ...


async def create(
    session: TenantSession, targets: Targets, body: AssignmentCreate
) -> AssignmentRead:
    """Assign a hunter to a campaign (sourcing) or to a candidate of the named ISV.

    Raises:
        InvalidError: the ISV has no such campaign or candidate.
        NotAHunterError: no active hunter of the realm has this id.
        AlreadyAssignedError: there is a live assignment already.
    """
    if body.candidate_id is not None:
        campaign_id = await targets.give_candidate(session, body.candidate_id, body.staff_id)
        if campaign_id is None:
            raise InvalidError.at("/candidate_id", "reference-not-found", "No such candidate.")
    elif body.campaign_id is not None and await targets.has_campaign(session, body.campaign_id):
        campaign_id = body.campaign_id
    else:
        raise InvalidError.at("/campaign_id", "reference-not-found", "No such campaign.")
    async with agency_plane(session) as agency:
        if not await repository.is_hunter(agency, body.staff_id):
            raise NotAHunterError
        row = await assign(
            agency,
            tenant_id=session.tenant_id,
            staff_id=body.staff_id,
            campaign_id=campaign_id,
            candidate_id=body.candidate_id,
        )
        return _read(row)


async def assign(
    session: AgencySession,
    *,
    tenant_id: UUID,
    staff_id: UUID,
    campaign_id: UUID,
    candidate_id: UUID | None,
) -> Assignment:
    """Write a live assignment; ``candidate_id`` None makes it a sourcing one.

    Raises:
        AlreadyAssignedError: there is a live one already.
    """
    kind = "sourcing" if candidate_id is None else "candidate"
    target = candidate_id or campaign_id
    if await repository.live(session, kind=kind, staff_id=staff_id, target=target) is not None:
        raise AlreadyAssignedError
    row = Assignment(
        realm_id=session.realm_id,
        id=uuid7(),
        kind=kind,
        staff_id=staff_id,
        tenant_id=tenant_id,
        campaign_id=campaign_id,
        candidate_id=candidate_id,
        started_at=session.now(),
        ended_at=None,
    )
    session.add(row)
    detail = {"kind": kind, "staff_id": encode("staff", staff_id)}
    record(session, "assignment.created", "asg", row.id, detail)
    try:
        await session.flush()
    except IntegrityError:
        # Another transaction assigned since we looked; this one is lost.
        raise AlreadyAssignedError from None
    failpoint(Failpoint.ASSIGNMENT_MADE)
    return row


async def get(session: AgencyReadSession, assignment_id: UUID) -> AssignmentRead:
    """One assignment.

    Raises:
        NotFoundError: none of this id in the realm.
    """
    row = await repository.find(session, assignment_id)
    if row is None:
        raise NotFoundError
    return _read(row)


async def page(
    session: AgencyReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    staff_id: UUID | None,
    tenant_id: UUID | None,
    only_live: bool,
) -> AssignmentPage:
    """Assignments, oldest first."""
    window = cursors.window(cursor, limit)
    rows = await repository.page(
        session, window, staff_id=staff_id, tenant_id=tenant_id, only_live=only_live
    )
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.started_at, row.id))
    return AssignmentPage(data=[_read(row) for row in shown], **envelope.model_dump())


async def end(session: AgencySession, assignment_id: UUID) -> AssignmentRead:
    """End an assignment; the hunter loses sight of the candidate with the commit.

    Raises:
        NotFoundError: none of this id in the realm.
        AssignmentEndedError: it has ended before.
    """
    row = await repository.find(session, assignment_id, lock=True)
    if row is None:
        raise NotFoundError
    if row.ended_at is not None:
        raise AssignmentEndedError
    row.ended_at = session.now()
    record(session, "assignment.ended", "asg", row.id, {"kind": row.kind})
    await session.flush()
    if row.candidate_id is not None:
        await repository.hand_over(session, row.candidate_id, None)
    return _read(row)


async def queue(
    session: AgencyReadSession,
    cursors: Cursors,
    *,
    staff_id: UUID,
    cursor: str | None,
    limit: int,
) -> QueuePage:
    """The hunter's candidates over all ISVs, the earliest due first."""
    window = cursors.window(cursor, limit)
    rows = await repository.queue(session, staff_id, window)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row[1], row[0].candidate_id))
    data = [
        QueueItem(
            candidate_id=card.candidate_id,
            organization_id=card.tenant_id,
            campaign_id=card.campaign_id,
            campaign_name=card.campaign_name,
            company_name=card.company_name,
            stage=card.stage,
            status=card.status,
            due_at=card.due_at,
            updated_at=card.updated_at,
        )
        for card, _ in shown
    ]
    return QueuePage(data=data, **envelope.model_dump())


def _read(row: Assignment) -> AssignmentRead:
    return AssignmentRead.model_validate(
        {
            "id": row.id,
            "kind": row.kind,
            "staff_id": row.staff_id,
            "organization_id": row.tenant_id,
            "campaign_id": row.campaign_id,
            "candidate_id": row.candidate_id,
            "started_at": row.started_at,
            "ended_at": row.ended_at,
        }
    )
