"""``flatbed jobs``: dead letters are listed, and tried again."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from flatbed.app.cli.main import app
from flatbed.tenants.kit import deadlines
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.kernel_tables import Deadline
from flatbed.tenants.kit.database.session import Caller, TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.deadlines import dead_letters, schedule
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs.queue import enqueue
from flatbed.tenants.kit.problems import ConflictError
from flatbed.tenants.kit.sweep import Poller
from tests.api.support import SECRET, Isv, World
from tests.support.postgres import TestDatabase

pytestmark = pytest.mark.own_database

CALLER = Caller("system:test", "")
HELD = "UPDATE pgqueuer SET status = 'failed', attempts = 6 WHERE entrypoint = $1"


async def run(database: TestDatabase, *words: str) -> Result:
    env = {"FLATBED_DATABASE_URL": database.app_url, "FLATBED_SECRET_KEY": SECRET}
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, ["jobs", *words], env=env))


async def fail(_: TenantSession, __: Deadline) -> None:
    raise ConflictError


async def a_dead_deadline(world: World, isv: Isv, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world.program.database.tenant(
        realm_id=world.realm_id, tenant_id=isv.tenant_id, caller=CALLER, clock=Clock()
    ) as session:
        await schedule(
            session, candidate_id=uuid7(), kind="x", subject_id=uuid7(), due_at=session.now()
        )
    with monkeypatch.context() as patched:
        patched.setattr(deadlines, "ATTEMPTS", 1)
        await Poller(world.program.database, {"x": fail}).poll(world.realm_id)


async def dead(world: World, isv: Isv) -> int:
    async with world.program.database.tenant_read(
        realm_id=world.realm_id, tenant_id=isv.tenant_id, caller=CALLER, clock=Clock()
    ) as session:
        return len(await dead_letters(session))


@pytest_asyncio.fixture
async def job(world: World, admin_connection: Plain) -> AsyncIterator[str]:
    """The name of a dead job."""
    name = f"job-{uuid7()}"
    async with world.program.database.agency(
        realm_id=world.realm_id, caller=CALLER, clock=Clock()
    ) as session:
        await enqueue(session, name)
    await admin_connection.execute(HELD, name)
    yield name
    await admin_connection.execute("DELETE FROM pgqueuer WHERE entrypoint = $1", name)


class TestDead:
    async def test_dead_deadlines_of_an_isv_are_listed_with_exit_code_1(
        self, world: World, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        isv, other = await world.isv(), await world.isv()
        none = await run(database, "dead", "--organization", isv.id, "--json")
        assert none.exit_code == 0, none.output
        assert json.loads(none.stdout) == {"jobs": [], "deadlines": []}
        monkeypatch.setattr(deadlines, "ATTEMPTS", 1)
        await a_dead_deadline(world, isv, monkeypatch)
        await a_dead_deadline(world, other, monkeypatch)
        found = await run(database, "dead", "--organization", isv.id, "--json")
        assert found.exit_code == 1
        [letter] = json.loads(found.stdout)["deadlines"]
        assert (letter["organization"], letter["kind"]) == (isv.id, "x")
        for_people = await run(database, "dead", "--organization", isv.id)
        assert for_people.exit_code == 1
        assert f"organization={isv.id}" in for_people.stdout
        assert "deadlines: 1" in for_people.stdout

    async def test_dead_jobs_are_listed_by_id_and_name(
        self, database: TestDatabase, job: str
    ) -> None:
        found = await run(database, "dead", "--json")
        assert found.exit_code == 1
        jobs: list[dict[str, Any]] = json.loads(found.stdout)["jobs"]
        [mine] = [one for one in jobs if one["name"] == job]
        assert mine["id"] > 0

    async def test_what_is_no_id_is_wrong_usage(self, database: TestDatabase) -> None:
        for command in ("dead", "revive"):
            assert (await run(database, command, "--organization", "x")).exit_code == 2


class TestRevive:
    async def test_an_isvs_deadlines_are_tried_again_and_nobody_elses(
        self,
        world: World,
        database: TestDatabase,
        admin_connection: Plain,
        monkeypatch: pytest.MonkeyPatch,
        job: str,
    ) -> None:
        isv, other = await world.isv(), await world.isv()
        monkeypatch.setattr(deadlines, "ATTEMPTS", 1)
        await a_dead_deadline(world, isv, monkeypatch)
        await a_dead_deadline(world, other, monkeypatch)
        done = await run(database, "revive", "--organization", isv.id, "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout) == {"jobs": 0, "deadlines": 1}
        assert (await dead(world, isv), await dead(world, other)) == (0, 1)
        status = "SELECT status::text FROM pgqueuer WHERE entrypoint = $1"
        assert await admin_connection.fetchval(status, job) == "failed"
        _, swept = await Poller(world.program.database, {"x": _nothing}).poll(world.realm_id)
        assert swept.handled == 1

    async def test_dead_jobs_wait_for_a_worker_again(
        self, database: TestDatabase, admin_connection: Plain, job: str
    ) -> None:
        done = await run(database, "revive", "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["jobs"] >= 1
        row = await admin_connection.fetchrow(
            "SELECT status::text, attempts FROM pgqueuer WHERE entrypoint = $1", job
        )
        assert row is not None
        assert tuple(row) == ("queued", 0)


async def _nothing(_: TenantSession, __: Deadline) -> None:
    """What made it fail is mended."""
