"""What a transaction leaves on its connection: nothing."""

import pytest

from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.connection import BoundConnection
from flatbed.tenants.kit.database.context import CandidateRange
from flatbed.tenants.kit.database.engine import Database, create_engine
from flatbed.tenants.kit.database.session import agency_plane
from flatbed.tenants.kit.ids import uuid7
from tests.support.world import CALLER, World

SETTINGS = ("plane", "realm_id", "tenant_id", "candidate_from", "candidate_to")


async def settings(database: Database) -> dict[str, str | None]:
    """The settings on the pool's only connection, asked past the program and without BEGIN."""
    async with database.engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert isinstance(raw, BoundConnection)
        assert not raw.is_in_transaction()
        return {
            name: await raw.fetchval(f"SELECT current_setting('flatbed.{name}', true)") or None
            for name in SETTINGS
        }


class TestSettings:
    @pytest.mark.parametrize("end", ["commit", "error"])
    async def test_no_setting_outlives_the_transaction(self, world: World, end: str) -> None:
        database = Database(create_engine(world.url, pool_size=1))

        async def work() -> None:
            async with database.tenant(
                realm_id=world.realm_id,
                tenant_id=world.tenants[0],
                caller=CALLER,
                clock=Clock(),
                candidates=CandidateRange.one(uuid7()),
            ) as session:
                mutation(session, "thing.made", "off", uuid7())
                async with agency_plane(session):
                    pass
                if end == "error":
                    raise ZeroDivisionError

        try:
            if end == "error":
                with pytest.raises(ZeroDivisionError):
                    await work()
            else:
                await work()
            assert await settings(database) == dict.fromkeys(SETTINGS)
        finally:
            await database.close()
