"""Offerings and programmes."""

from datetime import timedelta

import pytest

from flatbed.tenants.access.principal import Role
from tests.campaigns.world import World, missing

BODY = {"name": "Ledger Cloud", "programmes": [{"code": "dach", "countries": ["DE", "AT"]}]}


class TestCreateOffering:
    async def test_it_comes_with_its_programmes_and_an_etag(self, world: World) -> None:
        answer = await world.isv.post("/v1/offerings", BODY)
        made = answer.json()
        assert answer.status_code == 201
        assert answer.headers["etag"] == '"1"'
        assert answer.headers["location"] == f"/v1/offerings/{made['id']}"
        assert made["programmes"][0]["countries"] == ["AT", "DE"]
        assert await world.isv.read(f"/v1/offerings/{made['id']}") == made

    async def test_a_country_is_in_one_programme_only(self, world: World) -> None:
        more = {"code": "alps", "countries": ["AT"]}
        answer = await world.isv.post(
            "/v1/offerings", {**BODY, "programmes": [*BODY["programmes"], more]}
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "programme-overlap")
        assert (await world.isv.read("/v1/offerings"))["data"] == []

    async def test_the_same_key_makes_one_offering(self, world: World) -> None:
        first = await world.isv.post("/v1/offerings", BODY, key="k")
        second = await world.isv.post("/v1/offerings", BODY, key="k")
        assert second.json() == first.json()
        assert second.headers["idempotent-replayed"] == "true"
        assert len((await world.isv.read("/v1/offerings"))["data"]) == 1

    async def test_a_programme_without_a_country_is_refused(self, world: World) -> None:
        body = {"name": "x", "programmes": [{"code": "none", "countries": []}]}
        answer = await world.isv.post("/v1/offerings", body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/programmes/0/countries"

    async def test_a_hunter_may_not(self, world: World) -> None:
        answer = await world.client(Role.HUNTER).post("/v1/offerings", BODY)
        assert answer.status_code == 403


class TestListOfferings:
    async def test_pages_hold_each_offering_once_in_the_order_of_change(self, world: World) -> None:
        made = []
        for number in range(3):
            made.append((await world.offering(name=f"o{number}"))["id"])
            await world.pass_time(seconds=1)
        seen, cursor = [], None
        while True:
            page = await world.isv.read(
                "/v1/offerings", limit=2, **({"cursor": cursor} if cursor else {})
            )
            seen += [row["id"] for row in page["data"]]
            cursor = page["next_cursor"]
            if not page["has_more"]:
                break
        assert seen == made

    async def test_another_isv_sees_none_of_them(self, world: World) -> None:
        await world.offering()
        other = await world.other_isv()
        assert (await other.read("/v1/offerings"))["data"] == []

    async def test_an_external_ref_finds_its_offering(self, world: World) -> None:
        await world.offering()
        wanted = await world.offering(external_ref="crm-7")
        page = await world.isv.read("/v1/offerings", external_ref="crm-7")
        assert [row["id"] for row in page["data"]] == [wanted["id"]]


class TestGetOffering:
    async def test_a_foreign_offering_answers_like_a_missing_one(self, world: World) -> None:
        offering = await world.offering()
        other = await world.other_isv()
        foreign = await other.get(f"/v1/offerings/{offering['id']}")
        nothing = await other.get(f"/v1/offerings/{missing('off')}")
        malformed = await other.get("/v1/offerings/off_1")
        bodies = [a.json() | {"request_id": ""} for a in (foreign, nothing, malformed)]
        assert foreign.status_code == 404
        assert bodies[0] == bodies[1] == bodies[2]


class TestUpdateOffering:
    async def test_only_what_is_named_changes(self, world: World) -> None:
        made = await world.offering(category="ERP")
        path = f"/v1/offerings/{made['id']}"
        world.ports.clock = world.ports.clock.at(world.ports.clock.now() + timedelta(hours=1))
        answer = await world.isv.patch(path, {"name": "New"})
        assert answer.headers["etag"] == '"2"'
        changed = answer.json()
        assert changed.pop("updated_at") > made.pop("updated_at")
        assert changed == made | {"name": "New"}

    async def test_a_programme_may_be_added_and_takes_no_held_country(self, world: World) -> None:
        made = await world.offering()
        path = f"/v1/offerings/{made['id']}"
        held = {"add_programmes": [{"code": "de", "countries": ["DE"]}]}
        free = {"add_programmes": [{"code": "nordics", "countries": ["DK", "SE"]}]}
        assert (await world.isv.patch(path, held)).json()["code"] == "programme-overlap"
        codes = [p["code"] for p in (await world.isv.patch(path, free)).json()["programmes"]]
        assert codes == ["dach", "benelux", "nordics"]

    @pytest.mark.parametrize("field", ["name", "metadata", "archived"])
    async def test_what_must_have_a_value_cannot_be_null(self, world: World, field: str) -> None:
        path = f"/v1/offerings/{(await world.offering())['id']}"
        answer = await world.isv.patch(path, {field: None})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"/{field}"

    async def test_a_stale_version_is_refused(self, world: World) -> None:
        path = f"/v1/offerings/{(await world.offering())['id']}"
        await world.isv.patch(path, {"name": "a"}, etag='"1"')
        assert (await world.isv.patch(path, {"name": "b"}, etag='"1"')).status_code == 412
        assert (await world.isv.read(path))["name"] == "a"

    async def test_without_a_version_it_is_refused(self, world: World) -> None:
        path = f"/v1/offerings/{(await world.offering())['id']}"
        assert (await world.isv.send("PATCH", path, {"name": "b"})).status_code == 428

    async def test_a_foreign_offering_is_missing(self, world: World) -> None:
        path = f"/v1/offerings/{(await world.offering())['id']}"
        other = await world.other_isv()
        assert (await other.patch(path, {"name": "b"}, etag='"1"')).status_code == 404

    async def test_an_archived_offering_takes_no_profile(self, world: World) -> None:
        offering = await world.offering()
        await world.isv.patch(f"/v1/offerings/{offering['id']}", {"archived": True})
        body = {"offering_id": offering["id"], "name": "p"}
        answer = await world.isv.post("/v1/profiles", body)
        assert (answer.status_code, answer.json()["code"]) == (409, "offering-archived")
