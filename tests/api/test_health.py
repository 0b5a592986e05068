"""Liveness needs nothing; readiness needs the database, migrated and taking writes."""

import asyncio
import socket
import time
from contextlib import AsyncExitStack

import httpx
import pytest

from flatbed.app import health
from flatbed.app.health import Readiness
from flatbed.app.wiring import build
from flatbed.tenants.kit.database import guard
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.database.urls import Plain
from tests.api.support import World, serving, settings_for
from tests.support.postgres import TestDatabase

HELD = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'flatbed-readiness' AND datname = $1
"""


async def status(http: httpx.AsyncClient) -> tuple[int, int]:
    live, ready = await http.get("/healthz"), await http.get("/readyz")
    return live.status_code, ready.status_code


class TestHealth:
    async def test_it_lives_and_is_ready(self, world: World) -> None:
        assert await status(world.http) == (200, 200)

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://flatbed_app:x@127.0.0.1:1/flatbed",
            "postgresql://nobody:wrong@{host}/nowhere",
        ],
    )
    async def test_without_its_database_it_lives_and_is_not_ready(
        self, database: TestDatabase, url: str
    ) -> None:
        program = build(settings_for(database))
        host = database.app_url.rpartition("@")[2].partition("/")[0]
        async with serving(program) as http:
            assert await status(http) == (200, 200)
            program.readiness.close()
            program.readiness = Readiness(url.format(host=host))
            assert await status(http) == (200, 503)
            answer = await http.get("/readyz")
            assert answer.json()["code"] == "not-ready"
            assert answer.headers["retry-after"] == "1"

    async def test_a_database_that_hangs_takes_readiness_and_leaves_liveness(
        self, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It accepts connections and never says a word."""
        monkeypatch.setattr(health, "READY_SECONDS", 1.0)
        program = build(settings_for(database))
        with socket.create_server(("127.0.0.1", 0)) as silent:
            async with serving(program) as http:
                program.readiness = Readiness(
                    f"postgresql://a:b@127.0.0.1:{silent.getsockname()[1]}/c"
                )
                started = time.perf_counter()
                asking = asyncio.create_task(http.get("/readyz"))
                await asyncio.sleep(0.1)
                meanwhile = time.perf_counter()
                assert (await http.get("/healthz")).status_code == 200
                assert time.perf_counter() - meanwhile < 0.3
                assert not asking.done()
                assert (await asking).status_code == 503
                assert 1.0 <= time.perf_counter() - started < 2.5

    async def test_an_old_process_stays_ready_when_a_newer_migration_was_applied(
        self, database: TestDatabase, admin_connection: Plain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
        program = build(settings_for(database))
        current = await admin_connection.fetchval("SELECT version_num FROM alembic_version")
        change = "UPDATE alembic_version SET version_num = $1"
        async with serving(program) as http:
            try:
                await admin_connection.execute(change, "of-the-next-release")
                assert await status(http) == (200, 200)
                await admin_connection.execute(change, "0001")
                assert await status(http) == (200, 503)
            finally:
                await admin_connection.execute(change, current)
            assert await status(http) == (200, 200)

    async def test_a_standby_is_not_ready_until_it_is_promoted(
        self, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a server in recovery answers is shown in tests/kit/test_guard.py."""
        monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
        promoted = False

        async def takes_writes(connection: Plain) -> bool:
            return promoted and await guard.takes_writes(connection)

        monkeypatch.setattr(health, "takes_writes", takes_writes)
        async with serving(build(settings_for(database))) as http:
            assert await status(http) == (200, 503)
            promoted = True
            assert await status(http) == (200, 200)

    async def test_a_pool_that_is_exhausted_takes_neither(self, database: TestDatabase) -> None:
        few = {"pool_size": 2, "admission_seconds": 0.1}
        program = build(settings_for(database).model_copy(update=few))
        async with serving(program) as http, AsyncExitStack() as held:
            for _ in range(2):
                session = await held.enter_async_context(
                    program.database.login(caller=Caller("test", ""))
                )
                _ = await session.connection()
            started = time.perf_counter()
            assert await status(http) == (200, 200)
            assert time.perf_counter() - started < 1

    async def test_admission_that_is_full_takes_neither(self, database: TestDatabase) -> None:
        few = {"pool_size": 2, "admission_seconds": 0.1}
        program = build(settings_for(database).model_copy(update=few))
        async with serving(program) as http:
            assert program.admission.take()
            assert program.admission.take()
            assert (await http.get("/v1/campaigns")).status_code == 503
            assert await status(http) == (200, 200)
            own = {"Host": "localhost"}
            assert (await http.get("/metrics", headers=own)).status_code == 200

    async def test_it_is_ready_again_when_its_connection_was_ended(
        self, database: TestDatabase, admin_connection: Plain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As after a restart of PostgreSQL."""
        monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
        program = build(settings_for(database))
        async with serving(program) as http:
            assert await status(http) == (200, 200)
            connection = program.readiness._connection
            assert connection is not None
            await admin_connection.execute(
                "SELECT pg_terminate_backend($1)", connection.get_server_pid()
            )
            assert await status(http) == (200, 200)
            assert program.readiness._connection is not connection

    async def test_many_probes_cost_one_connection(
        self, database: TestDatabase, admin_connection: Plain
    ) -> None:
        program = build(settings_for(database))
        async with serving(program) as http:
            answers = await asyncio.gather(*(http.get("/readyz") for _ in range(50)))
            assert {answer.status_code for answer in answers} == {200}
            name = database.app_url.rpartition("/")[2].partition("?")[0]
            assert await admin_connection.fetchval(HELD, name) == 1

    async def test_a_process_that_leaves_is_not_ready_and_says_so_on_every_connection(
        self, database: TestDatabase
    ) -> None:
        program = build(settings_for(database))
        async with serving(program) as http:
            lifecycle = http._transport.app.state.lifecycle  # type: ignore[attr-defined]  # httpx hides it
            lifecycle.leaving = True
            try:
                assert await status(http) == (200, 503)
                answer = await http.get("/healthz")
                assert answer.headers["connection"] == "close"
            finally:
                lifecycle.leaving = False  # the application is handed on to other tests
            answer = await http.get("/healthz")
            assert "connection" not in answer.headers
            assert await status(http) == (200, 200)
