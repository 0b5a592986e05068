"""Which agency staff looked at which ISV: one row for each request on one."""

from uuid import UUID

from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.database.kernel_tables import AccessLog
from flatbed.tenants.kit.database.session import AgencySession
from flatbed.tenants.kit.ids import uuid7


def log_access(
    session: AgencySession, principal: Principal, tenant_id: UUID, operation: str
) -> None:
    """Write the row, in the transaction that admits the request."""
    session.add(
        AccessLog(
            realm_id=session.realm_id,
            id=uuid7(),
            at=principal.clock.now(),
            actor=principal.actor,
            tenant_id=tenant_id,
            operation=operation,
            request_id=session.caller.request_id,
        )
    )
