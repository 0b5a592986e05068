"""SQL for touchpoints and verdicts."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from flatbed.app.candidates.models import Touchpoint, TouchpointVerdict
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession


async def find(
    session: TenantReadSession, candidate_id: UUID, touchpoint_id: UUID
) -> Touchpoint | None:
    """The candidate's touchpoint."""
    statement = select(Touchpoint).where(
        Touchpoint.tenant_id == session.tenant_id,
        Touchpoint.candidate_id == candidate_id,
        Touchpoint.id == touchpoint_id,
    )
    return await session.scalar(statement)


async def candidate_of(session: TenantReadSession, touchpoint_id: UUID) -> UUID | None:
    """Whose touchpoint it is."""
    statement = select(Touchpoint.candidate_id).where(
        Touchpoint.tenant_id == session.tenant_id, Touchpoint.id == touchpoint_id
    )
    return await session.scalar(statement)


async def by_reference(
    session: TenantReadSession, client_id: UUID, external_ref: str
) -> Touchpoint | None:
    """What this client, or this person at a client, has sent under its reference."""
    statement = select(Touchpoint).where(
        Touchpoint.tenant_id == session.tenant_id,
        Touchpoint.client_id == client_id,
        Touchpoint.external_ref == external_ref,
    )
    return await session.scalar(statement)


async def page(
    session: TenantReadSession, candidate_id: UUID, window: Window
) -> Sequence[Touchpoint]:
    """The candidate's touchpoints, oldest first."""
    statement = select(Touchpoint).where(
        Touchpoint.tenant_id == session.tenant_id, Touchpoint.candidate_id == candidate_id
    )
    beyond = window.beyond(Touchpoint.occurred_at, Touchpoint.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Touchpoint.occurred_at, Touchpoint.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def verdicts(
    session: TenantReadSession, candidate_id: UUID, touchpoint_ids: Sequence[UUID]
) -> Sequence[TouchpointVerdict]:
    """The later words on these touchpoints, oldest first."""
    statement = (
        select(TouchpointVerdict)
        .where(
            TouchpointVerdict.tenant_id == session.tenant_id,
            TouchpointVerdict.candidate_id == candidate_id,
            TouchpointVerdict.touchpoint_id.in_(touchpoint_ids),
        )
        .order_by(TouchpointVerdict.at, TouchpointVerdict.id)
    )
    return (await session.scalars(statement)).all()


async def add(session: TenantSession, row: Touchpoint) -> None:
    """Insert the row.

    Raises:
        sqlalchemy.exc.IntegrityError: the client's reference is taken.
    """
    session.add(row)
    await session.flush()
