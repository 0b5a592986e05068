"""SQL for exclusions."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select

from flatbed.app.campaigns.models import Exclusion
from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.session import TenantReadSession, TenantSession


async def find(
    session: TenantReadSession, exclusion_id: UUID, *, lock: bool = False
) -> Exclusion | None:
    """The exclusion, locked if asked."""
    statement = select(Exclusion).where(
        Exclusion.tenant_id == session.tenant_id, Exclusion.id == exclusion_id
    )
    if lock:
        statement = statement.with_for_update()
    return await session.scalar(statement)


async def page(
    session: TenantReadSession, window: Window, *, status: str | None, external_ref: str | None
) -> Sequence[Exclusion]:
    """Exclusions by last change."""
    statement = select(Exclusion).where(Exclusion.tenant_id == session.tenant_id)
    if status is not None:
        statement = statement.where(Exclusion.status == status)
    if external_ref is not None:
        statement = statement.where(Exclusion.external_ref == external_ref)
    beyond = window.beyond(Exclusion.updated_at, Exclusion.id)
    if beyond is not None:
        statement = statement.where(beyond)
    statement = statement.order_by(Exclusion.updated_at, Exclusion.id).limit(window.limit)
    return (await session.scalars(statement)).all()


async def is_active(
    session: TenantReadSession,
    *,
    domain: str | None,
    name_key: str | None,
    made_before: datetime | None = None,
) -> bool:
    """Whether an active exclusion meets the company by domain or name."""
    meets: list[ColumnElement[bool]] = []
    if domain is not None:
        meets.append(Exclusion.domain == domain)
    if name_key is not None:
        meets.append(Exclusion.name_key == name_key)
    if not meets:
        return False
    found = exists().where(
        Exclusion.tenant_id == session.tenant_id, Exclusion.status == "active", or_(*meets)
    )
    if made_before is not None:
        found = found.where(Exclusion.created_at < made_before)
    return bool(await session.scalar(select(found)))


async def is_pending(session: TenantReadSession, candidate_id: UUID) -> bool:
    """Whether an exclusion that met the candidate waits for consent, and none was refused."""
    of_candidate = (
        Exclusion.tenant_id == session.tenant_id,
        Exclusion.candidate_id == candidate_id,
    )
    waits = exists().where(*of_candidate, Exclusion.status == "pending_consent")
    refused = exists().where(*of_candidate, Exclusion.status == "refused")
    return bool(await session.scalar(select(waits & ~refused)))


async def remove(session: TenantSession, exclusion: Exclusion) -> None:
    """Delete it, of the version that was read."""
    await session.delete(exclusion)
    await session.flush()
