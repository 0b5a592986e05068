"""Which agency staff looked at which ISV."""

from flatbed.tenants.kit.database.urls import connect
from tests.api.support import World
from tests.candidates.factory import site
from tests.support.postgres import TestDatabase


async def logged(database: TestDatabase, world: World) -> list[tuple[str, str]]:
    """Who did what, by actor and operation."""
    connection = await connect(database.backup_url)
    try:
        rows = await connection.fetch(
            "SELECT actor, operation FROM access_log WHERE realm_id = $1 ORDER BY id",
            world.realm_id,
        )
    finally:
        await connection.close()
    return [(row["actor"], row["operation"]) for row in rows]


class TestAccessLog:
    async def test_every_request_of_staff_on_an_isv_leaves_a_row(
        self, world: World, database: TestDatabase
    ) -> None:
        place = await site(world)
        worked = await place.found()
        before = await logged(database, world)
        await place.hunter.read(worked.path)
        await place.lead.read(worked.path)
        await place.isv.client.read(worked.path)
        found = (await logged(database, world))[len(before) :]
        assert found == [
            (f"staff:{place.hunter_staff.id}", "get_candidate"),
            (f"staff:{place.lead_staff.id}", "get_candidate"),
        ]

    async def test_a_request_that_is_not_admitted_leaves_none(
        self, world: World, database: TestDatabase
    ) -> None:
        place = await site(world)
        before = await logged(database, world)
        stranger = await world.staff("hunter", new=True)
        assert (await stranger.client.get(place.path)).status_code == 404
        assert await logged(database, world) == before
