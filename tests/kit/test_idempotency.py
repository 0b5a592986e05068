"""Idempotency keys: one effect, one answer, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import func, select, update

from flatbed.tenants.kit import idempotency
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.database import purging
from flatbed.tenants.kit.database.kernel_tables import (
    AgencyAuditPending,
    AgencyIdempotencyKey,
    AuditPending,
    IdempotencyKey,
)
from tests.support.kernel_app import KernelApp, kernel_app
from tests.support.world import World

KEY = {"Idempotency-Key": "order-1"}


@pytest_asyncio.fixture
async def app(world: World) -> AsyncIterator[KernelApp]:
    async with kernel_app(world) as made:
        yield made


@pytest_asyncio.fixture
async def client(app: KernelApp) -> AsyncIterator[httpx.AsyncClient]:
    async with app.client(app.world.tenants[0]) as made:
        yield made


async def effects(world: World) -> tuple[int, int]:
    """Audit rows and stored keys of the first tenant."""
    async with world.reading() as session:
        rows = await session.scalar(select(func.count()).select_from(AuditPending))
        keys = await session.scalar(select(func.count()).select_from(IdempotencyKey))
    return rows or 0, keys or 0


class TestReplay:
    async def test_the_same_request_is_answered_alike_and_done_once(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        first = await client.post("/things", json={"name": "a"}, headers=KEY)
        again = await client.post("/things", json={"name": "a"}, headers=KEY)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        for header in ("etag", "location", "content-type"):
            assert again.headers[header] == first.headers[header]
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
        assert await effects(world) == (1, 1)

    async def test_without_a_key_each_request_is_done(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        for _ in range(2):
            assert (await client.post("/things", json={"name": "a"})).status_code == 201
        assert await effects(world) == (2, 0)

    async def test_in_the_agency_plane_it_holds_too(self, app: KernelApp) -> None:
        async with app.client() as agency:
            first = await agency.post("/agency-things", json={"name": "a"}, headers=KEY)
            again = await agency.post("/agency-things", json={"name": "a"}, headers=KEY)
        assert first.status_code == 201
        assert again.content == first.content
        async with app.world.agency() as session:
            statement = select(func.count()).select_from(AgencyAuditPending)
            assert await session.scalar(statement) == 1

    async def test_thirty_concurrent_retries_have_one_effect(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        async def send() -> httpx.Response:
            while True:
                answer = await client.post("/things", json={"name": "a"}, headers=KEY)
                if answer.status_code != 409:
                    return answer
                await asyncio.sleep(0.02)

        answers = await asyncio.gather(*(send() for _ in range(30)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert await effects(world) == (1, 1)


class TestMismatch:
    @pytest.mark.parametrize(
        ("path", "body"), [("/things", {"name": "b"}), ("/refused", {"name": "a"})]
    )
    async def test_another_request_under_the_key_is_refused(
        self, client: httpx.AsyncClient, world: World, path: str, body: dict[str, str]
    ) -> None:
        await client.post("/things", json={"name": "a"}, headers=KEY)
        answer = await client.post(path, json=body, headers=KEY)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-mismatch")
        assert await effects(world) == (1, 1)

    @pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "a space"])
    async def test_a_key_that_is_none_is_refused(
        self, client: httpx.AsyncClient, world: World, key: str
    ) -> None:
        answer = await client.post("/things", json={}, headers={"Idempotency-Key": key})
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-invalid")
        assert await effects(world) == (0, 0)


class TestInProgress:
    async def test_a_key_in_use_is_refused_until_the_first_request_is_done(
        self, app: KernelApp, client: httpx.AsyncClient
    ) -> None:
        first = asyncio.create_task(client.post("/halted", json={}, headers=KEY))
        await asyncio.wait_for(app.halt.arrived.wait(), 10)
        meanwhile = await client.post("/halted", json={}, headers=KEY)
        assert meanwhile.status_code == 409
        assert meanwhile.json()["code"] == "idempotency-in-progress"
        app.halt.go_on.set()
        done = await first
        again = await client.post("/halted", json={}, headers=KEY)
        assert again.content == done.content
        assert await effects(app.world) == (1, 1)


class TestFailure:
    async def test_an_error_stores_nothing_and_runs_again(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        refused = await client.post("/refused", json={"name": "bad"}, headers=KEY)
        assert refused.status_code == 409
        assert await effects(world) == (0, 0)
        answer = await client.post("/refused", json={"name": "good"}, headers=KEY)
        assert answer.status_code == 200
        assert await effects(world) == (1, 1)

    async def test_an_unforeseen_error_stores_nothing(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        answer = await client.post("/swallowed", json={}, headers=KEY)
        assert answer.status_code == 500
        assert await effects(world) == (0, 0)


class TestOwners:
    async def test_another_tenant_and_another_client_are_not_affected(self, app: KernelApp) -> None:
        answers = []
        for tenant_id in (app.world.tenants[0], app.world.tenants[0], app.world.tenants[1]):
            async with app.client(tenant_id) as client:
                answers.append(await client.post("/things", json={"name": "a"}, headers=KEY))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 3
        assert all("idempotent-replayed" not in answer.headers for answer in answers)


class TestLifetime:
    async def test_a_key_older_than_seven_days_is_used_anew_and_purged(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        old = system_now() - idempotency.LIFETIME - timedelta(minutes=1)
        first = await client.post("/things", json={"name": "a"}, headers=KEY)
        async with world.tenant() as session:
            await session.execute(update(IdempotencyKey).values(created_at=old))
        again = await client.post("/things", json={"name": "b"}, headers=KEY)
        assert again.status_code == 201
        assert again.json()["id"] != first.json()["id"]
        async with world.tenant() as session:
            await session.execute(update(IdempotencyKey).values(created_at=old))
            await idempotency.purge(session)
        assert await effects(world) == (2, 0)

    async def test_a_long_backlog_is_purged_in_shares(
        self, client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(purging, "AT_ONCE", 2)
        old = system_now() - idempotency.LIFETIME - timedelta(minutes=1)
        for number in range(3):
            key = {"Idempotency-Key": f"key-{number}"}
            await client.post("/things", json={"name": "a"}, headers=key)
        async with world.tenant() as session:
            await session.execute(update(IdempotencyKey).values(created_at=old))
        for left in (True, False):
            async with world.tenant() as session:
                assert await idempotency.purge(session) is left
        assert (await effects(world))[1] == 0

    async def test_the_purge_leaves_young_keys(self, app: KernelApp) -> None:
        async with app.client() as agency:
            await agency.post("/agency-things", json={"name": "a"}, headers=KEY)
        async with app.world.agency() as session:
            await idempotency.purge(session)
            statement = select(func.count()).select_from(AgencyIdempotencyKey)
            assert await session.scalar(statement) == 1
