"""The guarantee's clock as ISV and agency see it."""

from datetime import timedelta
from typing import Any

from flatbed.app.qualifications.guarantee.models import PartnerRequest
from flatbed.app.qualifications.guarantee.reading import guarantee as read_guarantee
from flatbed.app.qualifications.repository import find
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import decode, encode, uuid7
from tests.api.support import Client, World
from tests.candidates.factory import CALLER, site
from tests.qualifications.factory import CALENDAR, Qualified, instant, qualified
from tests.qualifications.guarantee.claims import accepted, report, withdrawn
from tests.qualifications.test_disputes import refused

DESCRIPTION = {"description": "The margin of resellers falls to 15 %."}


async def asked(one: Qualified) -> str:
    """A word of the partner; its id."""
    made = await one.worked.touch("P2", text="May we have the demo licences?")
    touch: str = made["id"]
    return touch


async def told(one: Qualified, touch: str, by: Client | None = None) -> Any:
    """The ISV is told that it is for it to answer."""
    path = f"{one.path}/partner-requests"
    return await (by or one.site.lead).post(path, {"touchpoint_id": touch})


async def answers(one: Qualified, touch: str) -> None:
    """The ISV answers."""
    await one.worked.touch("answer", by=one.site.isv.client, side="isv", in_reply_to=touch)


async def shown(one: Qualified) -> dict[str, Any]:
    found: dict[str, Any] = (await one.read())["guarantee"]
    return found


async def change_terms(one: Qualified, by: Client | None = None) -> dict[str, Any]:
    path = f"/v1/programmes/{one.site.campaign['programme_id']}/terms-changes"
    return await (by or one.site.isv.client).made(path, DESCRIPTION)


class TestShown:
    async def test_it_runs_from_the_acceptance_for_ninety_days(self, world: World) -> None:
        """Guarantee 90 days from acceptance."""
        (one,) = await accepted(await site(world))
        await one.site.advance(days=34)
        made = await one.read()
        since = instant(made["accepted_at"])
        guarantee = made["guarantee"]
        assert instant(guarantee["since"]) == since
        assert instant(guarantee["until"]) == since + timedelta(days=90)
        assert (guarantee["state"], guarantee["day"], guarantee["percent"]) == ("running", 35, 50)
        assert (guarantee["stops"], guarantee["stopped_seconds"]) == ([], 0)
        assert made["guarantee_case"] is None

    async def test_read_a_moment_before_the_acceptance_it_is_the_first_day(
        self, world: World
    ) -> None:
        """By a request that began before, or a process whose clock stands behind."""
        (one,) = await accepted(await site(world))
        since = instant((await one.read())["accepted_at"])
        async with world.program.database.tenant(
            realm_id=world.realm_id,
            tenant_id=one.site.isv.tenant_id,
            caller=CALLER,
            clock=Clock().at(since - timedelta(seconds=1)),
        ) as session:
            row = await find(session, decode("qual", one.id))
            assert row is not None
            found = await read_guarantee(session, row)
        assert found is not None
        assert (found.state, found.day, found.percent) == ("running", 1, 100)
        assert found.stopped_seconds == 0

    async def test_before_the_acceptance_and_after_a_void_there_is_none(self, world: World) -> None:
        one = await qualified(world)
        assert (await one.read())["guarantee"] is None
        await one.accept()
        assert (await shown(one))["state"] == "running"
        await one.dispute(fraud=True)
        await one.answer()
        await one.decide("voided")
        assert (await one.read())["guarantee"] is None


