"""The job that goes through a campaign's line."""

from collections.abc import Mapping
from functools import partial
from typing import Final
from uuid import UUID

from flatbed.app.qualifications.waiting import admission, repository
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.failures import retried
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.realms import realm_clock

ACTOR: Final = "system:admission"


async def admit_waiting(database: Database, ids: Mapping[str, UUID]) -> None:
    """Admit who waits while there is room, first come first, each in a transaction of its own.

    Safe to repeat, to run beside another one, and to be killed anywhere: what is committed is
    done, and the next run goes on with who is first then.

    Args:
        database: opens the transactions.
        ids: ``realm_id``, ``tenant_id`` and the ``campaign_id``, or a ``candidate_id`` of it.

    Raises:
        Problem: the first one's unit was billed in the moment between; the next attempt ends it.
    """
    realm_id, tenant_id = ids["realm_id"], ids["tenant_id"]
    caller = Caller(ACTOR, str(uuid7()))
    async with database.tenant_read(
        realm_id=realm_id, tenant_id=tenant_id, caller=caller, clock=Clock()
    ) as session:
        clock = await realm_clock(session)
        campaign_id = ids.get("campaign_id")
        if campaign_id is None:
            campaign_id = await repository.campaign_of(session, ids["candidate_id"])
    if campaign_id is None:
        return

    async def step(campaign_id: UUID) -> bool:
        async with database.tenant(
            realm_id=realm_id, tenant_id=tenant_id, caller=caller, clock=clock.frozen()
        ) as session:
            return await admission.step(session, campaign_id)

    while await retried(partial(step, campaign_id)):
        pass
