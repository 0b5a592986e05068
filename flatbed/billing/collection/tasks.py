"""When invoices are collected: by a job after the closing, and again by a deadline."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from flatbed.billing.collection.customers import CALLER
from flatbed.billing.collection.exporting import (
    COLLECT_AGAIN,
    Collector,
    collect_invoice,
)
from flatbed.billing.statements.closing import COLLECT_JOB
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.kernel_tables import Deadline
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.deadlines import DeadlineHandlers
from flatbed.tenants.kit.jobs.queue import enqueue
from flatbed.tenants.kit.jobs.runner import JobHandler

RECONCILE_JOB: Final = "reconcile"
"""The job that compares an ISV's books with Stripe (``reconciliation.tasks``)."""


def collecting(collector: Collector) -> JobHandler:
    """The job that brings one invoice to Stripe."""

    async def collect(ids: Mapping[str, UUID]) -> None:
        realm_id, tenant_id = ids["realm_id"], ids["tenant_id"]
        await collect_invoice(collector, realm_id, tenant_id, ids["invoice_id"])
        async with collector.database.tenant(
            realm_id=realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock()
        ) as session:
            await enqueue(session, RECONCILE_JOB, realm_id=realm_id, tenant_id=tenant_id)

    return collect


async def collect_again(session: TenantSession, deadline: Deadline) -> None:
    """A pause is over: ask the worker again."""
    await enqueue(
        session,
        COLLECT_JOB,
        realm_id=session.realm_id,
        tenant_id=session.tenant_id,
        invoice_id=deadline.subject_id,
    )


DEADLINES: Final[DeadlineHandlers] = {COLLECT_AGAIN: collect_again}
