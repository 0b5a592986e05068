"""Rules of offerings: a country is in at most one programme of an offering."""

from collections.abc import Sequence
from uuid import UUID

from flatbed.app.campaigns.models import Offering, Programme
from flatbed.app.campaigns.offerings import repository
from flatbed.app.campaigns.offerings.errors import ProgrammeOverlapError
from flatbed.app.campaigns.offerings.schemas import (
    OfferingCreate,
    OfferingPage,
    OfferingRead,
    OfferingUpdate,
    ProgrammeInput,
    ProgrammeRead,
)
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import NotFoundError


async def create(session: TenantSession, body: OfferingCreate) -> tuple[OfferingRead, int]:
    """Make an offering with its programmes. Returns it with its version."""
    now = session.now()
    offering = Offering(
        tenant_id=session.tenant_id,
        id=uuid7(),
        name=body.name,
        category=body.category,
        description=body.description,
        external_ref=body.external_ref,
        metadata_=body.metadata,
        created_at=now,
        updated_at=now,
    )
    session.add(offering)
    await session.flush()
    programmes = _add(session, offering, [], body.programmes)
    mutation(session, "offering.created", "off", offering.id, {"programmes": len(programmes)})
    await session.flush()
    return _read(offering, programmes), offering.version


async def get(session: TenantReadSession, offering_id: UUID) -> tuple[OfferingRead, int]:
    """The offering and its version.

    Raises:
        NotFoundError: no such offering of this tenant.
    """
    offering = await repository.find(session, offering_id)
    if offering is None:
        raise NotFoundError
    return _read(offering, await repository.programmes(session, [offering.id])), offering.version


async def page(
    session: TenantReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    external_ref: str | None,
) -> OfferingPage:
    """A page of offerings by last change."""
    window = cursors.window(cursor, limit)
    rows = await repository.page(session, window, external_ref)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
    programmes = await repository.programmes(session, [row.id for row in shown])
    data = [_read(row, [p for p in programmes if p.offering_id == row.id]) for row in shown]
    return OfferingPage(data=data, **envelope.model_dump())


async def update(
    session: TenantSession, offering_id: UUID, version: int, body: OfferingUpdate
) -> tuple[OfferingRead, int]:
    """Change what the body names.

    Raises:
        NotFoundError: no such offering of this tenant.
        PreconditionFailedError: another version is stored.
        ProgrammeOverlapError: a new programme takes a country that another one holds.
    """
    offering = await repository.find(session, offering_id, lock=True)
    if offering is None:
        raise NotFoundError
    match(offering.version, version)
    existing = list(await repository.programmes(session, [offering.id]))
    changed = body.model_fields_set
    for field in changed & {"name", "category", "description", "external_ref"}:
        setattr(offering, field, getattr(body, field))
    if "metadata" in changed:
        offering.metadata_ = body.metadata
    if "archived" in changed:
        offering.archived_at = session.now() if body.archived else None
    programmes = existing + _add(session, offering, existing, body.add_programmes)
    offering.updated_at = session.now()
    mutation(session, "offering.updated", "off", offering.id, {"fields": sorted(changed)})
    await session.flush()
    return _read(offering, programmes), offering.version


def _add(
    session: TenantSession,
    offering: Offering,
    existing: Sequence[Programme],
    wanted: Sequence[ProgrammeInput],
) -> list[Programme]:
    """Add programmes under the lock of the offering's row (or in the transaction that made it)."""
    codes = {programme.code for programme in existing}
    countries = {country for programme in existing for country in programme.countries}
    added = []
    for programme in wanted:
        group = set(programme.countries)
        if programme.code in codes or group & countries or len(group) < len(programme.countries):
            raise ProgrammeOverlapError
        codes.add(programme.code)
        countries |= group
        row = Programme(
            tenant_id=session.tenant_id,
            id=uuid7(),
            offering_id=offering.id,
            code=programme.code,
            countries=sorted(group),
            created_at=session.now(),
        )
        session.add(row)
        added.append(row)
    return added


def _read(offering: Offering, programmes: Sequence[Programme]) -> OfferingRead:
    return OfferingRead(
        id=offering.id,
        name=offering.name,
        category=offering.category,
        description=offering.description,
        programmes=[ProgrammeRead.model_validate(row) for row in programmes],
        archived_at=offering.archived_at,
        external_ref=offering.external_ref,
        metadata=offering.metadata_,
        created_at=offering.created_at,
        updated_at=offering.updated_at,
    )
