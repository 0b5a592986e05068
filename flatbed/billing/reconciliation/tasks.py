"""When books are compared: daily, and after a closing was collected."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from flatbed.billing.collection.exporting import Collector
from flatbed.billing.collection.tasks import RECONCILE_JOB
from flatbed.billing.reconciliation import repository
from flatbed.billing.reconciliation.service import CALLER, reconcile
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.jobs.queue import enqueue
from flatbed.tenants.kit.jobs.runner import JobHandler
from flatbed.tenants.kit.realms import realm_clock

DAILY: Final = timedelta(hours=24)


def reconciling(collector: Collector) -> JobHandler:
    """The job that compares one ISV's books."""

    async def compare(ids: Mapping[str, UUID]) -> None:
        await reconcile(collector, ids["realm_id"], ids["tenant_id"])

    return compare


async def ask_if_due(collector: Collector, realm_id: UUID, tenant_id: UUID) -> bool:
    """Ask for a run of an ISV that was not compared for a day. Returns whether it was asked."""
    async with collector.database.tenant(
        realm_id=realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock()
    ) as session:
        session.clock = await realm_clock(session)
        if not await repository.is_due(session, session.now() - DAILY):
            return False
        await enqueue(session, RECONCILE_JOB, realm_id=realm_id, tenant_id=tenant_id)
        return True
