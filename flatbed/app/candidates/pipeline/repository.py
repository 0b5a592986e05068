"""SQL for a candidate's company and its transitions."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from flatbed.app.candidates.models import Candidate, TenantCompany, Transition
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession


async def company(session: TenantReadSession, candidate: Candidate) -> TenantCompany:
    """The tenant's own view of the candidate's company."""
    statement = select(TenantCompany).where(
        TenantCompany.tenant_id == session.tenant_id, TenantCompany.id == candidate.company_id
    )
    return (await session.scalars(statement)).one()


async def page(
    session: TenantReadSession, candidate_id: UUID, window: Window
) -> Sequence[Transition]:
    """The candidate's transitions, oldest first."""
    statement = select(Transition).where(
        Transition.tenant_id == session.tenant_id, Transition.candidate_id == candidate_id
    )
    beyond = window.beyond(Transition.at, Transition.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Transition.at, Transition.id).limit(window.limit)
    return (await session.scalars(statement)).all()
