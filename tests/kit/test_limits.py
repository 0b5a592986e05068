"""Time limits: in force on every connection of the program, and what they end is a 503."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from flatbed.app.wiring import build
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.engine import Database, create_engine
from flatbed.tenants.kit.database.guard import LimitsMissingError, refuse_without_limits
from flatbed.tenants.kit.database.limits import LIMITS, PATIENT, PLANNING, server_settings
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.database.urls import Plain, connect
from flatbed.tenants.kit.failures import is_lost, sqlstate_of
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import SECRET, new_world, serving, settings_for
from tests.support.postgres import TestDatabase
from tests.support.world import CALLER, World

SHOWN = {
    "statement_timeout": "5s",
    "lock_timeout": "1500ms",
    "idle_in_transaction_session_timeout": "10s",
    "client_connection_check_interval": "2s",
    "random_page_cost": "1.1",
    # Plans for all tenants must do (tests/scale shows it): none is made anew for each execution.
    "plan_cache_mode": "auto",
}


async def shown(session: TenantSession) -> dict[str, str]:
    return {
        name: str(await session.scalar(text(f"SELECT current_setting('{name}')"))) for name in SHOWN
    }


@asynccontextmanager
async def limited(world: World, **limits: int) -> AsyncIterator[World]:
    """The same realm through an engine with other limits, in milliseconds."""
    engine = create_engine(world.url, pool_size=3, limits={**LIMITS, **limits})
    yield World(world.url, Database(engine), world.realm_id, world.tenants)
    await engine.dispose()


class TestInForce:
    async def test_every_transaction_has_them(self, world: World) -> None:
        async with world.tenant() as session:
            assert await shown(session) == SHOWN

    async def test_resetting_a_connection_does_not_lift_them(self, database: TestDatabase) -> None:
        connection = await connect(database.app_url, settings=server_settings("test"))
        try:
            await connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
            assert await connection.fetchval("SHOW statement_timeout") == "0"
            await connection.execute("RESET ALL")
            found = {name: await connection.fetchval(f"SHOW {name}") for name in SHOWN}
            assert found == SHOWN
        finally:
            await connection.close()

    async def test_the_role_has_them_where_a_pooler_drops_what_a_connection_asks_for(
        self, database: TestDatabase
    ) -> None:
        connection = await connect(database.app_url)
        try:
            assert {name: await connection.fetchval(f"SHOW {name}") for name in SHOWN} == SHOWN
        finally:
            await connection.close()

    async def test_migrations_and_dumps_keep_their_own(self, database: TestDatabase) -> None:
        for url in (database.owner_url, database.backup_url):
            connection = await connect(url)
            try:
                assert await connection.fetchval("SHOW statement_timeout") == "0"
            finally:
                await connection.close()

    async def test_long_work_has_more_time_for_its_own_transactions_only(
        self, world: World
    ) -> None:
        async with (
            world.database.patient() as database,
            database.tenant_read(
                realm_id=world.realm_id,
                tenant_id=world.tenants[0],
                caller=CALLER,
                clock=Clock(),
            ) as session,
        ):
            for name, milliseconds in PATIENT.items():
                found = await session.scalar(text(f"SELECT current_setting('{name}')"))
                assert found == f"{milliseconds // 60_000}min"
        async with world.tenant() as session:
            assert await shown(session) == SHOWN


class TestGuard:
    async def test_a_connection_of_the_program_passes(self, database: TestDatabase) -> None:
        connection = await connect(database.app_url, settings=server_settings("test"))
        try:
            await refuse_without_limits(connection)
        finally:
            await connection.close()

    @pytest.mark.parametrize(
        "wrong",
        [{"lock_timeout": "0"}, {"statement_timeout": "60000"}, {"random_page_cost": "4"}],
    )
    async def test_the_program_refuses_to_start_without_one(
        self, database: TestDatabase, wrong: Mapping[str, str]
    ) -> None:
        connection = await connect(database.app_url, settings={**server_settings("t"), **wrong})
        (name,) = wrong
        held = {**LIMITS, **PLANNING}
        try:
            with pytest.raises(LimitsMissingError, match=f"SET {name} = {held[name]}$"):
                await refuse_without_limits(connection)
        finally:
            await connection.close()


class TestTheyEndThings:
    async def test_a_statement_that_runs_too_long(self, world: World) -> None:
        async with limited(world, statement_timeout=100) as quick:
            with pytest.raises(DBAPIError) as caught:
                async with quick.tenant() as session:
                    await session.execute(text("SELECT pg_sleep(5)"))
            assert sqlstate_of(caught.value) == "57014"

    async def test_a_wait_for_a_lock(self, world: World) -> None:
        number = uuid7().int % 2**62
        async with limited(world, lock_timeout=100) as quick:
            async with quick.tenant() as holder:
                await holder.execute(select(func.pg_advisory_xact_lock(number)))
                with pytest.raises(DBAPIError) as caught:
                    async with quick.tenant() as waiter:
                        await waiter.execute(select(func.pg_advisory_xact_lock(number)))
            assert sqlstate_of(caught.value) == "55P03"

    async def test_a_transaction_that_idles(self, world: World, admin_connection: Plain) -> None:
        async with limited(world, idle_in_transaction_session_timeout=150) as quick:
            pids = []

            async def dawdle() -> None:
                async with quick.tenant() as session:
                    pids.append(await session.scalar(text("SELECT pg_backend_pid()")))
                    await asyncio.sleep(0.5)
                    await session.execute(text("SELECT 1"))

            with pytest.raises(DBAPIError) as caught:
                await dawdle()
            assert is_lost(caught.value)
            (pid,) = pids
            alive = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
            assert await admin_connection.fetchval(alive, pid) == 0
            async with quick.tenant() as session:
                assert await session.scalar(text("SELECT 1")) == 1

    async def test_a_server_that_accepts_and_says_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("flatbed.tenants.kit.database.engine.CONNECT_SECONDS", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            engine = create_engine(f"postgresql://a:b@127.0.0.1:{silent.getsockname()[1]}/c")
            started = time.perf_counter()
            with pytest.raises(DBAPIError) as caught:
                async with Database(engine).login(caller=CALLER) as session:
                    await session.execute(text("SELECT 1"))
            await engine.dispose()
        assert is_lost(caught.value)
        assert time.perf_counter() - started < 2


async def every_way_in(http: httpx.AsyncClient, token: str) -> list[httpx.Response]:
    bearer = {"Authorization": f"Bearer {token}"}
    return [
        await http.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, auth=("client_a", "b")
        ),
        await http.get("/oauth/jwks"),
        await http.get("/v1/organizations", headers=bearer),
        await http.post("/v1/organizations", headers=bearer, json={"slug": "a", "name": "b"}),
        await http.post("/v1/sandbox/clock", headers=bearer, json={"advance_seconds": 1}),
        await http.get("/v1/campaigns"),
    ]


class TestProgram:
    async def test_without_its_database_nothing_is_a_500_and_no_driver_speaks(
        self, database: TestDatabase
    ) -> None:
        async with new_world(database) as world:
            token = world.admin.token
        program = build(settings_for(database))
        async with serving(program) as http:
            await program.database.close()
            closed = "postgresql://flatbed_app:hush@127.0.0.1:1/nowhere"
            program.database.engine = create_engine(closed)
            answers = await every_way_in(http, token)
            assert [answer.status_code for answer in answers] == [503] * 5 + [401]
            for answer in answers[:-1]:
                assert answer.json()["code"] == "unavailable"
                assert answer.headers["retry-after"] == "1"
                for word in ("hush", "127.0.0.1", "nowhere", "asyncpg", "Connection", SECRET):
                    assert word not in answer.text
            assert program.admission.running == 0

    async def test_after_a_restart_of_its_database_every_way_in_works_at_once(
        self, database: TestDatabase, admin_connection: Plain
    ) -> None:
        async with new_world(database) as world:
            await asyncio.gather(*(world.admin.get("/v1/organizations") for _ in range(5)))
            for way in ("token", "read", "write"):
                killed = await admin_connection.fetch(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name LIKE 'flatbed%'"
                )
                assert killed, "no connection was there to lose"
                if way == "token":
                    await world.admin.sign_in()
                elif way == "read":
                    await world.admin.read("/v1/organizations")
                else:
                    await world.isv()
                assert (await world.http.get("/readyz")).status_code == 200
