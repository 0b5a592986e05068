"""/v1/assignments: who works what."""

import asyncio
from typing import Any

import pytest

from tests.api.support import Client, Staff, World
from tests.candidates.factory import Site, site
from tests.registry.rooms import trail

PATH = "/v1/assignments"
NO_CANDIDATE = "cand_01h455vb4pex5vsknk084sn02q"
NO_CAMPAIGN = "camp_01h455vb4pex5vsknk084sn02q"
NO_STAFF = "staff_01h455vb4pex5vsknk084sn02q"


def sourcing(staff: Staff, campaign_id: str) -> dict[str, Any]:
    return {"kind": "sourcing", "staff_id": staff.id, "campaign_id": campaign_id}


def working(staff: Staff, candidate_id: str) -> dict[str, Any]:
    return {"kind": "candidate", "staff_id": staff.id, "candidate_id": candidate_id}


async def live(lead: Client, **filters: Any) -> list[dict[str, Any]]:
    page = await lead.read(PATH, params={"live": "true", **filters})
    return list(page["data"])


async def of_candidate(place: Site, candidate_id: str) -> dict[str, Any]:
    [found] = [one for one in await live(place.lead) if one["candidate_id"] == candidate_id]
    return found


class TestCreateAssignment:
    async def test_a_hunter_sources_for_a_campaign(self, world: World) -> None:
        place = await site(world)
        hunter = await world.staff("hunter", new=True)
        assert (await hunter.client.get(place.path)).status_code == 404
        answer = await place.lead.post(PATH, sourcing(hunter, place.campaign["id"]))
        made = answer.json()
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"{PATH}/{made['id']}"
        assert (made["kind"], made["staff_id"]) == ("sourcing", hunter.id)
        assert (made["organization_id"], made["campaign_id"]) == (
            place.isv.id,
            place.campaign["id"],
        )
        assert made["candidate_id"] is made["ended_at"] is None
        assert (await hunter.client.get(place.path)).status_code == 200
        [entry] = await trail(world, made["id"])
        assert entry.action == "assignment.created"
        assert entry.detail == {"kind": "sourcing", "staff_id": hunter.id}

    async def test_a_candidate_is_handed_to_another_hunter(self, world: World) -> None:
        """A hunter must never "see a candidate that is not assigned to them"."""
        place = await site(world)
        worked = await place.found()
        heir = await world.staff("hunter", new=True)
        before = await of_candidate(place, worked.id)
        refused = await place.lead.post(PATH, working(heir, worked.id))
        assert (refused.status_code, refused.json()["code"]) == (409, "already-assigned")
        assert (await worked.read())["hunter_id"] == place.hunter_staff.id
        await place.lead.made(f"{PATH}/{before['id']}/end")
        made = await place.lead.made(PATH, working(heir, worked.id))
        assert (made["kind"], made["candidate_id"]) == ("candidate", worked.id)
        assert made["campaign_id"] == place.campaign["id"]
        assert (await heir.client.read(worked.path))["hunter_id"] == heir.id
        assert (await place.hunter.get(worked.path)).status_code == 404
        assert await place.trail(worked.id) == ["candidate.created", "candidate.assigned"]

    async def test_of_two_at_once_one_is_made(self, world: World) -> None:
        place = await site(world)
        hunter = await world.staff("hunter", new=True)
        body = sourcing(hunter, place.campaign["id"])
        answers = await asyncio.gather(*(place.lead.post(PATH, body) for _ in range(3)))
        assert sorted(one.status_code for one in answers) == [201, 409, 409]
        codes = {one.json().get("code") for one in answers if one.status_code == 409}
        assert codes == {"already-assigned"}

    async def test_only_an_active_hunter_of_the_realm_is_assigned(self, world: World) -> None:
        place = await site(world)
        gone = await world.staff("hunter", new=True)
        left = await world.admin.patch(f"/v1/staff/{gone.id}", {"active": False}, version=1)
        assert left.status_code == 200
        for staff_id in (place.lead_staff.id, gone.id, NO_STAFF):
            body = {"kind": "sourcing", "staff_id": staff_id, "campaign_id": place.campaign["id"]}
            answer = await place.lead.post(PATH, body)
            assert (answer.status_code, answer.json()["code"]) == (422, "not-a-hunter")

    async def test_another_isvs_campaign_and_candidate_are_answered_as_missing_ones(
        self, world: World
    ) -> None:
        mine, theirs = await site(world), await site(world)
        worked = await theirs.found()
        hunter = await world.staff("hunter", new=True)
        pairs = [
            (sourcing(hunter, theirs.campaign["id"]), sourcing(hunter, NO_CAMPAIGN)),
            (working(hunter, worked.id), working(hunter, NO_CANDIDATE)),
        ]
        for foreign, missing in pairs:
            answers = [await mine.lead.post(PATH, body) for body in (foreign, missing)]
            assert [one.status_code for one in answers] == [422, 422]
            assert answers[0].json()["errors"] == answers[1].json()["errors"]
            assert answers[0].json()["errors"][0]["code"] == "reference-not-found"
        assert (await worked.read())["hunter_id"] == theirs.hunter_staff.id

    @pytest.mark.parametrize(
        "more",
        [
            {"kind": "sourcing"},
            {"kind": "candidate"},
            {"kind": "candidate", "campaign_id": NO_CAMPAIGN},
            {"kind": "sourcing", "campaign_id": NO_CAMPAIGN, "candidate_id": NO_CANDIDATE},
            {"kind": "other", "campaign_id": NO_CAMPAIGN},
            {"kind": "sourcing", "campaign_id": "camp_x"},
        ],
    )
    async def test_it_names_the_one_target_of_its_kind(
        self, world: World, more: dict[str, Any]
    ) -> None:
        isv, lead = await world.isv(), await world.staff("lead")
        answer = await lead.at(isv).post(PATH, {"staff_id": NO_STAFF, **more})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")

    async def test_neither_an_isv_nor_a_hunter_assigns(self, world: World) -> None:
        place = await site(world)
        body = sourcing(place.hunter_staff, place.campaign["id"])
        assert (await place.isv.client.post(PATH, body)).status_code == 403
        assert (await place.hunter.post(PATH, body)).status_code == 403


