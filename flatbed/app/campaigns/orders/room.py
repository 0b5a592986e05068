"""Asking for a look at those who wait over a campaign's cap, once the cause is committed.

What the job does is for `qualifications` to know; wiring binds it.
"""

from typing import Final
from uuid import UUID

from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.jobs.queue import enqueue

ADMISSION_JOB: Final = "admit_waiting"
"""The job that goes through a campaign's line. Running it for nothing changes nothing."""


async def look_for_room(session: TenantSession, campaign_id: UUID) -> None:
    """There may be room in the campaign, or nobody may wait there any longer."""
    await enqueue(
        session,
        ADMISSION_JOB,
        realm_id=session.realm_id,
        tenant_id=session.tenant_id,
        campaign_id=campaign_id,
    )


async def look_at(session: TenantSession, candidate_id: UUID) -> None:
    """What held the candidate up is decided."""
    await enqueue(
        session,
        ADMISSION_JOB,
        realm_id=session.realm_id,
        tenant_id=session.tenant_id,
        candidate_id=candidate_id,
    )
