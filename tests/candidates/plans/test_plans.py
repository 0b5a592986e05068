"""Plans over HTTP: versions, authorship, and sources."""

import asyncio
from typing import Any

import pytest

from flatbed.app.candidates.rules.snapshot import PlanName
from tests.candidates.records_world import Client, Room, ago, code, missing, places, touch_body


def field(name: str = "resources", value: Any = "two consultants", **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "author": "hunter", **more}


async def plan(who: Client, *fields: dict[str, Any]) -> Any:
    return await who.post("plan", {"fields": list(fields)})


class TestCreatePlanVersion:
    async def test_versions_are_numbered_and_fields_carry_over(self, room: Room) -> None:
        """A plan is versioned, each field with its author and source."""
        target = field("revenue_target", 60_000_000)
        first = (await plan(room.hunter, target, field())).json()
        second = (await plan(room.hunter, field("start_date", "2026-06-01"))).json()
        third = (await plan(room.hunter, field(value=None))).json()
        assert [one["number"] for one in (first, second, third)] == [1, 2, 3]
        names = [one["name"] for one in second["fields"]]
        assert names == ["revenue_target", "resources", "start_date"]
        assert [one["name"] for one in third["fields"]] == ["revenue_target", "start_date"]
        assert third["currency"] == "EUR"
        answer = (await room.hunter.get("plan")).json()
        assert answer == {"latest": third, "history": [second, first]}
        assert (await room.isv.get("plan")).json()["latest"] == third | {"recorded_by": None}
        assert len(await room.trail("plan.version_recorded")) == 3

    async def test_a_plan_has_seven_fields(self, room: Room) -> None:
        """Revenue target, named resources, investment, start date and three more."""
        values = {
            "revenue_target": 60_000_000,
            "resources": "two consultants",
            "investment": 4_000_000,
            "start_date": "2026-06-01",
            "partner_margin": 300,
            "utilisation": 700,
            "recurring_share": 500,
        }
        made = await plan(room.hunter, *(field(name, value) for name, value in values.items()))
        assert made.status_code == 201, made.text
        assert {one["name"]: one["value"] for one in made.json()["fields"]} == values
        assert set(values) == set(PlanName)

    async def test_versions_at_the_same_moment_take_turns(self, room: Room) -> None:
        names = ("resources", "start_date", "revenue_target")
        values = ("two", "2026-06-01", 1)
        sent = [plan(room.hunter, field(*one)) for one in zip(names, values, strict=True)]
        answers = await asyncio.gather(*sent)
        assert sorted(answer.json()["number"] for answer in answers) == [1, 2, 3]
        latest = (await room.isv.get("plan")).json()["latest"]
        assert {one["name"] for one in latest["fields"]} == set(names)

    async def test_without_a_version_there_is_no_plan(self, room: Room) -> None:
        assert (await room.isv.get("plan")).json() == {"latest": None, "history": []}

    async def test_a_field_is_the_partners_with_an_inbound_touch_as_source(
        self, room: Room
    ) -> None:
        """A plan field counts as the partner's only with an inbound touch as its source."""
        touch = await room.hunter.touch("P2")
        written = field(author="partner", source_touchpoint_id=touch["id"])
        made = (await plan(room.hunter, written)).json()
        assert made["fields"] == [written]

    async def test_it_cannot_be_claimed_for_him_without_one(self, room: Room) -> None:
        """A plan field counts as the partner's only with an inbound touch as its source."""
        push = await room.hunter.touch("push", "agency", occurred_at=ago(hours=3))
        opened = await room.hunter.touch("P0")
        lowered = await room.hunter.touch("P2")
        body = {"class": "P0", "reason": "an auto-reply"}
        await room.isv.made(f"touchpoints/{lowered['id']}/lowering", body)
        for who in (room.hunter, room.isv):
            answer = await plan(who, field(author="partner"))
            place = "/fields/0/source_touchpoint_id"
            assert places(answer) == [(place, "source-required")]
            for touch in (push, opened, lowered):
                claimed = field(author="partner", source_touchpoint_id=touch["id"])
                assert places(await plan(who, claimed)) == [(place, "source-not-inbound")]
        assert (await room.isv.get("plan")).json()["latest"] is None

    async def test_a_foreign_source_answers_like_a_missing_one(self, room: Room) -> None:
        other = await room.another_candidate()
        foreign = await room.hunter.made("touchpoints", touch_body("P2"), candidate=other)
        answers = []
        for one in (foreign["id"], missing("touch")):
            answer = await plan(
                room.hunter,
                field(),
                field("investment", 1, author="partner", source_touchpoint_id=one),
            )
            assert places(answer) == [("/fields/1/source_touchpoint_id", "reference-not-found")]
            answers.append({k: v for k, v in answer.json().items() if k != "request_id"})
        assert answers[0] == answers[1]

    @pytest.mark.parametrize(
        ("who", "author"), [("hunter", "isv"), ("lead", "isv"), ("isv", "hunter")]
    )
    async def test_nobody_writes_in_anothers_name(self, room: Room, who: str, author: str) -> None:
        """Each field with its author (partner, hunter, ISV)."""
        answer = await plan(getattr(room, who), field(author=author))
        assert places(answer) == [("/fields/0/author", "author-does-not-fit")]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("revenue_target", "60 million"),
            ("revenue_target", -1),
            ("revenue_target", 1.5),
            ("revenue_target", True),
            ("partner_margin", 1001),
            ("start_date", "soon"),
            ("start_date", 20260601),
            ("resources", 2),
            ("charm", "much"),
        ],
    )
    async def test_a_value_that_does_not_fit_is_refused(
        self, room: Room, name: str, value: Any
    ) -> None:
        answer = await plan(room.hunter, field(name, value))
        assert answer.status_code == 422, answer.text
        assert (await room.isv.get("plan")).json()["latest"] is None

    async def test_a_version_has_a_field_once(self, room: Room) -> None:
        assert places(await plan(room.hunter, field(), field())) == [("/fields/1/name", "repeated")]

    async def test_a_stranger_finds_no_candidate(self, room: Room) -> None:
        other, _ = await room.foreign()
        assert code(await other.get("plan")) == (404, "not-found")
        assert code(await plan(other, field(author="isv"))) == (404, "not-found")
