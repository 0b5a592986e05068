"""What a closing asks for once it is committed; who does it is for wiring to know."""

from typing import Final
from uuid import UUID

from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.jobs.queue import enqueue

COLLECT_JOB: Final = "collect_invoice"
"""The job that brings an invoice or a credit note to whoever collects (``collection.tasks``)."""
RECONCILE_JOB: Final = "reconcile"
"""The job that compares an ISV's books with Stripe (``reconciliation.tasks``)."""

ROOM_JOB: Final = "cap_given_back"
"""The job that learns of a campaign whose caps reserve less than before."""


async def collect_later(session: TenantSession, invoice_id: UUID) -> None:
    """Have an invoice or a credit note collected. Running it twice collects once."""
    await enqueue(
        session,
        COLLECT_JOB,
        realm_id=session.realm_id,
        tenant_id=session.tenant_id,
        invoice_id=invoice_id,
    )


async def reconcile_later(session: TenantSession) -> None:
    """Have the ISV's books compared with Stripe."""
    await enqueue(session, RECONCILE_JOB, realm_id=session.realm_id, tenant_id=session.tenant_id)


async def tell_of_room(session: TenantSession, campaign_ref: UUID) -> None:
    """Have somebody look whether what waits over a campaign's cap has room now."""
    await enqueue(
        session,
        ROOM_JOB,
        realm_id=session.realm_id,
        tenant_id=session.tenant_id,
        campaign_id=campaign_ref,
    )
