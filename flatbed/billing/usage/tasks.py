"""Jobs of the ledger."""

import asyncio
from uuid import UUID

from flatbed.billing.usage import anchor
from flatbed.billing.usage.repository import ledger
from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.settings import KernelSettings


async def anchor_ledger(
    database: Database, settings: KernelSettings, realm_id: UUID, tenant_id: UUID
) -> None:
    """Append the tenant's present ledger head to the anchor file, if one is configured.

    Safe to repeat and to run late: it writes the head that is there when it runs.

    Raises:
        OSError: the file cannot be written; the job is tried again.
    """
    if settings.anchor_file is None:
        return
    caller = Caller("system:anchor", request_id="")
    async with database.tenant_read(
        realm_id=realm_id, tenant_id=tenant_id, caller=caller, clock=Clock()
    ) as session:
        head = await ledger.find_head(session)
    if head is not None:
        failpoint(Failpoint.ANCHOR_WRITING)
        await asyncio.to_thread(
            anchor.append, settings.anchor_file, anchor.Anchor(tenant_id, head, system_now())
        )
        failpoint(Failpoint.ANCHOR_WRITTEN)
