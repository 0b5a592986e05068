"""When invoices are collected: by a job after the closing, and again by a deadline."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from flatbed.billing.collection.collector import Collector
from flatbed.billing.collection.exporting import COLLECT_AGAIN, collect_invoice
from flatbed.billing.statements.jobs import collect_later, reconcile_later
from flatbed.tenants.kit.database.kernel_tables import Deadline
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.deadlines import DeadlineHandlers
from flatbed.tenants.kit.jobs.runner import JobHandler


def collecting(collector: Collector) -> JobHandler:
    """The job that brings one invoice to Stripe, and has the books compared afterwards."""

    async def collect(ids: Mapping[str, UUID]) -> None:
        realm_id, tenant_id = ids["realm_id"], ids["tenant_id"]
        await collect_invoice(collector, realm_id, tenant_id, ids["invoice_id"])
        async with collector.tenant(realm_id, tenant_id) as session:
            await reconcile_later(session)

    return collect


async def collect_again(session: TenantSession, deadline: Deadline) -> None:
    """A pause is over: ask the worker again."""
    await collect_later(session, deadline.subject_id)


DEADLINES: Final[DeadlineHandlers] = {COLLECT_AGAIN: collect_again}
