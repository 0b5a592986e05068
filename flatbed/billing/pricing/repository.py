"""SQL for price lists."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select

from flatbed.billing.pricing.models import PriceList
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import AgencyReadSession, AgencySession


async def find(
    session: AgencyReadSession, price_list_id: UUID, *, lock: bool = False
) -> PriceList | None:
    """The price list, locked against other changes if asked."""
    statement = select(PriceList).where(
        PriceList.realm_id == session.realm_id, PriceList.id == price_list_id
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return await session.scalar(statement)


async def newest(session: AgencyReadSession, currency: str) -> PriceList | None:
    """The active price list of a currency that was made last."""
    statement = (
        select(PriceList)
        .where(
            PriceList.realm_id == session.realm_id,
            PriceList.currency == currency,
            PriceList.active.is_(True),
        )
        .order_by(PriceList.created_at.desc(), PriceList.id.desc())
        .limit(1)
    )
    return await session.scalar(statement)


async def lock_name(session: AgencySession, name: str) -> None:
    """Let nobody else number a price list of this name until the transaction ends."""
    claim = f"price_list:{session.realm_id}:{name}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(claim, 0))))


async def last_number(session: AgencySession, name: str) -> int:
    """The highest number under the name, 0 if there is none."""
    statement = select(func.coalesce(func.max(PriceList.number), 0)).where(
        PriceList.realm_id == session.realm_id, PriceList.name == name
    )
    return int(await session.scalar(statement) or 0)


async def page(
    session: AgencyReadSession,
    window: Window,
    *,
    currency: str | None,
    active: bool | None,
    external_ref: str | None,
) -> Sequence[PriceList]:
    """Price lists by last change."""
    statement = select(PriceList).where(PriceList.realm_id == session.realm_id)
    if currency is not None:
        statement = statement.where(PriceList.currency == currency)
    if active is not None:
        statement = statement.where(PriceList.active.is_(active))
    if external_ref is not None:
        statement = statement.where(PriceList.external_ref == external_ref)
    beyond = window.beyond(PriceList.updated_at, PriceList.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(PriceList.updated_at, PriceList.id).limit(window.limit)
    return (await session.scalars(statement)).all()
