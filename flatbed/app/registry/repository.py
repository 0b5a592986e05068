"""SQL for companies, groups, public facts and the links of tenants' own rows."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import literal, select

from flatbed.app.registry.models import Company, CompanyGroup, CompanyLink
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import AgencyReadSession


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


async def find_group(
    session: AgencyReadSession, group_id: UUID, *, lock: bool = False
) -> CompanyGroup | None:
    """The group, locked if asked."""
    statement = select(CompanyGroup).where(
        CompanyGroup.realm_id == session.realm_id, CompanyGroup.id == group_id
    )
    return await session.scalar(statement.with_for_update(key_share=True) if lock else statement)


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
    down = select(literal(root_id).label("id")).cte("down", recursive=True)
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
