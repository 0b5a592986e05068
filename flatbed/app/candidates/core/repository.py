"""SQL for candidates and the tenant's companies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Integer, Row, func, literal, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from flatbed.app.candidates.models import Candidate, TenantCompany, Transition
from flatbed.tenants.kit.canonical import digest
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession

ONE: Final = literal(1, Integer(), literal_execute=True)
# Each company by its key: in a plain join, the plan for the average tenant reads all companies
# of the largest one.
_Company: Final = aliased(
    TenantCompany,
    select(TenantCompany)
    .where(TenantCompany.tenant_id == Candidate.tenant_id, TenantCompany.id == Candidate.company_id)
    .limit(ONE)
    .correlate(Candidate)
    .lateral("its"),
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of candidates is narrowed to; None narrows nothing."""

    campaign_id: UUID | None = None
    stage: str | None = None
    status: str | None = None
    hunter_id: UUID | None = None
    external_ref: str | None = None
    updated_after: datetime | None = None


async def page(
    session: TenantReadSession, window: Window, filters: Filters
) -> Sequence[Row[Candidate, TenantCompany]]:
    """Candidates with their companies by last change."""
    statement = (
        select(Candidate, _Company)
        .join(_Company, true())
        .where(Candidate.tenant_id == session.tenant_id)
    )
    for column, wanted in (
        (Candidate.campaign_id, filters.campaign_id),
        (Candidate.stage, filters.stage),
        (Candidate.status, filters.status),
        (Candidate.hunter_id, filters.hunter_id),
        (Candidate.external_ref, filters.external_ref),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if filters.updated_after is not None:
        statement = statement.where(Candidate.updated_at > filters.updated_after)
    beyond = window.beyond(Candidate.updated_at, Candidate.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Candidate.updated_at, Candidate.id).limit(window.limit)
    return (await session.execute(statement)).all()


async def company_of_domain(
    session: TenantSession, domain: str, values: dict[str, Any]
) -> TenantCompany:
    """The tenant's company of the domain, made from the values if it is new.

    Two who make it at once get the same row: the second waits for the first.
    """
    await session.execute(
        insert(TenantCompany)
        .values(tenant_id=session.tenant_id, domain=domain, **values)
        .on_conflict_do_nothing(index_elements=["tenant_id", "domain"])
    )
    statement = select(TenantCompany).where(
        TenantCompany.tenant_id == session.tenant_id, TenantCompany.domain == domain
    )
    return (await session.scalars(statement)).one()


async def turn_of_domain(session: TenantSession, domain: str) -> None:
    """Wait until nobody else in the realm enters the domain into the registry."""
    number = int(digest(["registry-domain", session.realm_id, domain])[:15], 16)
    await session.execute(select(func.pg_advisory_xact_lock(number)))


async def companies(
    session: TenantReadSession, *, domain: str | None, name_key: str | None
) -> Sequence[UUID]:
    """The tenant's companies that meet the domain or the name, as exclusions compare names."""
    mine = select(TenantCompany.id).where(TenantCompany.tenant_id == session.tenant_id)
    found: set[UUID] = set()
    if domain is not None:
        found.update(await session.scalars(mine.where(TenantCompany.domain == domain)))
    if name_key is not None:
        found.update(await session.scalars(mine.where(TenantCompany.name_key == name_key)))
    return sorted(found)


async def stages_reached(
    session: TenantReadSession, company_ids: Sequence[UUID]
) -> Sequence[tuple[UUID, str]]:
    """Every stage in which candidates of these companies stand or stood, with the candidate."""
    mine = Candidate.tenant_id == session.tenant_id
    chosen = Candidate.company_id.in_(company_ids)
    present = select(Candidate.id, Candidate.stage).where(mine, chosen)
    past = (
        select(Candidate.id, Transition.to_stage)
        .join(
            Transition,
            (Transition.tenant_id == Candidate.tenant_id)
            & (Transition.candidate_id == Candidate.id),
        )
        .where(mine, chosen)
    )
    found = await session.execute(present.union(past))
    return [(candidate_id, stage) for candidate_id, stage in found]
