"""GET /v1/audit: the sealed trail of an ISV, and the agency's own."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from flatbed.app.audit.router import router
from flatbed.tenants.kit.audit import mutation, record
from flatbed.tenants.kit.canonical import chained
from flatbed.tenants.kit.ids import encode, uuid7
from flatbed.tenants.kit.sealing import seal_agency, seal_tenant
from tests.support.kernel_app import KernelApp, kernel_app
from tests.support.world import World


@pytest_asyncio.fixture
async def app(world: World) -> AsyncIterator[KernelApp]:
    async with kernel_app(world, router) as made:
        yield made


@pytest_asyncio.fixture
async def client(app: KernelApp) -> AsyncIterator[httpx.AsyncClient]:
    async with app.client(app.world.tenants[0]) as made:
        yield made


async def write(world: World, *actions: str, object_id: UUID | None = None) -> None:
    async with world.tenant() as session:
        for action in actions:
            mutation(session, action, "off", object_id or uuid7(), {"fields": ["name"]})
    await seal_tenant(world.database, world.realm_id, world.tenants[0])


async def read(client: httpx.AsyncClient, **query: str | int) -> dict[str, Any]:
    answer = await client.get("/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


class TestListAudit:
    async def test_an_isv_reads_who_did_what_when(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        object_id = uuid7()
        await write(world, "offering.created", object_id=object_id)
        (entry,) = (await read(client))["data"]
        assert entry["sequence"] == 1
        assert entry["id"].startswith("aud_")
        assert entry["actor"] == "client:test"
        assert entry["action"] == "offering.created"
        assert (entry["object_type"], entry["object_id"]) == ("off", encode("off", object_id))
        assert entry["detail"] == {"fields": ["name"]}
        assert entry["request_id"] == "req_test"
        assert entry["previous_hash"] == "0" * 64
        assert len(entry["hash"]) == 64

    async def test_what_is_not_sealed_yet_is_not_shown(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        async with world.tenant() as session:
            mutation(session, "offering.created", "off", uuid7())
        assert (await read(client))["data"] == []

    async def test_pages_follow_the_numbers(self, client: httpx.AsyncClient, world: World) -> None:
        await write(world, *(f"thing.{number}" for number in range(7)))
        seen: list[int] = []
        cursor: dict[str, str] = {}
        while True:
            page = await read(client, limit=3, **cursor)
            seen += [entry["sequence"] for entry in page["data"]]
            if not page["has_more"]:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert seen == [1, 2, 3, 4, 5, 6, 7]
        assert page["next_cursor"] is None

    async def test_each_entry_is_chained_to_the_one_before(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        await write(world, "a.made", "b.made", "c.made")
        entries = (await read(client))["data"]
        links = [(entry["previous_hash"], entry["hash"]) for entry in entries]
        assert [previous for previous, _ in links[1:]] == [hash_ for _, hash_ in links[:-1]]
        assert links[0][1] != chained("0" * 64, {})

    async def test_it_is_filtered_by_object_and_by_action(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        object_id = uuid7()
        await write(world, "thing.made", "thing.changed", object_id=object_id)
        await write(world, "thing.made")
        named = encode("off", object_id)
        assert len((await read(client, object_id=named))["data"]) == 2
        assert len((await read(client, action="thing.made"))["data"]) == 2
        both = await read(client, object_id=named, action="thing.made")
        assert [entry["sequence"] for entry in both["data"]] == [1]

    async def test_a_cursor_of_another_filter_is_refused(
        self, client: httpx.AsyncClient, world: World
    ) -> None:
        await write(world, "a.made", "a.made")
        cursor = (await read(client, action="a.made", limit=1))["next_cursor"]
        answer = await client.get("/v1/audit", params={"action": "b.made", "cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")

    async def test_an_isv_sees_nothing_of_another_nor_of_the_agency(
        self, app: KernelApp, world: World
    ) -> None:
        object_id = uuid7()
        await write(world, "thing.made", object_id=object_id)
        async with world.agency() as session:
            record(session, "staff.made", "staff", uuid7())
        await seal_agency(world.database, world.realm_id)
        async with app.client(world.tenants[1]) as other:
            assert (await read(other))["data"] == []
            assert (await read(other, object_id=encode("off", object_id)))["data"] == []

    async def test_the_agency_reads_its_own_trail(self, app: KernelApp, world: World) -> None:
        await write(world, "thing.made")
        async with world.agency() as session:
            record(session, "staff.made", "staff", uuid7())
        await seal_agency(world.database, world.realm_id)
        async with app.client() as agency:
            entries = (await read(agency))["data"]
        assert [entry["action"] for entry in entries] == ["staff.made"]

    async def test_the_agency_reads_an_isvs_trail_by_naming_it(
        self, app: KernelApp, client: httpx.AsyncClient, world: World
    ) -> None:
        await write(world, "thing.made")
        async with app.client() as agency:
            agency.headers["Flatbed-Tenant"] = encode("org", world.tenants[0])
            entries = (await read(agency))["data"]
            assert [entry["action"] for entry in entries] == ["thing.made"]
            agency.headers["Flatbed-Tenant"] = encode("org", uuid7())
            assert (await agency.get("/v1/audit")).status_code == 404
        assert client.headers["authorization"]

    @pytest.mark.parametrize("query", ["object_id=%00", "action=%00", f"action={'x' * 101}"])
    async def test_an_unusable_filter_is_refused(
        self, client: httpx.AsyncClient, query: str
    ) -> None:
        assert (await client.get(f"/v1/audit?{query}")).status_code == 422
