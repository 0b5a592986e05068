"""The ISV takes one that waits beyond its caps."""

from flatbed.billing.usage.models import CapCounter, UsageEntry
from tests.api.support import World
from tests.qualifications.test_concurrency import findings
from tests.qualifications.waiting.line import full, path_of


class TestOptIn:
    async def test_the_isv_takes_one_beyond_its_cap(self, world: World) -> None:
        """Waiting ones are admitted when the ISV's opt-in makes room."""
        line = await full(world, waiting=3)
        _, second, _ = await line.rows()

        answer = await line.opt_in(second)

        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert answer.headers["location"] == f"/v1/qualifications/{made['id']}"
        assert (made["status"], made["unit_price"]) == ("pending", 450_000)
        assert await line.states() == ["waiting", "admitted", "waiting"]
        (total,) = await line.site.rows(CapCounter, CapCounter.bucket == "total")
        assert total.units == 2
        await line.admissions()
        assert await line.states() == ["waiting", "admitted", "waiting"]
        # The void of one of two leaves a cap of one still met.
        await line.void(line.held[0])
        await line.admissions()
        assert await line.states() == ["waiting", "admitted", "waiting"]
        assert await findings(line.site) == []

    async def test_in_a_filled_campaign_too(self, world: World) -> None:
        line = await full(world, waiting=1, caps={}, quantity=1)
        assert (await line.held[0].accept()).status_code == 200
        assert (await line.opt_in((await line.rows())[0])).status_code == 201
        assert await line.states() == ["admitted"]

    async def test_twice_is_once(self, world: World) -> None:
        line = await full(world, waiting=1)
        (row,) = await line.rows()
        client, path = line.site.isv.client, f"{path_of(row)}/admission"
        first = await client.post(path, key="take")
        again = await client.post(path, key="take")
        assert (first.status_code, again.json()) == (201, first.json())
        refused = await client.post(path)
        assert (refused.status_code, refused.json()["code"]) == (409, "waiting-state")
        assert refused.json()["state"] == "admitted"
        assert len(await line.site.rows(UsageEntry)) == 2

    async def test_only_the_isv_may_spend_beyond_its_cap(self, world: World) -> None:
        line = await full(world, waiting=1)
        (row,) = await line.rows()
        for by in (line.site.lead, line.site.hunter):
            assert (await line.opt_in(row, by)).status_code == 403
        stale = await line.site.isv.client.post(f"{path_of(row)}/admission", version='"7"')
        assert stale.status_code == 412
        assert await line.states() == ["waiting"]

    async def test_what_the_world_says_against_it_stands(self, world: World) -> None:
        line = await full(world, waiting=1)
        (worked,) = line.waiting
        domain = (await worked.read(line.site.lead))["company"]["domain"]
        await line.site.isv.client.made("/v1/exclusions", {"domain": domain})
        answer = await line.opt_in((await line.rows())[0])
        assert (answer.status_code, answer.json()["code"]) == (409, "gate-failed")
        failing = [one["criterion"] for one in answer.json()["criteria"] if not one["passed"]]
        assert failing == ["qualified.no_conflict"]
        assert await line.states() == ["waiting"]

    async def test_not_while_the_campaign_is_paused_or_after_it_expired(self, world: World) -> None:
        line = await full(world, waiting=1)
        (row,) = await line.rows()
        await line.site.lead.made(f"{line.site.path}/pause")
        answer = await line.opt_in(row)
        assert (answer.status_code, answer.json()["code"]) == (409, "campaign-not-running")
        await line.site.advance(days=30, minutes=5)
        answer = await line.opt_in(row)
        assert (answer.json()["code"], answer.json()["state"]) == ("waiting-state", "expired")
