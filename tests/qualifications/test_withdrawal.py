"""A dispute that the ISV takes back."""

from datetime import timedelta
from typing import Any

import httpx

from tests.api.support import World
from tests.candidates.factory import site
from tests.qualifications.factory import CALENDAR, DISPUTE, Qualified, instant, qualified, qualify
from tests.qualifications.stock import stock
from tests.qualifications.test_disputes import cards, refused


async def withdraw(one: Qualified, **more: Any) -> httpx.Response:
    return await one.site.isv.client.post(f"{one.path}/dispute/withdrawal", **more)


async def push(one: Qualified) -> None:
    """A push of before the submission, said only now: a review."""
    at = one.site.now() - timedelta(days=2, hours=1)
    await one.worked.push(occurred_at=at.isoformat())


class TestWithdraw:
    async def test_the_unit_waits_for_the_isv_again(self, world: World) -> None:
        """The ISV may withdraw it."""
        one = await qualified(world)
        before = await one.read()
        await one.disputed()
        answer = await withdraw(one)
        assert answer.status_code == 200, answer.text
        made = answer.json()
        assert (made["status"], made["accept_by"]) == ("pending", before["accept_by"])
        (dispute,) = made["disputes"]
        assert (dispute["status"], dispute["decision"]) == ("withdrawn", None)
        assert dispute["withdrawn_by"] == f"client:{one.site.isv.client.client_id}"
        assert [line["state"] for line in await one.entries()] == ["pending"]
        assert [card["state"] for card in await cards(world)] == ["withdrawn"]
        (event,) = await one.events("dispute.withdrawn")
        assert event["accept_by"] == made["accept_by"].replace("Z", "+00:00")
        due = {row.kind for row in await one.site.open_deadlines(one.worked.id)}
        assert due == {
            "qualification.acceptance",
            "qualification.reminder_5",
            "qualification.reminder_8",
        }

    async def test_the_term_goes_on_where_it_stood(self, world: World) -> None:
        one = await qualified(world)
        term = instant((await one.read())["accept_by"])
        await one.site.advance(days=4)
        left = CALENDAR.left(instant((await one.disputed())["opened_at"]), term)
        await one.site.lead.made(f"{one.path}/answer", {"statement": "They were answers."})
        await one.site.advance(days=5)
        made = (await withdraw(one)).json()
        withdrawn_at = instant(made["disputes"][0]["withdrawn_at"])
        assert instant(made["accept_by"]) == CALENDAR.end_of(left, withdrawn_at) > term
        await one.until(instant(made["accept_by"]) - timedelta(minutes=5))
        assert (await one.read())["status"] == "pending"
        await one.until(instant(made["accept_by"]))
        made = await one.read()
        assert (made["status"], made["accepted_basis"]) == ("accepted", "silence")

    async def test_at_least_two_business_days_are_left(self, world: World) -> None:
        one = await qualified(world)
        term = instant((await one.read())["accept_by"])
        await one.until(term - timedelta(hours=1))
        await one.disputed()
        made = (await withdraw(one)).json()
        at = instant(made["disputes"][0]["withdrawn_at"])
        assert instant(made["accept_by"]) == CALENDAR.end_of(2, at)

    async def test_a_second_one_is_not_opened_fraud_excepted(self, world: World) -> None:
        one = await qualified(world)
        await one.disputed()
        await withdraw(one)
        assert refused(await one.dispute()) == (409, "already-disputed")
        assert (await one.dispute(fraud=True)).status_code == 201
        assert (await one.read())["status"] == "disputed"
        await withdraw(one)
        assert refused(await one.dispute(fraud=True)) == (409, "already-disputed")
        assert (await one.accept()).json()["status"] == "accepted"

    async def test_the_agency_owes_no_answer_any_more(self, world: World) -> None:
        one = await qualified(world)
        made = await one.disputed()
        await withdraw(one)
        assert refused(await one.answer()) == (409, "dispute-state")
        assert refused(await one.decide("voided")) == (409, "dispute-state")
        await one.until(instant(made["answer_by"]))
        assert (await one.read())["status"] == "pending"

    async def test_only_one_that_waits_is_withdrawn_and_once(self, world: World) -> None:
        one = await qualified(world)
        assert refused(await withdraw(one)) == (409, "dispute-state")
        await one.answered()
        assert (await withdraw(one, version=9)).status_code == 412
        assert (await withdraw(one)).status_code == 200
        assert refused(await withdraw(one)) == (409, "dispute-state")

    async def test_a_decided_one_stays_decided(self, world: World) -> None:
        one = await qualified(world)
        await one.answered()
        await one.decide("confirmed")
        assert refused(await withdraw(one)) == (409, "dispute-state")

    async def test_an_accusation_is_withdrawn_from_a_unit_that_stays_accepted(
        self, world: World
    ) -> None:
        one = await qualified(world)
        before = (await one.accept()).json()
        await one.dispute(fraud=True)
        made = (await withdraw(one)).json()
        assert (made["status"], made["accepted_at"]) == ("accepted", before["accepted_at"])
        assert [line["state"] for line in await one.entries()] == ["accepted"]
        assert not await one.site.open_deadlines(one.worked.id)

    async def test_a_review_that_is_open_still_holds_silence_up(self, world: World) -> None:
        one = await qualified(world)
        await one.site.advance(days=1)
        await one.disputed()
        await push(one)
        await one.site.lead.made(f"{one.path}/answer", {"statement": "They were answers."})
        await one.site.advance(days=5)
        made = (await withdraw(one)).json()
        assert made["reviews"][0]["status"] == "open"
        assert not await one.site.open_deadlines(one.worked.id)
        left = CALENDAR.left(
            instant(made["disputes"][0]["withdrawn_at"]), instant(made["accept_by"])
        )
        await one.site.advance(days=30)
        decided = (await one.decide("confirmed")).json()
        at = instant(decided["reviews"][0]["decided_at"])
        assert instant(decided["accept_by"]) == CALENDAR.end_of(left, at)

    async def test_what_was_left_when_a_review_stopped_the_term_is_left(self, world: World) -> None:
        one = await qualified(world)
        term = instant((await one.read())["accept_by"])
        await push(one)
        left = CALENDAR.left(one.site.now(), term)
        await one.site.advance(days=5)
        await one.disputed()
        made = (await withdraw(one)).json()
        at = instant(made["disputes"][0]["withdrawn_at"])
        assert instant(made["accept_by"]) == CALENDAR.end_of(left, at)

    async def test_another_isv_learns_nothing(self, world: World) -> None:
        one = await qualified(world)
        await one.disputed()
        other = await world.isv()
        path = f"{one.path}/dispute/withdrawal"
        assert (await other.client.post(path)).status_code == 404
        assert (await one.site.lead.post(path)).status_code == 403

    async def test_it_is_replayed_under_its_key(self, world: World) -> None:
        (worked,) = await stock(await site(world))
        one = await qualify(worked)
        await one.site.isv.client.made(f"{one.path}/disputes", DISPUTE)
        first, again = await withdraw(one, key="a"), await withdraw(one, key="a")
        assert first.json() == again.json()
        assert len(await one.events("dispute.withdrawn")) == 1
