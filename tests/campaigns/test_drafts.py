"""Campaigns before and beside their order: create, read, list, change, brief."""

from typing import Any

import pytest

from flatbed.tenants.access.principal import Role
from tests.campaigns.world import World, campaign_body, missing


class TestCreateCampaign:
    async def test_a_draft_freezes_nothing(self, world: World) -> None:
        offering = await world.offering()
        profile = await world.profile(offering)
        caps = {"units_total": 2, "money_month": 900_000}
        answer = await world.isv.post(
            "/v1/campaigns", campaign_body(offering, profile, caps=caps, external_ref="c-1")
        )
        made = answer.json()
        assert answer.status_code == 201
        assert answer.headers["location"] == f"/v1/campaigns/{made['id']}"
        frozen = ("profile_version_id", "price_list_id", "unit_price", "rubric", "ordered_at")
        assert [made[name] for name in frozen] == [None] * 5
        assert (made["status"], made["currency"]) == ("draft", "EUR")
        assert made["programme_id"] == offering["programmes"][0]["id"]
        assert made["caps"] == {
            "units_total": 2,
            "units_month": None,
            "money_total": None,
            "money_month": 900_000,
        }
        assert (made["fit_floor"], made["revenue_floor"], made["shared_partners"]) == (
            60,
            0,
            "deny",
        )

    async def test_the_same_key_makes_one_campaign(self, world: World) -> None:
        offering = await world.offering()
        body = campaign_body(offering, await world.profile(offering))
        first = await world.isv.post("/v1/campaigns", body, key="k")
        second = await world.isv.post("/v1/campaigns", body, key="k")
        assert second.json() == first.json()
        assert len((await world.isv.read("/v1/campaigns"))["data"]) == 1

    async def test_the_programme_is_one_of_the_offering(self, world: World) -> None:
        offering = await world.offering()
        body = campaign_body(offering, await world.profile(offering), programme="moon")
        answer = await world.isv.post("/v1/campaigns", body)
        assert answer.json()["errors"][0]["code"] == "unknown-programme"

    async def test_the_profile_is_one_of_the_offering(self, world: World) -> None:
        body = campaign_body(await world.offering(), await world.profile(await world.offering()))
        answer = await world.isv.post("/v1/campaigns", body)
        assert answer.json()["errors"][0]["pointer"] == "/profile_id"

    @pytest.mark.parametrize("field", ["offering_id", "profile_id"])
    async def test_a_foreign_reference_answers_like_a_missing_one(
        self, world: World, field: str
    ) -> None:
        theirs = await world.offering()
        foreign = {"offering_id": theirs["id"], "profile_id": (await world.profile(theirs))["id"]}
        nothing = {"offering_id": missing("off"), "profile_id": missing("ipp")}
        other = await world.other_isv()
        offering = await world.offering(other)
        profile = await world.profile(offering, other)
        answers = [
            await other.post(
                "/v1/campaigns", {**campaign_body(offering, profile), field: ids[field]}
            )
            for ids in (foreign, nothing)
        ]
        assert [a.status_code for a in answers] == [404, 404]
        assert answers[0].json() | {"request_id": ""} == answers[1].json() | {"request_id": ""}

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("quantity", 0),
            ("quantity", 10**30),
            ("fit_floor", 101),
            ("revenue_floor", -1),
            ("revenue_floor", 1.5),
            ("caps", {"units_total": -1}),
            ("caps", {"units": 1}),
            ("shared_partners", "maybe"),
            ("status", "running"),
            ("unit_price", 1),
        ],
    )
    async def test_values_out_of_range_and_unknown_members_are_refused(
        self, world: World, field: str, value: Any
    ) -> None:
        offering = await world.offering()
        body = campaign_body(offering, await world.profile(offering), **{field: value})
        assert (await world.isv.post("/v1/campaigns", body)).status_code == 422

    @pytest.mark.parametrize("role", [Role.LEAD, Role.HUNTER, Role.AGENCY_CLIENT, Role.ADMIN])
    async def test_only_the_isv_drafts_one(self, world: World, role: Role) -> None:
        offering = await world.offering()
        body = campaign_body(offering, await world.profile(offering))
        assert (await world.client(role).post("/v1/campaigns", body)).status_code == 403


class TestListCampaigns:
    async def test_they_are_found_by_status_and_offering(self, world: World) -> None:
        draft = await world.draft()
        running = await world.campaign("running")
        by_status = await world.lead.read("/v1/campaigns", status="running")
        by_offering = await world.isv.read("/v1/campaigns", offering_id=draft["offering_id"])
        assert [row["id"] for row in by_status["data"]] == [running["id"]]
        assert by_offering["data"] == [draft]

    async def test_another_isv_sees_none_of_them(self, world: World) -> None:
        await world.draft()
        other = await world.other_isv()
        assert (await other.read("/v1/campaigns"))["data"] == []

    async def test_a_hunter_does_not_list(self, world: World) -> None:
        assert (await world.client(Role.HUNTER).get("/v1/campaigns")).status_code == 403


