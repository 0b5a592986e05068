"""Sessions and ways to a new password are forgotten a day after their end, and not before."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from flatbed.app.worker import purge
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database import purging
from flatbed.tenants.kit.database.session import LoginSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.people.new_password import repository as resets
from flatbed.tenants.people.sessions import repository as sessions
from tests.api.support import World
from tests.people.door import CALLER

pytestmark = pytest.mark.own_database

HOUR = timedelta(hours=1)
_SESSION = """
INSERT INTO user_session
    (id, user_id, digest, acr, agent, created_at, auth_at, seen_at, expires_at, revoked_at)
VALUES ($1, $2, uuid_send($1), 'pwd', '', $3, $3, $3, $3, $3)
"""
_RESET = """
INSERT INTO password_reset (id, user_id, created_at, expires_at, used_at)
VALUES ($1, $2, $3, $3, $3)
"""
INSERTS = {"user_session": _SESSION, "password_reset": _RESET}
Purge = Callable[[LoginSession, datetime], Awaitable[bool]]
PURGES: dict[str, Purge] = {
    "user_session": sessions.purge_sessions,
    "password_reset": resets.purge_resets,
}


async def ended(admin: Plain, table: str, user_id: UUID, ago: timedelta) -> UUID:
    """One whose time was over then."""
    id_ = uuid7()
    await admin.execute(INSERTS[table], id_, user_id, system_now() - ago)
    return id_


async def left(admin: Plain, table: str, user_id: UUID) -> set[UUID]:
    rows = await admin.fetch(f"SELECT id FROM {table} WHERE user_id = $1", user_id)
    return {row["id"] for row in rows}


@pytest.mark.parametrize("table", INSERTS)
class TestPurge:
    async def test_the_worker_forgets_them_a_day_after_their_end(
        self, world: World, admin_connection: Plain, table: str
    ) -> None:
        user_id = await world.people.user()
        await ended(admin_connection, table, user_id, 25 * HOUR)
        kept = await ended(admin_connection, table, user_id, 23 * HOUR)
        live = await ended(admin_connection, table, user_id, -HOUR)
        await purge(world.program.database)
        assert await left(admin_connection, table, user_id) == {kept, live}

    async def test_as_many_as_fit_a_statement(
        self,
        world: World,
        admin_connection: Plain,
        table: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async def purged() -> bool:
            async with world.program.database.login(caller=CALLER) as session:
                return await PURGES[table](session, system_now())

        # The tests of this file share the table.
        while await purged():
            pass
        monkeypatch.setattr(purging, "AT_ONCE", 2)
        user_id = await world.people.user()
        for _ in range(3):
            await ended(admin_connection, table, user_id, 25 * HOUR)
        assert [await purged(), await purged()] == [True, False]
        assert await left(admin_connection, table, user_id) == set()
