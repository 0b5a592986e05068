"""Rules of the registry: one company a domain; a group is billed as one, merged ones included."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from flatbed.app.registry import repository
from flatbed.app.registry.errors import DomainTakenError, GroupKeptError, GroupMergeError
from flatbed.app.registry.models import Company, CompanyGroup, CompanyLink, RegistryFact
from flatbed.app.registry.schemas import (
    CompanyCreate,
    CompanyGroupCreate,
    CompanyGroupPage,
    CompanyGroupRead,
    CompanyPage,
    CompanyRead,
    CompanyUpdate,
)
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import AgencyReadSession, AgencySession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import InvalidError, NotFoundError
from flatbed.tenants.organizations.service import apply


async def create(session: AgencySession, body: CompanyCreate) -> tuple[CompanyRead, int]:
    """Enter a company.

    Raises:
        DomainTakenError: the registry has the domain.
        InvalidError: there is no such group.
    """
    await _check_group(session, body.group_id)
    if await repository.by_domain(session, body.domain) is not None:
        raise DomainTakenError
    company = _company(session, body)
    session.add(company)
    record(session, "company.created", "co", company.id)
    try:
        await session.flush()
    except IntegrityError:
        # Two entered it at once; the transaction is lost, the answer is the same.
        raise DomainTakenError from None
    return _read(company), company.version


async def get(session: AgencyReadSession, company_id: UUID) -> tuple[CompanyRead, int]:
    """One company.

    Raises:
        NotFoundError: none of this id in the realm.
    """
    company = await repository.find(session, company_id)
    if company is None:
        raise NotFoundError
    return _read(company), company.version


async def page(
    session: AgencyReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    domain: str | None,
    external_ref: str | None,
) -> CompanyPage:
    """Companies by last change."""
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, window, domain=domain, external_ref=external_ref)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
    return CompanyPage(data=[_read(row) for row in shown], **envelope.model_dump())


async def update(
    session: AgencySession, company_id: UUID, version: int, body: CompanyUpdate
) -> tuple[CompanyRead, int]:
    """Change what the body names.

    Raises:
        NotFoundError: none of this id in the realm.
        PreconditionFailedError: another version is stored.
        InvalidError: there is no such group.
        GroupKeptError: the company would leave its group.
    """
    company = await repository.find(session, company_id, lock=True)
    if company is None:
        raise NotFoundError
    match(company.version, version)
    await _check_group(session, body.group_id)
    changed = body.model_fields_set
    if "group_id" in changed:
        await _check_stays(session, company, body.group_id)
    apply(company, body.model_dump(exclude_unset=True))
    company.updated_at = session.now()
    record(session, "company.updated", "co", company.id, {"fields": sorted(changed)})
    await session.flush()
    return _read(company), company.version


async def create_group(session: AgencySession, body: CompanyGroupCreate) -> CompanyGroupRead:
    """Make a group."""
    group = CompanyGroup(
        realm_id=session.realm_id,
        id=uuid7(),
        name=body.name,
        merged_into_id=None,
        created_at=session.now(),
    )
    session.add(group)
    record(session, "company_group.created", "grp", group.id)
    await session.flush()
    return CompanyGroupRead.model_validate(group)


async def groups(
    session: AgencyReadSession, cursors: Cursors, *, cursor: str | None, limit: int
) -> CompanyGroupPage:
    """Groups, oldest first."""
    window = cursors.window(cursor, limit)
    rows = await repository.groups(session, window)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.created_at, row.id))
    data = [CompanyGroupRead.model_validate(row) for row in shown]
    return CompanyGroupPage(data=data, **envelope.model_dump())


async def merge(session: AgencySession, group_id: UUID, into: UUID) -> CompanyGroupRead:
    """Let another group go on in this one's place.

    What was billed under either stays billed: the ledger's keys are frozen, and both are asked.

    Raises:
        NotFoundError: no such group.
        InvalidError: no such group to go on.
        GroupMergeError: they are one already.
    """
    # One merge at a time: two that share no group can close a circle over older merges.
    await repository.turn_to_merge(session)
    group = await repository.find_group(session, group_id)
    if group is None:
        raise NotFoundError
    if await repository.find_group(session, into) is None:
        raise InvalidError.at("/into", "reference-not-found", "No such group.")
    if group.merged_into_id is not None or await repository.root_of(session, into) == group_id:
        raise GroupMergeError
    group.merged_into_id = into
    record(session, "company_group.merged", "grp", group.id)
    await session.flush()
    return CompanyGroupRead.model_validate(group)


async def billing_refs(session: AgencyReadSession, company_id: UUID) -> tuple[UUID, ...]:
    """The ids under which this company's group may have been billed, today's first.

    Today's is the group that goes on, or the company itself. The others are groups merged into
    it and each member, which may have been billed alone before it joined.
    """
    company = await repository.find(session, company_id)
    if company is None or company.group_id is None:
        return (company_id,)
    root = await repository.root_of(session, company.group_id)
    merged = await repository.merged_with(session, root)
    companies = await repository.members(session, merged)
    others = [id_ for id_ in (*merged, *companies) if id_ != root]
    return (root, *others)


async def link(
    session: AgencySession,
    *,
    tenant_id: UUID,
    tenant_company_id: UUID,
    domain: str,
    name: str,
    country: str | None,
) -> UUID:
    """Tie a tenant's own company row to the registry's company of the domain, made if missing.

    Returns the registry's id, which must never reach the tenant.
    """
    company = await repository.by_domain(session, domain)
    if company is None:
        # Tenants that meet a new company at once must not learn of each other by a refusal.
        body = CompanyCreate(name=name, domain=domain, country=country)
        company, is_new = await repository.enter(session, _company(session, body))
        if is_new:
            record(session, "company.created", "co", company.id)
    session.add(
        CompanyLink(
            realm_id=session.realm_id,
            id=uuid7(),
            tenant_id=tenant_id,
            tenant_company_id=tenant_company_id,
            company_id=company.id,
        )
    )
    await session.flush()
    failpoint(Failpoint.REGISTRY_LINKED)
    return company.id


async def linked(
    session: AgencyReadSession, tenant_id: UUID, tenant_company_id: UUID
) -> UUID | None:
    """The registry's id of a tenant's own company row."""
    company = await repository.linked(session, tenant_id, tenant_company_id)
    return None if company is None else company.id


async def publish_fact(
    session: AgencySession,
    company_id: UUID,
    *,
    attribute: str | None,
    statement: str,
    value: Any,  # noqa: ANN401 - JSON of any type
    source_kind: str,
    source_url: str | None,
    observed_on: date,
) -> None:
    """Copy a public fact into the registry: the only kind that crosses tenants."""
    row = RegistryFact(
        realm_id=session.realm_id,
        id=uuid7(),
        company_id=company_id,
        attribute=attribute,
        statement=statement,
        value=value,
        source_kind=source_kind,
        source_url=source_url,
        observed_on=observed_on,
        recorded_at=session.now(),
    )
    session.add(row)
    record(session, "registry_fact.created", "co", company_id)
    await session.flush()


async def _check_stays(session: AgencyReadSession, company: Company, group_id: UUID | None) -> None:
    """Refuse a change of group: alone, the company would be billed a second time."""
    if company.group_id is None:
        return
    if group_id is None or await repository.root_of(
        session, company.group_id
    ) != await repository.root_of(session, group_id):
        raise GroupKeptError


async def _check_group(session: AgencyReadSession, group_id: UUID | None) -> None:
    if group_id is not None and await repository.find_group(session, group_id) is None:
        raise InvalidError.at("/group_id", "reference-not-found", "No such group.")


def _company(session: AgencySession, body: CompanyCreate) -> Company:
    now = session.now()
    return Company(
        realm_id=session.realm_id,
        id=uuid7(),
        metadata_=body.metadata,
        created_at=now,
        updated_at=now,
        **body.model_dump(exclude={"metadata"}),
    )


def _read(company: Company) -> CompanyRead:
    return CompanyRead(
        id=company.id,
        name=company.name,
        domain=company.domain,
        country=company.country,
        industry=company.industry,
        employees=company.employees,
        revenue=company.revenue,
        attributes=company.attributes,
        group_id=company.group_id,
        external_ref=company.external_ref,
        metadata=company.metadata_,
        created_at=company.created_at,
        updated_at=company.updated_at,
    )
