"""SQL for companies, groups, public facts and the links of tenants' own rows."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Uuid, func, inspect, literal, select
from sqlalchemy.dialects.postgresql import insert

from flatbed.app.registry.models import Company, CompanyGroup, CompanyLink
from flatbed.tenants.kit.canonical import digest
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import AgencyReadSession, AgencySession


async def find(
    session: AgencyReadSession, company_id: UUID, *, lock: bool = False
) -> Company | None:
    """The company, locked against other changes if asked."""
    statement = select(Company).where(
        Company.realm_id == session.realm_id, Company.id == company_id
    )
    return await session.scalar(statement.with_for_update(key_share=True) if lock else statement)


async def by_domain(session: AgencyReadSession, domain: str) -> Company | None:
    """The company of a registrable domain."""
    return await session.scalar(
        select(Company).where(Company.realm_id == session.realm_id, Company.domain == domain)
    )


async def page(
    session: AgencyReadSession, window: Window, *, domain: str | None, external_ref: str | None
) -> Sequence[Company]:
    """Companies by last change."""
    statement = select(Company).where(Company.realm_id == session.realm_id)
    if domain is not None:
        statement = statement.where(Company.domain == domain)
    if external_ref is not None:
        statement = statement.where(Company.external_ref == external_ref)
    beyond = window.beyond(Company.updated_at, Company.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Company.updated_at, Company.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def enter(session: AgencySession, company: Company) -> tuple[Company, bool]:
    """The registry's company of this domain, and whether it is the given one, entered now.

    Waits for another transaction that enters the domain at this moment.
    """
    columns = inspect(Company).column_attrs
    given = {one.columns[0].name: getattr(company, one.key) for one in columns}
    given["version"] = 1
    entered = await session.scalar(
        insert(Company)
        .values(given)
        .on_conflict_do_nothing(index_elements=["realm_id", "domain"])
        .returning(Company)
    )
    if entered is not None:
        return entered, True
    known = select(Company).where(
        Company.realm_id == session.realm_id, Company.domain == company.domain
    )
    return (await session.scalars(known)).one(), False


async def turn_to_merge(session: AgencySession) -> None:
    """Wait until no other transaction merges groups of the realm."""
    number = int(digest(["company-group-merge", session.realm_id])[:15], 16)
    await session.execute(select(func.pg_advisory_xact_lock(number)))


async def find_group(session: AgencyReadSession, group_id: UUID) -> CompanyGroup | None:
    """The group."""
    return await session.scalar(
        select(CompanyGroup).where(
            CompanyGroup.realm_id == session.realm_id, CompanyGroup.id == group_id
        )
    )


async def groups(session: AgencyReadSession, window: Window) -> Sequence[CompanyGroup]:
    """Groups, oldest first."""
    statement = select(CompanyGroup).where(CompanyGroup.realm_id == session.realm_id)
    beyond = window.beyond(CompanyGroup.created_at, CompanyGroup.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(CompanyGroup.created_at, CompanyGroup.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def root_of(session: AgencyReadSession, group_id: UUID) -> UUID:
    """The group that goes on in this one's place, itself if it was never merged."""
    up = (
        select(CompanyGroup.id, CompanyGroup.merged_into_id)
        .where(CompanyGroup.realm_id == session.realm_id, CompanyGroup.id == group_id)
        .cte("up", recursive=True)
    )
    up = up.union(
        select(CompanyGroup.id, CompanyGroup.merged_into_id).where(
            CompanyGroup.realm_id == session.realm_id, CompanyGroup.id == up.c.merged_into_id
        )
    )
    found = await session.scalar(select(up.c.id).where(up.c.merged_into_id.is_(None)))
    return group_id if found is None else found


async def merged_with(session: AgencyReadSession, root_id: UUID) -> Sequence[UUID]:
    """Every group that was merged into this one, through whatever steps, itself included."""
    down = select(literal(root_id, Uuid()).label("id")).cte("down", recursive=True)
    down = down.union(
        select(CompanyGroup.id).where(
            CompanyGroup.realm_id == session.realm_id, CompanyGroup.merged_into_id == down.c.id
        )
    )
    return (await session.scalars(select(down.c.id))).all()


async def members(session: AgencyReadSession, group_ids: Sequence[UUID]) -> Sequence[UUID]:
    """The companies of these groups."""
    return (
        await session.scalars(
            select(Company.id)
            .where(Company.realm_id == session.realm_id, Company.group_id.in_(group_ids))
            .order_by(Company.id)
        )
    ).all()


async def linked(
    session: AgencyReadSession, tenant_id: UUID, tenant_company_id: UUID
) -> Company | None:
    """The registry company that a tenant's own company row means."""
    return await session.scalar(
        select(Company)
        .join(
            CompanyLink,
            (CompanyLink.realm_id == Company.realm_id) & (CompanyLink.company_id == Company.id),
        )
        .where(
            CompanyLink.realm_id == session.realm_id,
            CompanyLink.tenant_id == tenant_id,
            CompanyLink.tenant_company_id == tenant_company_id,
        )
    )