class TestGetCampaign:
    async def test_a_hunter_who_sources_for_it_sees_no_money(self, world: World) -> None:
        campaign = await world.campaign("running", caps={"units_total": 2})
        seen = await world.hunter(campaign).read(f"/v1/campaigns/{campaign['id']}")
        hidden = {"price_list_id": None, "unit_price": None, "price_tiers": None, "caps": None}
        assert seen == campaign | hidden
        assert campaign["unit_price"] == 450_000

    async def test_a_hunter_without_an_assignment_finds_nothing(self, world: World) -> None:
        campaign = await world.campaign("running")
        answer = await world.client(Role.HUNTER).get(f"/v1/campaigns/{campaign['id']}")
        assert answer.status_code == 404

    async def test_a_foreign_campaign_answers_like_a_missing_one(self, world: World) -> None:
        campaign = await world.draft()
        other = await world.other_isv()
        foreign = await other.get(f"/v1/campaigns/{campaign['id']}")
        nothing = await other.get(f"/v1/campaigns/{missing('camp')}")
        assert foreign.status_code == 404
        assert foreign.json() | {"request_id": ""} == nothing.json() | {"request_id": ""}


class TestGetCampaignBrief:
    async def test_it_says_what_a_hunter_needs_and_nothing_of_money(self, world: World) -> None:
        campaign = await world.campaign("running", revenue_floor=100_000, metadata={"budget": 1})
        seen = await world.hunter(campaign).read(f"/v1/campaigns/{campaign['id']}/brief")
        assert seen["programme"]["countries"] == ["AT", "CH", "DE"]
        assert seen["offering"]["name"] == "Ledger Cloud"
        assert seen["profile"]["hard"][0]["key"] == "size"
        assert seen["revenue_floor"] == 100_000
        assert not {"unit_price", "price_list_id", "caps", "metadata", "external_ref"} & set(seen)

    async def test_it_shows_the_frozen_version_of_the_profile(self, world: World) -> None:
        campaign = await world.campaign("ordered")
        await world.isv.made(f"/v1/profiles/{campaign['profile_id']}/versions", {})
        brief = await world.lead.read(f"/v1/campaigns/{campaign['id']}/brief")
        assert brief["profile"]["id"] == campaign["profile_version_id"]

    async def test_a_draft_shows_the_current_version(self, world: World) -> None:
        draft = await world.draft()
        await world.isv.made(f"/v1/profiles/{draft['profile_id']}/versions", {})
        brief = await world.isv.read(f"/v1/campaigns/{draft['id']}/brief")
        assert brief["profile"]["number"] == 2

    async def test_a_foreign_campaign_is_missing(self, world: World) -> None:
        campaign = await world.draft()
        other = await world.other_isv()
        assert (await other.get(f"/v1/campaigns/{campaign['id']}/brief")).status_code == 404


LOOSE = {"name": "x", "continue_after_fill": True, "external_ref": "e", "metadata": {"a": 1}}
FROZEN: dict[str, Any] = {
    "quantity": 9,
    "fit_floor": 70,
    "revenue_floor": 5,
    "shared_partners": "allow",
    "programme": "benelux",
}


class TestUpdateCampaign:
    async def test_everything_changes_in_a_draft(self, world: World) -> None:
        draft = await world.draft()
        answer = await world.isv.patch(f"/v1/campaigns/{draft['id']}", LOOSE | FROZEN)
        changed = answer.json()
        for field, value in (LOOSE | FROZEN).items():
            if field != "programme":
                assert changed[field] == value
        assert changed["programme_id"] != draft["programme_id"]
        assert answer.headers["etag"] == '"2"'

    @pytest.mark.parametrize("field", FROZEN)
    async def test_what_was_ordered_is_frozen(self, world: World, field: str) -> None:
        campaign = await world.campaign("ordered")
        path = f"/v1/campaigns/{campaign['id']}"
        answer = await world.isv.patch(path, {field: FROZEN[field]})
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "campaign-state")
        assert (problem["state"], problem["fields"]) == ("ordered", [field])
        assert await world.isv.read(path) == campaign

    @pytest.mark.parametrize("state", ["draft", "ordered", "running", "paused"])
    async def test_caps_change_while_it_lives_and_those_left_out_stay(
        self, world: World, state: str
    ) -> None:
        campaign = await world.campaign(state, caps={"units_total": 2, "units_month": 1})
        path = f"/v1/campaigns/{campaign['id']}"
        changed = (await world.isv.patch(path, {"caps": {"units_month": None}})).json()
        assert changed["caps"]["units_total"] == 2
        assert changed["caps"]["units_month"] is None

    @pytest.mark.parametrize("state", ["closed", "cancelled"])
    async def test_caps_of_an_ended_one_stay_and_its_name_may_change(
        self, world: World, state: str
    ) -> None:
        path = f"/v1/campaigns/{(await world.campaign(state))['id']}"
        refused = await world.isv.patch(path, {"caps": {"units_total": 1}})
        assert refused.json()["code"] == "campaign-state"
        assert (await world.isv.patch(path, LOOSE)).status_code == 200

    async def test_a_stale_version_is_refused(self, world: World) -> None:
        path = f"/v1/campaigns/{(await world.draft())['id']}"
        await world.isv.patch(path, {"name": "a"})
        assert (await world.isv.patch(path, {"name": "b"}, etag='"1"')).status_code == 412

    async def test_without_a_version_it_is_refused(self, world: World) -> None:
        path = f"/v1/campaigns/{(await world.draft())['id']}"
        assert (await world.isv.send("PATCH", path, {"name": "b"})).status_code == 428

    async def test_a_foreign_campaign_is_missing(self, world: World) -> None:
        path = f"/v1/campaigns/{(await world.draft())['id']}"
        other = await world.other_isv()
        assert (await other.patch(path, {"name": "b"}, etag='"1"')).status_code == 404

    async def test_null_is_no_name(self, world: World) -> None:
        path = f"/v1/campaigns/{(await world.draft())['id']}"
        assert (await world.isv.patch(path, {"name": None})).status_code == 422