class TestStops:
    """The clock stops while the ISV leaves a partner request unanswered for more than 2 days."""

    async def test_an_unanswered_request_stops_it_and_the_answer_lets_it_run(
        self, world: World
    ) -> None:
        """The clock stops while the ISV leaves a partner request unanswered."""
        (one,) = await accepted(await site(world))
        touch = await asked(one)
        await one.site.advance(hours=3)
        answer = await told(one, touch)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        stop = instant(made["stops_clock_at"])
        assert stop == CALENDAR.end_of(2, instant(made["marked_at"]))
        (event,) = await one.events("partner_request.marked")
        assert event["touchpoint_id"] == touch
        await one.until(stop - timedelta(minutes=5))
        assert (await shown(one))["state"] == "running"
        await one.until(stop)
        guarantee = await shown(one)
        assert (guarantee["state"], guarantee["until"]) == ("stopped", None)
        await one.site.advance(days=4)
        assert (await shown(one))["day"] == guarantee["day"]
        assert refused(await report(one)) == (409, "not-guaranteed")
        await answers(one, touch)
        await one.site.advance(minutes=1)
        guarantee = await shown(one)
        (passed,) = guarantee["stops"]
        # It runs again. What it had answered late counts from the question on.
        assert guarantee["state"] == "running"
        gap = instant(passed["end"]) - instant(passed["start"])
        assert gap >= timedelta(days=4)
        assert abs(guarantee["stopped_seconds"] - gap.total_seconds()) < 1
        assert instant(guarantee["until"]) == instant(guarantee["since"]) + timedelta(days=90) + gap
        assert (await report(one)).status_code == 201

    async def test_an_answer_in_time_stops_nothing(self, world: World) -> None:
        (one,) = await accepted(await site(world))
        touch = await asked(one)
        await told(one, touch)
        await answers(one, touch)
        await one.site.advance(days=20)
        guarantee = await shown(one)
        assert (guarantee["state"], guarantee["stops"]) == ("running", [])

    async def test_nobody_is_late_with_what_he_was_not_told_of(self, world: World) -> None:
        (one,) = await accepted(await site(world))
        touch = await asked(one)
        await one.site.advance(days=20)
        assert (await shown(one))["state"] == "running"
        await told(one, touch)
        assert (await shown(one))["state"] == "running"
        assert (await report(one, at=one.site.now() - timedelta(days=5))).status_code == 201

    async def test_who_answers_at_once_when_he_is_told_was_never_late(self, world: World) -> None:
        (one,) = await accepted(await site(world))
        touch = await asked(one)
        await one.site.advance(days=20)
        left = one.site.now() - timedelta(days=5)
        await told(one, touch)
        await one.site.advance(hours=1)
        await answers(one, touch)
        await one.site.advance(hours=1)
        assert (await shown(one))["stops"] == []
        assert (await report(one, at=left)).status_code == 201

    async def test_told_after_the_answer_nothing_is_taken_back(self, world: World) -> None:
        (one,) = await accepted(await site(world))
        touch = await asked(one)
        await one.site.advance(days=20)
        await answers(one, touch)
        await one.site.advance(hours=1)
        before = (await shown(one))["stops"]
        await told(one, touch)
        assert (await shown(one))["stops"] == before != []

    async def test_a_late_answer_found_out_before_the_decision_counts(self, world: World) -> None:
        one = await withdrawn(world)
        (unit,) = await accepted(one.site)
        touch = await asked(unit)
        await unit.site.advance(days=10)
        answer = await report(unit)
        await answers(unit, touch)
        lead, path = unit.site.lead, f"/v1/guarantee-cases/{answer.json()['id']}/decision"
        confirm = {"decision": "confirmed", "reason": "He left."}
        stopped = await lead.post(path, confirm)
        assert (refused(stopped), stopped.json()["guarantee"]) == (
            (409, "not-guaranteed"),
            "stopped",
        )
        assert (await lead.post(path, {**confirm, "decision": "refused"})).status_code == 200

    async def test_told_twice_it_is_one_request(self, world: World) -> None:
        (one,) = await accepted(await site(world))
        touch = await asked(one)
        first = (await told(one, touch)).json()
        await one.site.advance(days=1)
        assert (await told(one, touch)).json() == first
        assert len(await one.site.rows(PartnerRequest)) == 1
        assert len(await one.events("partner_request.marked")) == 1

    async def test_only_a_word_of_this_partner_asks(self, world: World) -> None:
        place = await site(world)
        one, other = await accepted(place, 2)
        assert refused(await told(one, await asked(other))) == (422, "reference-not-found")
        nobody = encode("touch", uuid7())
        assert refused(await told(one, nobody)) == (422, "reference-not-found")
        push = await one.worked.push()
        assert refused(await told(one, push["id"])) == (422, "invalid-request")
        opened = await one.worked.touch("P0")
        assert refused(await told(one, opened["id"])) == (422, "invalid-request")

    async def test_only_a_lead_tells_the_isv_and_only_of_what_is_guaranteed(
        self, world: World
    ) -> None:
        one = await qualified(world)
        touch = await asked(one)
        assert refused(await told(one, touch)) == (409, "not-guaranteed")
        await one.accept()
        assert (await told(one, touch, one.site.isv.client)).status_code == 403
        other = one.site.lead_staff.at(await world.isv())
        assert (await told(one, touch, other)).status_code == 404


class TestTerms:
    async def test_it_ends_when_the_isv_changes_its_programme_terms(self, world: World) -> None:
        """And ends if the ISV changes its programme terms."""
        (one,) = await accepted(await site(world))
        await one.site.advance(days=10)
        changed = await change_terms(one)
        await one.site.advance(days=1)
        guarantee = await shown(one)
        assert (guarantee["state"], guarantee["until"]) == ("ended", changed["changed_at"])
        assert guarantee["terms_changed_at"] == changed["changed_at"]
        answer = await report(one)
        assert (refused(answer), answer.json()["guarantee"]) == ((409, "not-guaranteed"), "ended")
        before = instant(changed["changed_at"]) - timedelta(minutes=1)
        assert (await report(one, at=before)).status_code == 201

    async def test_what_is_accepted_later_is_guaranteed_anew(self, world: World) -> None:
        place = await site(world)
        (one,) = await accepted(place)
        await change_terms(one)
        (two,) = await accepted(place)
        await place.advance(days=1)
        assert (await shown(one))["state"] == "ended"
        assert (await shown(two))["state"] == "running"

    async def test_another_programme_is_not_concerned(self, world: World) -> None:
        place = await site(world)
        (one,) = await accepted(place)
        (two,) = await accepted(await site(world, isv=place.isv))
        await change_terms(two)
        assert (await shown(one))["state"] == "running"

    async def test_an_open_case_goes_on(self, world: World) -> None:
        one = await (await withdrawn(world)).confirmed()
        await change_terms(one.unit)
        assert await one.status() == "open"
