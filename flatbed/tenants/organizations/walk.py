"""Walking every tenant of the deployment, for housekeeping and verification."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.engine import Database
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.sweep import realms
from flatbed.tenants.organizations import repository

AT_ONCE: Final = 200


async def every_realm(database: Database, caller: Caller) -> AsyncIterator[UUID]:
    """Each realm's id."""
    async with database.worker(caller=caller) as session:
        found = await realms(session)
    for realm_id in found:
        yield realm_id


async def tenants_of(database: Database, realm_id: UUID, caller: Caller) -> AsyncIterator[UUID]:
    """Each tenant's id in a realm, once, a page a transaction."""
    after: UUID | None = None
    while True:
        async with database.agency_read(realm_id=realm_id, caller=caller, clock=Clock()) as session:
            ids = await repository.organization_ids(session, after, AT_ONCE)
        for id_ in ids:
            yield id_
        if len(ids) < AT_ONCE:
            return
        after = ids[-1]
