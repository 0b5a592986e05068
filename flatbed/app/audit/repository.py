"""SQL for sealed audit entries."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Select, select

from flatbed.tenants.kit.cursors import Window
from flatbed.tenants.kit.database.kernel_tables import AgencyAuditEntry, AuditEntry
from flatbed.tenants.kit.database.session import AgencyReadSession, TenantReadSession

E = TypeVar("E", AuditEntry, AgencyAuditEntry)


async def tenant_page(
    session: TenantReadSession, window: Window, object_id: str | None, action: str | None
) -> Sequence[AuditEntry]:
    """The tenant's entries by number."""
    mine = select(AuditEntry).where(AuditEntry.tenant_id == session.tenant_id)
    statement = _narrowed(mine, AuditEntry, window, object_id, action)
    return (await session.scalars(statement)).all()


async def agency_page(
    session: AgencyReadSession, window: Window, object_id: str | None, action: str | None
) -> Sequence[AgencyAuditEntry]:
    """The agency's entries by number."""
    mine = select(AgencyAuditEntry).where(AgencyAuditEntry.realm_id == session.realm_id)
    statement = _narrowed(mine, AgencyAuditEntry, window, object_id, action)
    return (await session.scalars(statement)).all()


def _narrowed(
    statement: Select[E],
    entry: type[E],
    window: Window,
    object_id: str | None,
    action: str | None,
) -> Select[E]:
    if object_id is not None:
        statement = statement.where(entry.object_id == object_id)
    if action is not None:
        statement = statement.where(entry.action == action)
    # The number alone orders them: with the id behind it no index would.
    if window.after is not None:
        statement = statement.where(entry.sequence > window.after.value)
    return statement.order_by(entry.sequence).limit(window.limit)
