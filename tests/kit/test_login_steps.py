"""A login steps into a realm, or into one ISV's rows, and back."""

from contextlib import suppress
from uuid import UUID

import pytest
from sqlalchemy import select

from flatbed.tenants.kit.audit import record
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.connection import TransactionAbortedError
from flatbed.tenants.kit.database.kernel_tables import (
    AgencyAuditPending,
    AuditPending,
    Realm,
)
from flatbed.tenants.kit.database.session import (
    SavepointError,
    agency_of_login,
    tenant_of_login,
)
from flatbed.tenants.kit.ids import uuid7
from tests.support.world import CALLER, World

ACTOR = "member:test"


async def _actors(world: World, tenant_id: UUID | None = None) -> list[str]:
    kind = AgencyAuditPending if tenant_id is None else AuditPending
    if tenant_id is None:
        async with world.agency() as agency:
            return list(await agency.scalars(select(kind.actor)))
    async with world.tenant(tenant_id) as tenant:
        return list(await tenant.scalars(select(kind.actor)))


class TestAgencyOfLogin:
    async def test_what_is_written_inside_is_the_realms(self, world: World) -> None:
        async with world.database.login(caller=CALLER) as session:
            async with agency_of_login(session, world.realm_id, Clock(), ACTOR) as agency:
                assert agency.realm_id == world.realm_id
                record(agency, "test.done", "client", uuid7())
            assert session.context.realm_id is None
            seen = await session.scalar(select(Realm.id).where(Realm.id == world.realm_id))
            assert seen == world.realm_id
        assert await _actors(world) == [ACTOR]

    async def test_inside_the_logins_own_rows_are_out_of_sight(self, world: World) -> None:
        other = uuid7()
        await world.open_realm(other)
        async with world.database.login(caller=CALLER) as session:
            async with agency_of_login(session, world.realm_id, Clock(), ACTOR) as agency:
                assert list(await agency.scalars(select(Realm.id))) == [world.realm_id]
            found = set(await session.scalars(select(Realm.id)))
            assert {other, world.realm_id} <= found

    async def test_an_error_inside_ends_the_transaction(self, world: World) -> None:
        async def swallowed() -> None:
            async with world.database.login(caller=CALLER) as session:
                with suppress(LookupError):
                    async with agency_of_login(session, world.realm_id, Clock(), ACTOR) as agency:
                        record(agency, "test.done", "client", uuid7())
                        raise LookupError

        with pytest.raises(TransactionAbortedError):
            await swallowed()
        assert await _actors(world) == []

    async def test_a_savepoint_across_its_edge_is_refused(self, world: World) -> None:
        with pytest.raises(SavepointError):
            async with (
                world.database.login(caller=CALLER) as session,
                session.begin_nested(),
                agency_of_login(session, world.realm_id, Clock(), ACTOR),
            ):
                pass


class TestTenantOfLogin:
    async def test_what_is_written_inside_is_that_isvs(self, world: World) -> None:
        mine, other = world.tenants
        async with world.database.login(caller=CALLER) as session:
            async with tenant_of_login(session, world.realm_id, mine, Clock(), ACTOR) as tenant:
                assert tenant.tenant_id == mine
                record(tenant, "test.done", "client", uuid7())
            async with tenant_of_login(session, world.realm_id, other, Clock(), ACTOR) as tenant:
                assert list(await tenant.scalars(select(AuditPending.actor))) == []
        assert await _actors(world, mine) == [ACTOR]
        assert await _actors(world, other) == []
