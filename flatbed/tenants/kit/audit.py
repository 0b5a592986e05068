"""One audit row and one event row per mutation, in its transaction.

Both go to ``…_pending`` and are numbered, and the audit sealed into a hash chain, by a job within
moments of the commit (:mod:`flatbed.tenants.kit.sealing`): writers of one tenant do not wait for
each other, and a reader never misses a late commit. They hold ids, field names and non-personal
values, never a name, an address or a text.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flatbed.tenants.kit.database.kernel_tables import (
    AgencyAuditPending,
    AuditPending,
    EventPending,
    Wakeup,
)
from flatbed.tenants.kit.database.session import AgencySession, PlaneSession, TenantSession
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.ids import encode, uuid7

SEAL = "seal"
DEADLINE = "deadline"


def record(
    session: TenantSession | AgencySession,
    action: str,
    object_type: str,
    object_id: UUID,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write who did what to which row.

    Args:
        session: the transaction of the mutation; its plane decides the chain.
        action: ``<object>.<verb in the past>``, for example ``campaign.ordered``.
        object_type: the TypeID prefix of the object.
        object_id: the object.
        detail: plain JSON: ids, names of changed fields, states, figures.
    """
    kind = AuditPending if isinstance(session, TenantSession) else AgencyAuditPending
    row = {
        **_owner(session),
        "id": uuid7(),
        "at": session.now(),
        "actor": session.caller.actor,
        "action": action,
        "object_type": object_type,
        "object_id": encode(object_type, object_id),
        "detail": dict(detail or {}),
        "request_id": session.caller.request_id,
    }
    session.sync_session.tell(kind, row)
    failpoint(Failpoint.AUDIT_WRITTEN)
    ring(session)


def publish(
    session: TenantSession,
    type_: str,
    object_type: str,
    object_id: UUID,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write an event for the tenant's feed; ``type_`` as ``candidate.stage_changed``."""
    row = {
        "tenant_id": session.tenant_id,
        "id": uuid7(),
        "at": session.now(),
        "type": type_,
        "object_type": object_type,
        "object_id": encode(object_type, object_id),
        "data": dict(data or {}),
    }
    session.sync_session.tell(EventPending, row)
    failpoint(Failpoint.EVENT_WRITTEN)
    ring(session)


def mutation(
    session: TenantSession,
    action: str,
    object_type: str,
    object_id: UUID,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Audit a tenant's mutation and publish it under the same name: the usual case."""
    record(session, action, object_type, object_id, detail)
    publish(session, action, object_type, object_id, detail)


def _owner(session: PlaneSession) -> dict[str, UUID]:
    if isinstance(session, TenantSession):
        return {"tenant_id": session.tenant_id}
    return {"realm_id": session.realm_id}


def ring(session: TenantSession | AgencySession) -> None:
    """Tell the poller once per transaction that this owner waits to be sealed."""
    rung: set[UUID] = session.sync_session.info.setdefault("rung", set())
    owner = session.tenant_id if isinstance(session, TenantSession) else session.realm_id
    if owner in rung:
        return
    rung.add(owner)
    row = {
        "id": uuid7(),
        "realm_id": session.realm_id,
        "tenant_id": session.tenant_id if isinstance(session, TenantSession) else None,
        "topic": SEAL,
        "due_at": session.now(),
    }
    session.sync_session.tell(Wakeup, row)
    failpoint(Failpoint.WAKEUP_WRITTEN)
