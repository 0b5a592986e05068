"""Connections that die: in the pool, in the middle, under COMMIT, or that cannot be had."""

import asyncio
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from asyncpg.exceptions import ConnectionDoesNotExistError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from flatbed.tenants.kit.database.connection import BoundConnection
from flatbed.tenants.kit.database.engine import Database, create_engine
from flatbed.tenants.kit.database.session import TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.failures import READ_ONLY, sqlstate_of
from tests.kit.edge.scripted import Script, effects, nothing, play, terminate, unavailable
from tests.support.kernel_app import KernelApp
from tests.support.postgres import TestDatabase
from tests.support.world import World

CLOSED = "postgresql://flatbed_app:secret@127.0.0.1:1/nowhere"
KEY_LOCK = """
SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
WHERE locktype = 'advisory' AND pid = pg_backend_pid()
"""


async def kill_self(session: TenantSession, admin: Plain) -> None:
    pid = await session.scalar(text("SELECT pg_backend_pid()"))
    assert await terminate(admin, f"pid = {pid}") == 1


class TestLostConnections:
    async def test_after_a_restart_of_the_database_no_request_fails(
        self, client: httpx.AsyncClient, script: Script, world: World, admin_connection: Plain
    ) -> None:
        await asyncio.gather(*(play(client, f"warm-{number}") for number in range(6)))
        before = await effects(world)
        assert before == 6
        assert await terminate(admin_connection) >= 2
        answers = [await play(client, "first")]
        answers += await asyncio.gather(*(play(client, f"next-{number}") for number in range(6)))
        assert [answer.status_code for answer in answers] == [201] * 7
        assert await effects(world) == before + 7
        assert script.total == 13

    async def test_many_at_once_on_dead_connections_all_succeed(
        self, client: httpx.AsyncClient, world: World, admin_connection: Plain
    ) -> None:
        await asyncio.gather(*(play(client, f"warm-{number}") for number in range(8)))
        assert await terminate(admin_connection) >= 2
        answers = await asyncio.gather(*(play(client, f"next-{number}") for number in range(8)))
        assert [answer.status_code for answer in answers] == [201] * 8
        assert await effects(world) == 16

    async def test_one_that_dies_in_the_middle_is_run_again_with_one_effect(
        self, client: httpx.AsyncClient, script: Script, world: World, admin_connection: Plain
    ) -> None:
        async def step(session: TenantSession, run: int) -> None:
            if run == 1:
                await kill_self(session, admin_connection)
                await session.execute(text("SELECT 1"))

        script.step = step
        assert (await play(client, key="key")).status_code == 201
        assert script.total == 2
        assert await effects(world) == 1

    async def test_one_that_dies_before_commit_is_sent_is_run_again(
        self, client: httpx.AsyncClient, script: Script, world: World, admin_connection: Plain
    ) -> None:
        async def step(session: TenantSession, run: int) -> None:
            if run == 1:
                await kill_self(session, admin_connection)
                await asyncio.sleep(0.05)

        script.step = step
        assert (await play(client)).status_code == 201
        assert script.total == 2
        assert await effects(world) == 1

    async def test_a_second_loss_is_the_last(
        self, client: httpx.AsyncClient, script: Script, world: World, admin_connection: Plain
    ) -> None:
        async def step(session: TenantSession, run: int) -> None:
            del run
            await kill_self(session, admin_connection)
            await session.execute(text("SELECT 1"))

        script.step = step
        unavailable(await play(client))
        assert script.total == 2
        assert await effects(world) == 0

    async def test_a_database_that_refuses_connections_is_a_503(
        self, app: KernelApp, client: httpx.AsyncClient, world: World
    ) -> None:
        object.__setattr__(app.app.state.gate, "database", Database(create_engine(CLOSED)))
        unavailable(await play(client))
        assert await effects(world) == 0

    async def test_a_database_that_is_full_is_a_503(
        self, app: KernelApp, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def full(*_: object, **__: object) -> None:
            raise asyncpg.TooManyConnectionsError("canary")

        database = Database(create_engine(CLOSED))
        object.__setattr__(app.app.state.gate, "database", database)
        monkeypatch.setattr(asyncpg, "connect", full)
        unavailable(await play(client))

    async def test_a_database_that_never_answers_is_a_503(
        self, app: KernelApp, client: httpx.AsyncClient, script: Script, database: TestDatabase
    ) -> None:
        """As behind a network that swallows packets: the driver's own patience ends it."""
        engine = create_engine(database.app_url, pool_size=1, answer_seconds=0.2)
        object.__setattr__(app.app.state.gate, "database", Database(engine))

        async def step(session: TenantSession, run: int) -> None:
            del run
            await session.execute(text("SELECT pg_sleep(3)"))

        script.step = step
        unavailable(await play(client))
        script.step = nothing
        # The one connection is free again.
        assert (await play(client)).status_code == 201
        await engine.dispose()


class TestOwnFirstRun:
    async def test_the_second_run_never_says_that_another_works_under_the_key(
        self, client: httpx.AsyncClient, script: Script, world: World, admin_connection: Plain
    ) -> None:
        """What holds the key may be our own first run, which nobody is going to send again."""
        held: list[int] = []

        async def step(session: TenantSession, run: int) -> None:
            assert run == 1
            held.append(await session.scalar(text(KEY_LOCK)) or 0)
            await kill_self(session, admin_connection)
            # As a server that has not yet noticed that its client is gone.
            await admin_connection.execute("SELECT pg_advisory_lock($1)", held[0])
            await session.execute(text("SELECT 1"))

        script.step = step
        unavailable(await play(client, key="key"))
        assert (script.total, len(held), await effects(world)) == (2, 1, 0)
        # A first run of its own meets the same lock, and may say so.
        taken = await play(client, key="key")
        assert (taken.status_code, taken.json()["code"]) == (409, "idempotency-in-progress")
        await admin_connection.execute("SELECT pg_advisory_unlock($1)", held[0])
        script.step = nothing
        assert (await play(client, key="key")).status_code == 201
        assert await effects(world) == 1


class TestStandby:
    async def test_connections_to_a_primary_that_became_a_standby_are_left(
        self, client: httpx.AsyncClient, world: World, admin_connection: Plain
    ) -> None:
        """As after a failover: what is connected stays so, and no longer takes writes."""
        await asyncio.gather(*(play(client, f"warm-{number}") for number in range(4)))
        name = await admin_connection.fetchval("SELECT current_database()")
        readonly = f'ALTER DATABASE "{name}" SET default_transaction_read_only'
        await admin_connection.execute(f"{readonly} = on")
        try:
            await terminate(admin_connection)
            answers = await asyncio.gather(*(play(client, f"no-{number}") for number in range(4)))
            for answer in answers:
                unavailable(answer)
        finally:
            await admin_connection.execute(f"{readonly} = off")
        answers = await asyncio.gather(*(play(client, f"yes-{number}") for number in range(4)))
        assert [answer.status_code for answer in answers] == [201] * 4
        assert await effects(world) == 8

    async def test_a_write_that_only_our_own_transaction_refuses_costs_no_connection(
        self, world: World
    ) -> None:
        async def pid() -> int:
            async with world.reading() as session:
                return await session.scalar(text("SELECT pg_backend_pid()")) or 0

        before = await pid()
        with pytest.raises(DBAPIError) as refused:
            async with world.reading() as session:
                await session.execute(text("DELETE FROM audit_pending"))
        assert sqlstate_of(refused.value) == READ_ONLY
        assert await pid() == before


@dataclass
class Cut:
    """Loses the connection at the next COMMIT that writes, before or after the server has it."""

    admin: Plain
    after: bool
    armed: bool = False
    cuts: int = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        original = asyncpg.Connection.execute

        async def execute(connection: Any, query: str, *args: Any, **more: Any) -> str:
            if not (self.armed and query.startswith("COMMIT") and _is_tenant(connection)):
                return await original(connection, query, *args, **more)
            self.armed, self.cuts = False, self.cuts + 1
            if self.after:
                await original(connection, query, *args, **more)
            await terminate(self.admin, f"pid = {connection.get_server_pid()}")
            raise ConnectionDoesNotExistError("canary")

        monkeypatch.setattr(asyncpg.Connection, "execute", execute)


def _is_tenant(connection: object) -> bool:
    context = getattr(connection, "_context", None)
    is_bound = isinstance(connection, BoundConnection)
    return is_bound and getattr(context, "tenant_id", None) is not None


class TestLossAtCommit:
    @pytest.mark.parametrize("after", [False, True])
    async def test_it_is_not_run_again_and_the_same_key_makes_one_effect(
        self,
        client: httpx.AsyncClient,
        script: Script,
        world: World,
        admin_connection: Plain,
        monkeypatch: pytest.MonkeyPatch,
        after: bool,
    ) -> None:
        cut = Cut(admin_connection, after)
        cut.install(monkeypatch)
        cut.armed = True
        answer = await play(client, key="key")
        assert cut.cuts == 1
        assert answer.status_code == 503
        assert answer.json()["code"] == "outcome-unknown"
        assert answer.headers["retry-after"] == "1"
        assert "nothing was changed" not in answer.text
        assert "canary" not in answer.text
        assert script.total == 1
        assert await effects(world) == int(after)
        again = await play(client, key="key")
        assert again.status_code == 201
        assert again.headers.get("idempotent-replayed") == ("true" if after else None)
        assert await effects(world) == 1
        assert script.total == 2
