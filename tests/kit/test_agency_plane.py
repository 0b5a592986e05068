"""The agency plane inside a tenant's transaction: on for a block, and never by a savepoint."""

import pytest
from sqlalchemy import func, select

from flatbed.tenants.kit.audit import mutation, record
from flatbed.tenants.kit.database.connection import (
    TransactionAbortedError,
)
from flatbed.tenants.kit.database.kernel_tables import (
    AgencyAuditPending,
    AuditPending,
    Realm,
)
from flatbed.tenants.kit.database.session import (
    PlaneSession,
    SavepointError,
    TenantSession,
    agency_plane,
)
from flatbed.tenants.kit.ids import uuid7
from tests.support.world import World


async def count(session: PlaneSession, table: type = AuditPending) -> int:
    return await session.scalar(select(func.count()).select_from(table)) or 0


class TestAgencyPlane:
    async def test_it_is_on_inside_the_block_and_off_after_it(self, world: World) -> None:
        async with world.agency() as before:
            record(before, "thing.made", "staff", uuid7())
        async with world.tenant() as session:
            mutation(session, "thing.made", "off", uuid7())
            assert await count(session, AgencyAuditPending) == 0
            async with agency_plane(session) as agency:
                assert await count(agency, AgencyAuditPending) == 1
                assert await count(session) == 1
                record(agency, "thing.linked", "staff", uuid7())
            assert await count(session, AgencyAuditPending) == 0
        async with world.agency() as after:
            assert await count(after, AgencyAuditPending) == 2

    async def test_another_realms_rows_stay_hidden(self, world: World) -> None:
        other = uuid7()
        await world.open_realm(other)
        async with world.agency(other) as elsewhere:
            record(elsewhere, "thing.made", "staff", uuid7())
        async with world.tenant() as session, agency_plane(session) as agency:
            assert await count(agency, AgencyAuditPending) == 0
            assert (await agency.scalars(select(Realm.id))).all() == [world.realm_id]

    async def test_an_error_inside_dooms_the_transaction_even_if_it_is_caught(
        self, world: World
    ) -> None:
        async def fail(session: TenantSession) -> None:
            async with agency_plane(session):
                raise ZeroDivisionError

        async def work() -> None:
            async with world.tenant() as session:
                mutation(session, "thing.made", "off", uuid7())
                with pytest.raises(ZeroDivisionError):
                    await fail(session)

        with pytest.raises(TransactionAbortedError):
            await work()
        async with world.reading() as reading:
            assert await count(reading) == 0

    async def test_no_savepoint_spans_its_beginning(self, world: World) -> None:
        async def work() -> None:
            async with world.tenant() as session, session.begin_nested(), agency_plane(session):
                pass

        with pytest.raises(SavepointError):
            await work()

    async def test_no_savepoint_spans_its_end(self, world: World) -> None:
        async def work() -> None:
            async with world.tenant() as session, agency_plane(session) as agency:
                savepoint = await agency.begin_nested()
                assert savepoint.is_active

        with pytest.raises(SavepointError):
            await work()
