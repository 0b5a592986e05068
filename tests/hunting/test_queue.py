"""/v1/me/queue: the hunter's own candidates over all ISVs."""

from datetime import timedelta
from typing import Any

from flatbed.app.hunting.repository import Card, put_card
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import decode
from tests.api.support import World
from tests.candidates.factory import CALLER, Site, site, source

PATH = "/v1/me/queue"


async def due(place: Site, made: dict[str, Any], days: int | None, status: str = "active") -> None:
    """Set what the candidate's card says is due."""
    at = None if days is None else place.now() + timedelta(days=days)
    card = Card(
        tenant_id=place.isv.tenant_id,
        candidate_id=decode("cand", made["id"]),
        campaign_id=decode("camp", place.campaign["id"]),
        campaign_name="Spring",
        company_name=made["company"]["name"],
        stage="identified",
        status=status,
        due_at=at,
    )
    async with place.world.program.database.agency(
        realm_id=place.world.realm_id, caller=CALLER, clock=Clock()
    ) as session:
        await put_card(session, card)


class TestGetQueue:
    async def test_the_earliest_due_comes_first_over_all_isvs_and_the_undated_last(
        self, world: World
    ) -> None:
        """A hunter "works the queue across ISVs"."""
        one, two = await site(world), await site(world)
        await source(two, one.hunter_staff)
        late = (await one.found()).made
        undated = (await one.found()).made
        soon = (await two.found(one.hunter)).made
        for made, days in ((late, 9), (undated, None), (soon, 1)):
            await due(two if made is soon else one, made, days)
        page = await one.hunter.read(PATH)
        assert [item["candidate_id"] for item in page["data"]] == [
            soon["id"],
            late["id"],
            undated["id"],
        ]
        assert page["data"][0]["organization_id"] == two.isv.id
        assert page["data"][0]["company_name"] == soon["company"]["name"]
        assert page["data"][2]["due_at"] is None
        first = await one.hunter.read(PATH, params={"limit": 2})
        rest = await one.hunter.read(PATH, params={"limit": 2, "cursor": first["next_cursor"]})
        assert [*first["data"], *rest["data"]] == page["data"]
        assert rest["has_more"] is False

    async def test_what_was_left_and_what_is_anothers_are_not_in_it(self, world: World) -> None:
        place = await site(world)
        other = await world.staff("hunter", new=True)
        await source(place, other)
        left = (await place.found()).made
        theirs = (await place.found(other.client)).made
        await due(place, left, 1, "exited")
        assert (await place.hunter.read(PATH))["data"] == []
        [mine] = (await other.client.read(PATH))["data"]
        assert mine["candidate_id"] == theirs["id"]

    async def test_a_cursor_is_of_no_use_to_another_hunter(self, world: World) -> None:
        place = await site(world)
        other = await world.staff("hunter", new=True)
        await place.found()
        await place.found()
        cursor = (await place.hunter.read(PATH, params={"limit": 1}))["next_cursor"]
        answer = await other.client.get(PATH, params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")

    async def test_only_a_hunter_has_one(self, world: World) -> None:
        place = await site(world)
        for client in (place.lead, place.isv.client, world.admin):
            assert (await client.get(PATH)).status_code == 403

    async def test_a_hunter_who_becomes_a_lead_loses_it_at_once(self, world: World) -> None:
        place = await site(world)
        worked = await place.found()
        staff = place.hunter_staff
        answer = await world.admin.patch(f"/v1/staff/{staff.id}", {"role": "lead"}, version=1)
        assert answer.status_code == 200
        assert (await place.hunter.get(PATH)).status_code == 403
        assert (await place.hunter.get(worked.path)).status_code == 400
