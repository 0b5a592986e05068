"""Reading the audit trail of whoever the request is bound to."""

from flatbed.app.audit import repository
from flatbed.app.audit.schemas import AuditEntryRead, AuditPage
from flatbed.tenants.kit.cursors import Cursors, Position
from flatbed.tenants.kit.database.kernel_tables import AgencyAuditEntry, AuditEntry
from flatbed.tenants.kit.database.session import AgencyReadSession, TenantReadSession


async def page(
    session: TenantReadSession | AgencyReadSession,
    cursors: Cursors,
    *,
    cursor: str | None,
    limit: int,
    object_id: str | None,
    action: str | None,
) -> AuditPage:
    """A page of sealed entries, oldest first: the tenant's, or the agency's own.

    An entry appears within moments of its commit, when it has been numbered.
    """
    window = cursors.window(cursor, limit)
    rows: list[AuditEntry | AgencyAuditEntry] = []
    if isinstance(session, TenantReadSession):
        rows += await repository.tenant_page(session, window, object_id, action)
    else:
        rows += await repository.agency_page(session, window, object_id, action)
    shown, envelope = cursors.page(window, rows, lambda row: Position(row.sequence, row.id))
    data = [AuditEntryRead.model_validate(row) for row in shown]
    return AuditPage(data=data, **envelope.model_dump())
