"""Reviews: a push said later to have been left out."""

from datetime import timedelta
from typing import Any

from flatbed.app.qualifications.rules.terms import resumed_term
from tests.api.support import Client, World
from tests.qualifications.factory import CALENDAR, Qualified, instant, qualified


async def admit(one: Qualified, by: Client | None = None, hours: float = 30) -> dict[str, Any]:
    """A push of some hours before the qualification, said only now."""
    at = instant((await one.read())["qualified_at"]) - timedelta(hours=hours)
    by = by or one.site.hunter
    return await one.worked.touch("push", by=by, side="agency", occurred_at=at.isoformat())


async def reviews(one: Qualified) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await one.read())["reviews"]
    return rows


class TestOpening:
    async def test_a_push_said_later_opens_a_review(self, world: World) -> None:
        """A push said later to have been left out opens a review by an uninvolved lead."""
        one = await qualified(world)
        push = await admit(one)
        (review,) = await reviews(one)
        assert (review["status"], review["touchpoint_id"]) == ("open", push["id"])
        (event,) = await one.events("review.opened")
        assert event["qualification_id"] == one.id
        lead = await world.staff("lead")
        (card,) = (await lead.client.read("/v1/disputes", params={"kind": "review"}))["data"]
        assert (card["id"], card["state"], card["criterion"]) == (review["id"], "open", None)

    async def test_one_is_open_at_a_time(self, world: World) -> None:
        one = await qualified(world)
        await admit(one)
        await admit(one, hours=40)
        assert len(await reviews(one)) == 1

    async def test_a_push_after_the_qualification_opens_none(self, world: World) -> None:
        one = await qualified(world)
        await one.worked.push()
        assert not await reviews(one)

    async def test_an_answer_that_turns_out_to_be_a_push_opens_one(self, world: World) -> None:
        """An answer of ours that contains an unrequested ask is a push."""
        one = await qualified(world)
        listed = await one.site.isv.client.read(f"{one.worked.path}/touchpoints")
        answer = next(row for row in listed["data"] if row["class"] == "answer")
        path = f"{one.worked.path}/touchpoints/{answer['id']}/lowering"
        body = {"class": "push", "reason": "It also asked for a call."}
        made = await one.site.isv.client.post(path, body)
        assert made.status_code == 201, made.text
        (review,) = await reviews(one)
        assert review["touchpoint_id"] == answer["id"]

    async def test_without_a_live_qualification_nothing_opens(self, world: World) -> None:
        one = await qualified(world)
        await one.answered()
        await one.decide("voided")
        await admit(one)
        assert not await reviews(one)


class TestSilence:
    async def test_it_waits_for_the_decision_and_then_goes_on_for_what_was_left(
        self, world: World
    ) -> None:
        one = await qualified(world)
        await admit(one)
        before = await one.read()
        opened = instant(before["reviews"][0]["opened_at"])
        await one.site.advance(days=40)
        assert (await one.read())["status"] == "pending"
        assert not await one.events("qualification.acceptance_reminder")

        assert (await one.decide("confirmed")).status_code == 200

        after = await one.read()
        decided = instant(after["reviews"][0]["decided_at"])
        term = resumed_term(opened, decided, instant(before["accept_by"]), CALENDAR)
        assert (after["status"], instant(after["accept_by"])) == ("pending", term.accept_by)
        await one.until(term.accept_by)
        made = await one.read()
        assert (made["accepted_basis"], instant(made["accepted_at"])) == (
            "silence",
            term.accept_by,
        )
        events = await one.events("qualification.acceptance_reminder")
        assert [event["day"] for event in events] == [5, 8]

    async def test_the_isv_may_accept_meanwhile(self, world: World) -> None:
        one = await qualified(world)
        await admit(one)
        await one.site.advance(days=40)
        assert (await one.accept()).status_code == 200
        assert [row["status"] for row in await reviews(one)] == ["open"]


class TestDecision:
    async def test_an_uninvolved_lead_may_void(self, world: World) -> None:
        """Who may void."""
        one = await qualified(world)
        await admit(one)
        assert (await one.decide("voided")).json()["void_reason"] == "review"
        assert [row["status"] for row in await reviews(one)] == ["voided"]
        assert [line["state"] for line in await one.entries()] == ["cancelled"]
        assert (await one.worked.read())["stage"] == "business_planning"

    async def test_the_lead_who_said_it_does_not_decide_it(self, world: World) -> None:
        one = await qualified(world)
        await admit(one, by=one.site.lead)
        answer = await one.decide("confirmed")
        assert (answer.status_code, answer.json()["code"]) == (403, "decider-involved")
        other = await world.staff("lead", new=True)
        assert (await one.decide("confirmed", other.at(one.site.isv))).status_code == 200

    async def test_compliance_decides_where_every_lead_had_a_hand_in_it(self, world: World) -> None:
        one = await qualified(world)
        await admit(one, by=one.site.lead)
        compliance = (await world.staff("compliance")).at(one.site.isv)
        assert (await one.decide("voided", compliance)).status_code == 200

    async def test_an_accepted_unit_may_be_voided_and_is_counted_no_more(
        self, world: World
    ) -> None:
        one = await qualified(world, quantity=1)
        await one.accept()
        await admit(one)
        await one.decide("voided")
        campaign = await one.site.isv.client.read(one.site.path)
        assert (campaign["accepted_count"], campaign["status"]) == (0, "running")

    async def test_the_dispute_is_decided_first_and_a_void_ends_both(self, world: World) -> None:
        one = await qualified(world)
        await admit(one)
        await one.answered()
        made = (await one.decide("voided")).json()
        assert made["void_reason"] == "dispute"
        assert [row["status"] for row in made["reviews"]] == ["voided"]
        assert [row["status"] for row in made["disputes"]] == ["voided"]

    async def test_after_a_confirmed_dispute_the_review_still_waits(self, world: World) -> None:
        one = await qualified(world)
        await admit(one)
        await one.answered()
        await one.decide("confirmed")
        assert [row["status"] for row in await reviews(one)] == ["open"]
        assert (await one.decide("confirmed")).json()["status"] == "accepted"
        assert [row["status"] for row in await reviews(one)] == ["confirmed"]