class TestListAssignments:
    async def test_they_come_over_all_isvs_and_narrow_by_hunter_isv_and_life(
        self, world: World
    ) -> None:
        one, two = await site(world), await site(world)
        worked = await one.found()
        mine = await of_candidate(one, worked.id)
        everything = await one.lead.read(PATH)
        assert len(everything["data"]) == 3
        starts = [row["started_at"] for row in everything["data"]]
        assert starts == sorted(starts)
        hunters = await one.lead.read(PATH, params={"staff_id": one.hunter_staff.id})
        assert {row["organization_id"] for row in hunters["data"]} == {one.isv.id}
        theirs = await one.lead.read(PATH, params={"organization_id": two.isv.id})
        assert [row["staff_id"] for row in theirs["data"]] == [two.hunter_staff.id]
        await one.lead.made(f"{PATH}/{mine['id']}/end")
        assert {row["kind"] for row in await live(one.lead)} == {"sourcing"}
        assert len((await one.lead.read(PATH))["data"]) == 3

    async def test_pages_follow_each_other(self, world: World) -> None:
        place = await site(world)
        await place.found()
        first = await place.lead.read(PATH, params={"limit": 1})
        second = await place.lead.read(PATH, params={"limit": 1, "cursor": first["next_cursor"]})
        kinds = [one["kind"] for one in (*first["data"], *second["data"])]
        assert kinds == ["sourcing", "candidate"]
        assert (first["has_more"], second["has_more"]) == (True, False)


class TestGetAssignment:
    async def test_another_realms_lead_finds_none(self, world: World, second: World) -> None:
        place = await site(world)
        worked = await place.found()
        mine = await of_candidate(place, worked.id)
        assert await place.lead.read(f"{PATH}/{mine['id']}") == mine
        stranger = await second.staff("lead")
        for method, path in (("GET", ""), ("POST", "/end")):
            answer = await stranger.client.request(method, f"{PATH}/{mine['id']}{path}")
            assert answer.status_code == 404
        assert (await of_candidate(place, worked.id))["ended_at"] is None


class TestEndAssignment:
    async def test_the_hunter_loses_sight_at_once(self, world: World) -> None:
        place = await site(world)
        worked = await place.found()
        mine = await of_candidate(place, worked.id)
        ended = await place.lead.made(f"{PATH}/{mine['id']}/end")
        assert ended["ended_at"] is not None
        assert (await place.hunter.get(worked.path)).status_code == 404
        assert (await place.hunter.read("/v1/me/queue"))["data"] == []
        assert [e.action for e in await trail(world, mine["id"])][-1] == "assignment.ended"

    async def test_it_ends_once(self, world: World) -> None:
        place = await site(world)
        [mine] = await live(place.lead)
        assert (await place.lead.post(f"{PATH}/{mine['id']}/end", key="k")).status_code == 200
        again = await place.lead.post(f"{PATH}/{mine['id']}/end")
        assert (again.status_code, again.json()["code"]) == (409, "assignment-ended")
        replayed = await place.lead.post(f"{PATH}/{mine['id']}/end", key="k")
        assert replayed.headers["idempotent-replayed"] == "true"

    async def test_without_his_sourcing_a_hunter_creates_nothing(self, world: World) -> None:
        place = await site(world)
        [mine] = await live(place.lead)
        await place.lead.made(f"{PATH}/{mine['id']}/end")
        body = {"company": {"name": "A", "domain": "a-1.example", "country": "DE"}, "source": "s"}
        assert (await place.hunter.post(f"{place.path}/candidates", body)).status_code == 404
