"""SQL that all records of a candidate share."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update

from flatbed.app.campaigns.models import Campaign
from flatbed.app.candidates.models import Candidate, Contact, Fact, Touchpoint
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession


async def find(
    session: TenantReadSession, candidate_id: UUID, *, lock: bool = False
) -> Candidate | None:
    """The candidate, locked if asked: a record and a qualification take turns."""
    statement = select(Candidate).where(
        Candidate.tenant_id == session.tenant_id, Candidate.id == candidate_id
    )
    if lock:
        statement = statement.with_for_update(key_share=True).execution_options(
            populate_existing=True
        )
    return await session.scalar(statement)


async def campaign(session: TenantReadSession, candidate: Candidate) -> Campaign:
    """The candidate's campaign."""
    statement = select(Campaign).where(
        Campaign.tenant_id == session.tenant_id, Campaign.id == candidate.campaign_id
    )
    return (await session.scalars(statement)).one()


async def touch(session: TenantSession, candidate: Candidate, at: datetime) -> None:
    """Move ``updated_at`` forward and leave the version: no ETag of his becomes stale."""
    statement = (
        update(Candidate)
        .where(Candidate.tenant_id == session.tenant_id, Candidate.id == candidate.id)
        .values(updated_at=func.greatest(Candidate.updated_at, at))
        .execution_options(synchronize_session=False)
    )
    await session.execute(statement)


async def known(
    session: TenantReadSession,
    model: type[Contact | Fact | Touchpoint],
    candidate_id: UUID,
    ids: Collection[UUID],
) -> frozenset[UUID]:
    """Those of the ids that name rows of the candidate."""
    if not ids:
        return frozenset()
    statement = select(model.id).where(
        model.tenant_id == session.tenant_id,
        model.candidate_id == candidate_id,
        model.id.in_(ids),
    )
    return frozenset(await session.scalars(statement))
