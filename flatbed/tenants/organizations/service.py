"""Rules of organizations (ISVs), and what other packages may ask about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError

from flatbed.tenants.kit import http
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import (
    AgencyReadSession,
    AgencySession,
    TenantReadSession,
)
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import InvalidError, NotFoundError
from flatbed.tenants.kit.workdays import supported
from flatbed.tenants.organizations import repository
from flatbed.tenants.organizations.errors import SlugTakenError
from flatbed.tenants.organizations.models import Organization
from flatbed.tenants.organizations.schemas import (
    OrganizationCreate,
    OrganizationPage,
    OrganizationRead,
    OrganizationUpdate,
)

ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """The tenant of a transaction: whose business days count, in which zone, in which money."""

    id: UUID
    slug: str
    name: str
    country: str
    zone: ZoneInfo
    currency: str


class RealmTenants:
    """Binds the port :class:`flatbed.tenants.access.principal.Tenants`."""

    async def exists(self, session: AgencyReadSession, tenant_id: UUID) -> bool:
        """Whether the realm has this ISV; a suspended one is still its own past."""
        return await repository.find_organization(session, tenant_id) is not None


async def organization_of(session: TenantReadSession) -> OrganizationView:
    """The tenant of the transaction, which may read its own row."""
    row = await repository.own(session)
    return OrganizationView(
        id=row.id,
        slug=row.slug,
        name=row.name,
        country=row.country,
        zone=ZoneInfo(row.time_zone),
        currency=row.currency,
    )


async def create(session: AgencySession, body: OrganizationCreate) -> tuple[OrganizationRead, int]:
    """Take on an ISV. Returns it with its version.

    Raises:
        SlugTakenError: another ISV of the realm has the slug.
        InvalidError: no calendar of business days is known for the country.
    """
    _check_country(body.country)
    if await repository.slug_taken(session, body.slug):
        raise SlugTakenError
    now = session.now()
    row = Organization(
        realm_id=session.realm_id,
        id=uuid7(),
        slug=body.slug,
        name=body.name,
        country=body.country,
        time_zone=body.time_zone,
        currency=body.currency,
        status=ACTIVE,
        external_ref=body.external_ref,
        metadata_=body.metadata,
        created_at=now,
        updated_at=now,
    )
    try:
        await repository.add(session, row)
    except IntegrityError:
        # Another transaction took it since we looked.
        raise SlugTakenError from None
    record(session, "organization.created", "org", row.id, {"status": row.status})
    return _read(row), row.version


async def get(session: AgencyReadSession, organization_id: UUID) -> tuple[OrganizationRead, int]:
    """The ISV and its version.

    Raises:
        NotFoundError: no such ISV in this realm.
    """
    row = await repository.find_organization(session, organization_id)
    if row is None:
        raise NotFoundError
    return _read(row), row.version


async def page(
    session: AgencyReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    external_ref: str | None,
) -> OrganizationPage:
    """A page of the realm's ISVs by last change."""
    window = cursors.window(cursor, limit)
    rows = await repository.organizations(session, window, external_ref)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
    return OrganizationPage(data=[_read(row) for row in shown], **envelope.model_dump())


async def update(
    session: AgencySession, organization_id: UUID, version: int, body: OrganizationUpdate
) -> tuple[OrganizationRead, int]:
    """Change what the body names.

    Raises:
        NotFoundError: no such ISV in this realm.
        PreconditionFailedError: another version is stored.
        InvalidError: no calendar of business days is known for the country.
    """
    row = await repository.find_organization(session, organization_id, lock=True)
    if row is None:
        raise NotFoundError
    http.match(row.version, version)
    if "country" in body.model_fields_set:
        _check_country(body.country)
    apply(row, body.model_dump(exclude_unset=True))
    row.updated_at = session.now()
    detail = {"fields": sorted(body.model_fields_set), "status": row.status}
    record(session, "organization.updated", "org", row.id, detail)
    await session.flush()
    return _read(row), row.version


def apply(row: object, changes: Mapping[str, Any]) -> None:
    """Set the changed members of a resource's row."""
    for name, value in changes.items():
        setattr(row, "metadata_" if name == "metadata" else name, value)


def _check_country(country: str) -> None:
    if not supported(country):
        raise InvalidError.at(
            "/country", "country-not-supported", "No calendar of business days is known for it."
        )


def _read(row: Organization) -> OrganizationRead:
    return OrganizationRead(
        id=row.id,
        slug=row.slug,
        name=row.name,
        country=row.country,
        time_zone=row.time_zone,
        currency=row.currency,
        status="active" if row.status == ACTIVE else "suspended",
        external_ref=row.external_ref,
        metadata=row.metadata_,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
