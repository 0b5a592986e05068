"""SQL for qualifications that wait for room."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from flatbed.app.candidates.models import Candidate, WaitingQualification
from flatbed.app.candidates.reservations.repository import WAITING
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.columns import word
from flatbed.tenants.kit.database.session import TenantReadSession


@dataclass(frozen=True, slots=True)
class Filters:
    """Which reservations; None is any."""

    candidate_id: UUID | None = None
    campaign_id: UUID | None = None
    status: str | None = None
    updated_after: datetime | None = None
    external_ref: str | None = None


class Place(NamedTuple):
    """A place in a campaign's line."""

    id: UUID
    candidate_id: UUID


async def find(session: TenantReadSession, waiting_id: UUID) -> WaitingQualification | None:
    """The reservation as it is stored now, also where an older reading is at hand."""
    statement = (
        select(WaitingQualification)
        .where(
            WaitingQualification.tenant_id == session.tenant_id,
            WaitingQualification.id == waiting_id,
        )
        .execution_options(populate_existing=True)
    )
    return await session.scalar(statement)


async def line(session: TenantReadSession, campaign_id: UUID) -> list[Place]:
    """Who waits in a campaign, first come first."""
    statement = (
        select(WaitingQualification.id, WaitingQualification.candidate_id)
        .where(
            WaitingQualification.tenant_id == session.tenant_id,
            WaitingQualification.campaign_id == campaign_id,
            WaitingQualification.status == word(WAITING),
        )
        .order_by(WaitingQualification.created_at, WaitingQualification.id)
    )
    return [Place(*row) for row in await session.execute(statement)]


async def campaign_of(session: TenantReadSession, candidate_id: UUID) -> UUID | None:
    """The campaign of a candidate."""
    statement = select(Candidate.campaign_id).where(
        Candidate.tenant_id == session.tenant_id, Candidate.id == candidate_id
    )
    return await session.scalar(statement)


async def page(
    session: TenantReadSession, window: Window, filters: Filters
) -> Sequence[WaitingQualification]:
    """Reservations by last change."""
    row = WaitingQualification
    statement = select(row).where(row.tenant_id == session.tenant_id)
    if filters.candidate_id is not None:
        statement = statement.where(row.candidate_id == filters.candidate_id)
    if filters.campaign_id is not None:
        statement = statement.where(row.campaign_id == filters.campaign_id)
    if filters.status is not None:
        statement = statement.where(row.status == filters.status)
    if filters.updated_after is not None:
        statement = statement.where(row.updated_at > filters.updated_after)
    if filters.external_ref is not None:
        statement = statement.where(row.external_ref == filters.external_ref)
    beyond = window.beyond(row.updated_at, row.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(row.updated_at, row.id)
    return (await session.scalars(statement.limit(window.limit))).all()
