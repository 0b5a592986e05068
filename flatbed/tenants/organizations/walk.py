"""Walking every tenant of the deployment, for housekeeping and verification."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.cursors import Position, Window
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
    """Each tenant's id in a realm, a page a transaction."""
    after: Position | None = None
    while True:
        async with database.agency_read(realm_id=realm_id, caller=caller, clock=Clock()) as session:
            rows = await repository.organizations(session, Window(after, AT_ONCE), None)
        for row in rows[:AT_ONCE]:
            yield row.id
        if len(rows) <= AT_ONCE:
            return
        after = Position(rows[AT_ONCE - 1].updated_at, rows[AT_ONCE - 1].id)
