"""Liveness needs nothing; readiness needs the database, at head."""

import httpx
import pytest

from flatbed.app.wiring import build
from tests.api.support import World, serving, settings_for
from tests.support.postgres import TestDatabase


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
            program.database_url = url.format(host=host)
            assert await status(http) == (200, 503)
            answer = await http.get("/readyz")
            assert answer.json()["code"] == "not-ready"
            assert answer.headers["retry-after"] == "1"
