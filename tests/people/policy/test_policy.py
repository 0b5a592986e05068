"""/v1/sign-in-policy: what an ISV asks of those who sign in for it."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.support import Client, World

PATH = "/v1/sign-in-policy"
STRICT = {"owners_need_totp": True}


async def put(client: Client, body: Any, version: int | None) -> httpx.Response:
    return await client.request("PUT", PATH, json=body, version=version)


class TestGet:
    async def test_nothing_is_asked_until_it_is_set(self, world: World) -> None:
        answer = await (await world.isv()).client.get(PATH)
        assert (answer.json(), answer.headers["etag"]) == ({"owners_need_totp": False}, '"0"')

    @pytest.mark.parametrize("role", ["manager", "finance", "viewer"])
    async def test_it_is_the_owners_business(self, world: World, role: str) -> None:
        isv = await world.isv()
        assert (await (await world.member(isv, role)).get(PATH)).status_code == 403
        assert (await (await world.member(isv, "owner")).get(PATH)).status_code == 200


class TestPut:
    async def test_it_is_set_and_replaced(self, world: World) -> None:
        isv, other = await world.isv(), await world.isv()
        first = await put(isv.client, STRICT, 0)
        assert (first.json(), first.headers["etag"]) == (STRICT, '"1"')
        assert await isv.client.read(PATH) == STRICT
        assert await other.client.read(PATH) == {"owners_need_totp": False}
        second = await put(isv.client, {"owners_need_totp": False}, 1)
        assert second.headers["etag"] == '"2"'

    async def test_it_needs_the_version_that_is_stored(self, world: World) -> None:
        isv = await world.isv()
        assert (await put(isv.client, STRICT, None)).status_code == 428
        assert (await put(isv.client, STRICT, 1)).status_code == 412
        assert (await put(isv.client, STRICT, 0)).is_success
        assert (await put(isv.client, STRICT, 0)).status_code == 412

    async def test_of_many_first_ones_at_once_one_is_set(self, world: World) -> None:
        isv = await world.isv()
        answers = await asyncio.gather(*(put(isv.client, STRICT, 0) for _ in range(5)))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[0] == 200
        assert set(statuses[1:]) <= {409, 412}

    @pytest.mark.parametrize("body", [{}, {"owners_need_totp": 1}, {"owners_need_totp": None}])
    async def test_a_wrong_body_is_refused(self, world: World, body: Any) -> None:
        assert (await put((await world.isv()).client, body, 0)).status_code == 422
