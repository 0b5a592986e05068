"""The demo's data are whole wherever its deployment is killed under it."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from rich.console import Console

from flatbed.app.demo.cast import Cast
from flatbed.app.demo.client import DemoError
from flatbed.app.demo.run import fresh_realm
from flatbed.app.demo.seed import Size, seed
from flatbed.app.demo.story import play
from flatbed.app.demo.teller import Teller
from flatbed.tenants.kit.ids import decode
from tests.faults.crew import Crew, crew_in
from tests.faults.house import SECONDS, House

SMALL = Size(companies=6, untouched=1, groups=1, twins=0, days=45)
BEGUN = 80
"""Requests after which the demo's world is half there."""


def teller() -> Teller:
    return Teller(Console(file=io.StringIO(), width=200))


@asynccontextmanager
async def cast_of(crew: Crew) -> AsyncIterator[Cast]:
    """A realm of the demo's own in the house, which the crew checks from now on."""
    url = crew.house.base_url
    async with httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False) as http:
        cast = await fresh_realm(crew.house.settings(), http)
        crew.realms.append(decode("realm", cast.realm))
        yield cast


class TestDemo:
    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("victim", ["api", "postgres"])
    async def test_what_it_had_seeded_before_a_kill_is_whole(
        self, house: House, victim: str
    ) -> None:
        async with crew_in(house) as crew, cast_of(crew) as cast:
            api = house.children["api"]
            before = api.logged.count('"request"')
            seeding = asyncio.create_task(seed(cast, teller(), SMALL))
            await house.until(
                lambda: seeding.done() or api.logged.count('"request"') > before + BEGUN, "no demo"
            )
            assert not seeding.done()
            if victim == "api":
                await house.kill("api")
            else:
                house.kill_postgres()
            with suppress(DemoError, httpx.HTTPError, ExceptionGroup):
                await asyncio.wait_for(seeding, SECONDS)
            await crew.restore()
            await crew.settled()
            assert await crew.findings([]) == []
            audited = "SELECT count(*) FROM agency_audit_entry WHERE realm_id = $1"
            assert await crew.admin.fetchval(audited, crew.realms[-1]) > 10

    @pytest.mark.long
    @pytest.mark.timeout(900)
    async def test_its_story_is_told_to_the_end_while_workers_die(self, house: House) -> None:
        async with crew_in(house) as crew, cast_of(crew) as cast:

            async def story() -> list[str]:
                made = await seed(cast, teller(), SMALL)
                played = await play(cast, teller(), made.objects(), base_url=house.base_url)
                return sorted(line["state"] for line in played.usage["data"])

            told, kills = asyncio.create_task(story()), 0
            while not told.done():
                await asyncio.sleep(1)
                await house.kill("worker")
                house.start("worker")
                kills += 1
            assert await told == ["accepted", "accepted", "cancelled"]
            assert kills > 3
            await crew.settled()
            assert await crew.findings([]) == []
