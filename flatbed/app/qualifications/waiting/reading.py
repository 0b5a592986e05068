"""Waiting qualifications as the API shows them, each reader what he may see."""

from uuid import UUID

from flatbed.app.campaigns.readers import actor_shown
from flatbed.app.candidates.models import WaitingQualification
from flatbed.app.candidates.pipeline import criteria
from flatbed.app.candidates.records.service import candidate_to_read
from flatbed.app.qualifications.waiting import repository
from flatbed.app.qualifications.waiting.schemas import (
    WaitingQualificationPage,
    WaitingQualificationRead,
)
from flatbed.tenants.access.principal import Principal, Role
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.problems import NotFoundError

REASON = "over_cap"


async def get(
    session: TenantReadSession, principal: Principal, waiting_id: UUID
) -> tuple[WaitingQualificationRead, int]:
    """The reservation and its ETag.

    Raises:
        NotFoundError: no such reservation of this tenant.
    """
    row = await repository.find(session, waiting_id)
    if row is None:
        raise NotFoundError
    return read(row, principal), row.version


async def page(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    filters: repository.Filters,
) -> WaitingQualificationPage:
    """A page of reservations by last change."""
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, window, filters)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
    data = [read(row, principal) for row in shown]
    return WaitingQualificationPage(data=data, **envelope.model_dump())


async def page_of_candidate(
    session: TenantReadSession,
    principal: Principal,
    cursors: Cursors,
    candidate_id: UUID,
    *,
    cursor: str | None,
    limit: int,
) -> WaitingQualificationPage:
    """A page of one candidate's reservations by last change.

    Raises:
        NotFoundError: no such candidate for this caller.
    """
    await candidate_to_read(session, candidate_id)
    filters = repository.Filters(candidate_id=candidate_id)
    return await page(session, principal, cursors, cursor=cursor, limit=limit, filters=filters)


def read(row: WaitingQualification, principal: Principal) -> WaitingQualificationRead:
    """The reservation; its dossier waits for the qualification."""
    apart = {"reason", "criteria", "caps", "submitted_by", "metadata"}
    plain = {
        name: getattr(row, name)
        for name in WaitingQualificationRead.model_fields
        if name not in apart
    }
    return WaitingQualificationRead.model_validate(
        {
            **plain,
            "reason": REASON,
            "criteria": criteria.shown(row.criteria),
            # What the ISV may spend is not for hunters.
            "caps": None if principal.role is Role.HUNTER else row.caps,
            "submitted_by": actor_shown(row.submitted_by, principal),
            "metadata": row.metadata_,
        }
    )
