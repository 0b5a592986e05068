"""When books are compared: daily, after a closing was collected, and where one is blocked."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from flatbed.billing.collection.collector import Collector
from flatbed.billing.reconciliation import repository
from flatbed.billing.reconciliation.service import reconcile
from flatbed.billing.statements.jobs import reconcile_later
from flatbed.tenants.kit.jobs.runner import JobHandler

DAILY: Final = timedelta(hours=24)


def reconciling(collector: Collector) -> JobHandler:
    """The job that compares one ISV's books."""

    async def compare(ids: Mapping[str, UUID]) -> None:
        await reconcile(collector, ids["realm_id"], ids["tenant_id"])

    return compare


async def ask_if_due(collector: Collector, realm_id: UUID, tenant_id: UUID) -> bool:
    """Ask for a run of an ISV that was not compared for a day. Returns whether it was asked."""
    async with collector.tenant(realm_id, tenant_id) as session:
        if not await repository.is_due(session, session.now() - DAILY):
            return False
        await reconcile_later(session)
        return True
