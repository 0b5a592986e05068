"""Rules of price lists: a price never changes; a new one is the next number under its name."""

from dataclasses import dataclass
from uuid import UUID

from flatbed.billing.pricing import repository
from flatbed.billing.pricing.errors import NoPriceError
from flatbed.billing.pricing.models import PriceList
from flatbed.billing.pricing.rules.tiers import Tier, tiers_from_json, tiers_to_json
from flatbed.billing.pricing.schemas import (
    PriceListCreate,
    PriceListPage,
    PriceListRead,
    PriceListUpdate,
    TierRead,
)
from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.session import AgencyReadSession, AgencySession
from flatbed.tenants.kit.http import match
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import NotFoundError


@dataclass(frozen=True, slots=True)
class PriceView:
    """What an order freezes: the list, and its prices in minor units of ``currency``."""

    price_list_id: UUID
    name: str
    number: int
    unit_price: int
    currency: str
    tiers: tuple[Tier, ...] = ()


async def price_of(
    session: AgencyReadSession, *, currency: str, price_list_id: UUID | None = None
) -> PriceView:
    """The price of a qualified partner.

    Args:
        session: the agency plane.
        currency: the campaign's.
        price_list_id: a certain list; without, the active one of the currency made last.

    Raises:
        NoPriceError: none is active, or the named one has another currency.
    """
    if price_list_id is None:
        row = await repository.newest(session, currency)
    else:
        row = await repository.find(session, price_list_id)
    if row is None or not row.active or row.currency != currency:
        raise NoPriceError
    tiers = tiers_from_json(row.tiers)
    return PriceView(row.id, row.name, row.number, row.unit_price, row.currency, tiers)


async def create(session: AgencySession, body: PriceListCreate) -> tuple[PriceListRead, int]:
    """Make a price list, or the next number of one that exists. Returns it with its version."""
    await repository.lock_name(session, body.name)
    now = session.now()
    row = PriceList(
        realm_id=session.realm_id,
        id=uuid7(),
        name=body.name,
        currency=body.currency,
        unit_price=body.unit_price,
        number=await repository.last_number(session, body.name) + 1,
        active=body.active,
        tiers=tiers_to_json(body.price().tiers) or None,
        external_ref=body.external_ref,
        metadata_=body.metadata,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    record(
        session,
        "price_list.created",
        "price",
        row.id,
        {
            "number": row.number,
            "unit_price": row.unit_price,
            "currency": row.currency,
            "tiers": len(body.tiers),
        },
    )
    await session.flush()
    return _read(row), row.version


async def get(session: AgencyReadSession, price_list_id: UUID) -> tuple[PriceListRead, int]:
    """The price list and its version.

    Raises:
        NotFoundError: no such price list in this realm.
    """
    row = await repository.find(session, price_list_id)
    if row is None:
        raise NotFoundError
    return _read(row), row.version


async def page(
    session: AgencyReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    currency: str | None,
    active: bool | None,
    external_ref: str | None,
) -> PriceListPage:
    """A page of price lists by last change."""
    window = cursors.window(cursor, limit)
    rows = await repository.page(
        session, window, currency=currency, active=active, external_ref=external_ref
    )
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.updated_at, row.id))
    return PriceListPage(data=[_read(row) for row in shown], **envelope.model_dump())


async def update(
    session: AgencySession, price_list_id: UUID, version: int, body: PriceListUpdate
) -> tuple[PriceListRead, int]:
    """Change what the body names; orders keep the price that they froze.

    Raises:
        NotFoundError: no such price list in this realm.
        PreconditionFailedError: another version is stored.
    """
    row = await repository.find(session, price_list_id, lock=True)
    if row is None:
        raise NotFoundError
    match(row.version, version)
    changed = body.model_fields_set
    if body.active is not None:
        row.active = body.active
    if "external_ref" in changed:
        row.external_ref = body.external_ref
    if body.metadata is not None:
        row.metadata_ = body.metadata
    row.updated_at = session.now()
    record(session, "price_list.updated", "price", row.id, {"fields": sorted(changed)})
    await session.flush()
    return _read(row), row.version


def _read(row: PriceList) -> PriceListRead:
    return PriceListRead(
        id=row.id,
        name=row.name,
        number=row.number,
        currency=row.currency,
        unit_price=row.unit_price,
        tiers=[TierRead.model_validate(tier) for tier in row.tiers or ()],
        active=row.active,
        external_ref=row.external_ref,
        metadata=row.metadata_,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
