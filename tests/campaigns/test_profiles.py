"""Ideal partner profiles and their versions."""

from typing import Any

import pytest

from flatbed.app.campaigns.method import SIX_CS
from flatbed.app.campaigns.profiles.criteria import from_store, six_cs
from flatbed.tenants.access.principal import Role
from tests.campaigns.world import CRITERIA, World, missing

SIZE: dict[str, Any] = {"key": "size", "attribute": "employees", "operator": "gte", "value": 20}
FAME: dict[str, Any] = {"key": "fame", "judged": True, "question": "Known?", "weight": 1}


class TestCreateProfile:
    async def test_it_starts_with_version_one(self, world: World) -> None:
        offering = await world.offering()
        body = {"offering_id": offering["id"], "name": "Mid-size", **CRITERIA}
        answer = await world.isv.post("/v1/profiles", body)
        made = answer.json()
        assert answer.status_code == 201
        assert answer.headers["location"] == f"/v1/profiles/{made['id']}"
        assert made["current"]["number"] == 1
        assert made["current"]["hard"] == [{**SIZE, "judged": False, "question": None}]
        assert made["current"]["soft"][0]["weight"] == 2.5
        assert await world.isv.read(f"/v1/profiles/{made['id']}") == made

    async def test_without_soft_criteria_the_six_cs_are_written_down(self, world: World) -> None:
        offering = await world.offering()
        made = await world.profile(offering, soft=[])
        keys = [one["key"] for one in made["current"]["soft"]]
        assert keys == [one.key for one in SIX_CS]
        assert from_store(six_cs()) == SIX_CS

    async def test_the_same_key_makes_one_profile(self, world: World) -> None:
        body = {"offering_id": (await world.offering())["id"], "name": "p", **CRITERIA}
        first = await world.isv.post("/v1/profiles", body, key="k")
        second = await world.isv.post("/v1/profiles", body, key="k")
        assert second.json() == first.json()
        assert len((await world.isv.read("/v1/profiles"))["data"]) == 1

    async def test_an_offering_of_another_isv_answers_like_a_missing_one(
        self, world: World
    ) -> None:
        foreign = (await world.offering())["id"]
        other = await world.other_isv()
        answers = [
            await other.post("/v1/profiles", {"offering_id": id_, "name": "p"})
            for id_ in (foreign, missing("off"))
        ]
        assert [a.status_code for a in answers] == [404, 404]
        assert answers[0].json() | {"request_id": ""} == answers[1].json() | {"request_id": ""}

    @pytest.mark.parametrize(
        ("hard", "soft", "pointer"),
        [
            ([SIZE, SIZE], [FAME], ""),
            ([{**SIZE, "key": "fame"}], [FAME], ""),
            ([{**SIZE, "key": "coverage"}], [], ""),
            ([{**SIZE, "operator": "about"}], [], "/hard/0/operator"),
            ([{**SIZE, "value": "many"}], [], "/hard/0"),
            ([{**SIZE, "operator": "between", "value": [9, 1]}], [], "/hard/0"),
            ([{**SIZE, "operator": "in", "value": []}], [], "/hard/0"),
            ([{**SIZE, "value": {"a": 1}}], [], "/hard/0/value"),
            ([{**SIZE, "value": 10**400}], [], "/hard/0/value"),
            ([{**SIZE, "value": "x" * 501}], [], "/hard/0/value"),
            ([{**SIZE, "operator": "in", "value": [["a"]]}], [], "/hard/0/value"),
            ([{"key": "size"}], [], "/hard/0"),
            ([{**SIZE, "weight": 3}], [], "/hard/0/weight"),
            ([{"key": "fame", "judged": True}], [], "/hard/0"),
            ([{**SIZE, "judged": True, "question": "?"}], [], "/hard/0"),
            ([{**SIZE, "question": "?"}], [], "/hard/0"),
            ([], [{**FAME, "weight": 0}], "/soft/0/weight"),
            ([], [{**FAME, "floor": 1, "target": 2}], "/soft/0"),
            ([], [{**SIZE, "weight": 1, "floor": 1}], "/soft/0"),
            ([], [{**SIZE, "weight": 1, "floor": 1, "target": 1}], "/soft/0"),
            ([{**SIZE, "key": "No Key"}], [], "/hard/0/key"),
        ],
    )
    async def test_a_criterion_that_could_not_be_evaluated_is_refused(
        self, world: World, hard: list[Any], soft: list[Any], pointer: str
    ) -> None:
        offering = await world.offering()
        body = {"offering_id": offering["id"], "name": "p", "hard": hard, "soft": soft}
        answer = await world.isv.post("/v1/profiles", body)
        assert answer.status_code == 422, answer.text
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    async def test_a_numeric_soft_criterion_may_be_scaled(self, world: World) -> None:
        scaled = {**SIZE, "weight": 3, "floor": 20, "target": 200}
        made = await world.profile(await world.offering(), hard=[], soft=[scaled])
        (criterion,) = from_store(made["current"]["soft"])
        assert (criterion.floor, criterion.target, criterion.weight) == (20, 200, 3)


