"""HTTP for the audit trail."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from flatbed.app.audit import service
from flatbed.app.audit.schemas import Action, AuditPage, ObjectId
from flatbed.tenants.access.calls import AgencyRead, TenantRead
from flatbed.tenants.access.require import require
from flatbed.tenants.kit.http import Listed, reply

router = APIRouter(prefix="/v1/audit", tags=["audit"])


@router.get("", operation_id="list_audit", response_model=AuditPage)
async def list_audit(
    call: Annotated[TenantRead | AgencyRead, require("audit:read").either_read],
    listing: Listed,
    object_id: Annotated[ObjectId | None, Query()] = None,
    action: Annotated[Action | None, Query()] = None,
) -> Response:
    """List what was done: an ISV's trail, or the agency's own where no ISV is named."""
    cursors = call.cursors(object_id=object_id, action=action, sort="sequence")
    found = await service.page(
        call.session,
        cursors,
        cursor=listing.cursor,
        limit=listing.limit,
        object_id=object_id,
        action=action,
    )
    return reply(found)