class TestListProfiles:
    async def test_they_are_found_by_offering(self, world: World) -> None:
        first, second = await world.offering(), await world.offering()
        await world.profile(first)
        wanted = await world.profile(second)
        page = await world.isv.read("/v1/profiles", offering_id=second["id"])
        assert page["data"] == [wanted]
        assert page["has_more"] is False

    async def test_another_isv_sees_none_of_them(self, world: World) -> None:
        await world.profile(await world.offering())
        other = await world.other_isv()
        assert (await other.read("/v1/profiles"))["data"] == []

    async def test_a_cursor_of_another_list_is_refused(self, world: World) -> None:
        offering = await world.offering()
        for _ in range(2):
            await world.profile(offering)
        cursor = (await world.isv.read("/v1/profiles", limit=1))["next_cursor"]
        answer = await world.isv.get("/v1/profiles", cursor=cursor, offering_id=offering["id"])
        assert answer.json()["code"] == "invalid-cursor"


class TestGetProfile:
    async def test_a_foreign_profile_answers_like_a_missing_one(self, world: World) -> None:
        profile = await world.profile(await world.offering())
        other = await world.other_isv()
        foreign = await other.get(f"/v1/profiles/{profile['id']}")
        nothing = await other.get(f"/v1/profiles/{missing('ipp')}")
        assert foreign.status_code == 404
        assert foreign.json() | {"request_id": ""} == nothing.json() | {"request_id": ""}

    async def test_a_hunter_reads_it_through_the_campaign_only(self, world: World) -> None:
        profile = await world.profile(await world.offering())
        answer = await world.client(Role.HUNTER).get(f"/v1/profiles/{profile['id']}")
        assert answer.status_code == 403


class TestUpdateProfile:
    async def test_the_criteria_stay(self, world: World) -> None:
        profile = await world.profile(await world.offering())
        path = f"/v1/profiles/{profile['id']}"
        changed = (await world.isv.patch(path, {"name": "Large", "metadata": {"a": 1}})).json()
        assert (changed["name"], changed["metadata"]) == ("Large", {"a": 1})
        assert changed["current"] == profile["current"]
        assert (await world.isv.patch(path, {"hard": []})).status_code == 422

    async def test_a_stale_version_is_refused(self, world: World) -> None:
        path = f"/v1/profiles/{(await world.profile(await world.offering()))['id']}"
        await world.isv.patch(path, {"name": "a"})
        assert (await world.isv.patch(path, {"name": "b"}, etag='"1"')).status_code == 412

    async def test_without_a_version_it_is_refused(self, world: World) -> None:
        path = f"/v1/profiles/{(await world.profile(await world.offering()))['id']}"
        assert (await world.isv.send("PATCH", path, {"name": "b"})).status_code == 428

    async def test_a_foreign_profile_is_missing(self, world: World) -> None:
        path = f"/v1/profiles/{(await world.profile(await world.offering()))['id']}"
        other = await world.other_isv()
        assert (await other.patch(path, {"name": "b"}, etag='"1"')).status_code == 404


class TestCreateProfileVersion:
    async def test_the_next_number_is_current_and_the_old_one_is_kept(self, world: World) -> None:
        profile = await world.profile(await world.offering())
        path = f"/v1/profiles/{profile['id']}"
        made = await world.isv.made(f"{path}/versions", {"soft": [FAME]})
        assert (made["number"], made["hard"]) == (2, [])
        assert (await world.isv.read(path))["current"] == made
        kept = await world.isv.read(f"{path}/versions")
        assert kept["data"] == [profile["current"], made]

    async def test_the_same_key_makes_one_version(self, world: World) -> None:
        path = f"/v1/profiles/{(await world.profile(await world.offering()))['id']}/versions"
        for _ in range(2):
            assert (await world.isv.post(path, {}, key="k")).json()["number"] == 2

    async def test_a_stale_version_is_refused_where_one_is_named(self, world: World) -> None:
        path = f"/v1/profiles/{(await world.profile(await world.offering()))['id']}/versions"
        await world.isv.made(path, {})
        assert (await world.isv.post(path, {}, etag='"1"')).status_code == 412

    async def test_a_foreign_profile_is_missing(self, world: World) -> None:
        path = f"/v1/profiles/{(await world.profile(await world.offering()))['id']}/versions"
        other = await world.other_isv()
        assert (await other.post(path, {})).status_code == 404
        assert (await other.get(path)).status_code == 404


class TestListProfileVersions:
    async def test_pages_hold_each_version_once_oldest_first(self, world: World) -> None:
        path = f"/v1/profiles/{(await world.profile(await world.offering()))['id']}/versions"
        for _ in range(2):
            await world.isv.made(path, {})
        first = await world.isv.read(path, limit=2)
        rest = await world.isv.read(path, limit=2, cursor=first["next_cursor"])
        assert [row["number"] for row in first["data"] + rest["data"]] == [1, 2, 3]
        assert rest["next_cursor"] is None
