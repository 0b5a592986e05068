"""A withdrawal is reported, and an uninvolved lead finds that it is so."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.support import World
from tests.candidates.factory import site
from tests.qualifications.factory import instant, qualified
from tests.qualifications.guarantee.claims import (
    NOT_FOUND,
    PROOF,
    Claim,
    accepted,
    campaign_of,
    claim,
    confirmed,
    report,
    withdrawn,
)
from tests.qualifications.test_disputes import cards, refused


class TestReport:
    async def test_the_isv_reports_it_with_evidence(self, world: World) -> None:
        (one,) = await accepted(await site(world))
        await one.site.advance(days=3)
        answer = await report(one)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert (made["status"], made["cause"], made["day"]) == ("reported", "withdrawal", None)
        assert made["evidence"] == [{**PROOF, "touchpoint_id": None}]
        assert made["reported_by"] == f"client:{one.site.isv.client.client_id}"
        stored = await one.site.isv.client.get(answer.headers["location"])
        assert stored.json() == made
        assert (await one.read())["guarantee_case"] == made
        (card,) = await cards(world, kind="guarantee")
        assert (card["id"], card["state"], card["due_at"]) == (
            made["id"],
            "open",
            made["reported_at"],
        )
        (event,) = await one.events("guarantee_case.reported")
        assert event["qualification_id"] == one.id
        assert (await campaign_of(one))["accepted_count"] == 1

    async def test_a_lead_reports_it_too_and_the_isv_is_not_told_who(self, world: World) -> None:
        (one,) = await accepted(await site(world))
        answer = await report(one, one.site.lead)
        assert answer.json()["reported_by"] == f"staff:{one.site.lead_staff.id}"
        stored = await one.site.isv.client.read(answer.headers["location"])
        assert stored["reported_by"] is None

    async def test_nobody_withdraws_tomorrow(self, world: World) -> None:
        (one,) = await accepted(await site(world))
        at = one.site.now() + timedelta(hours=1)
        assert refused(await report(one, at=at)) == (422, "invalid-request")

    async def test_what_is_not_accepted_is_not_guaranteed(self, world: World) -> None:
        one = await qualified(world)
        answer = await report(one)
        assert refused(answer) == (409, "not-guaranteed")
        assert answer.json()["guarantee"] == "none"

    async def test_before_the_acceptance_nothing_is_guaranteed(self, world: World) -> None:
        (one,) = await accepted(await site(world))
        at = instant((await one.read())["accepted_at"]) - timedelta(seconds=1)
        answer = await report(one, at=at)
        assert (refused(answer), answer.json()["guarantee"]) == (
            (409, "not-guaranteed"),
            "not_begun",
        )

    async def test_after_ninety_days_nothing_is_guaranteed(self, world: World) -> None:
        """Guarantee 90 days from acceptance."""
        (one,) = await accepted(await site(world))
        await one.site.advance(days=90)
        answer = await report(one)
        assert (refused(answer), answer.json()["guarantee"]) == ((409, "not-guaranteed"), "over")
        shown = (await one.read())["guarantee"]
        assert (shown["state"], shown["day"], shown["percent"]) == ("over", None, None)
        # It is the day of the withdrawal that counts, not that of the report.
        at = instant(shown["until"]) - timedelta(seconds=1)
        assert (await report(one, at=at)).status_code == 201

    async def test_it_is_reported_once_unless_it_was_refused(self, world: World) -> None:
        one = await withdrawn(world)
        again = await report(one.unit)
        assert refused(again) == (409, "guarantee-case-exists")
        assert again.json()["guarantee_case_id"] == one.id
        assert (await one.decide(body=NOT_FOUND)).json()["status"] == "refused"
        other = await claim(one.unit)
        assert other.id != one.id
        assert (await other.confirmed()).id == other.id

    @pytest.mark.parametrize(
        "evidence",
        [
            [],
            [{"kind": "touchpoint", "description": "A mail."}],
            [{"kind": "document", "description": "d", "touchpoint_id": "touch_0"}],
        ],
    )
    async def test_it_brings_evidence(self, world: World, evidence: list[Any]) -> None:
        (one,) = await accepted(await site(world))
        body = {"withdrew_at": one.site.now().isoformat(), "reason": "r", "evidence": evidence}
        path = f"{one.path}/guarantee-cases"
        assert (await one.site.isv.client.post(path, body)).status_code == 422

    async def test_another_partners_word_proves_nothing(self, world: World) -> None:
        one, other = await accepted(await site(world), 2)
        touch = (await other.worked.touch("P2", text="We leave."))["id"]
        proof = {"kind": "touchpoint", "description": "He says so.", "touchpoint_id": touch}
        body = {"withdrew_at": one.site.now().isoformat(), "reason": "r", "evidence": [proof]}
        for unit, wanted in ((one, (422, "reference-not-found")), (other, (201, None))):
            answer = await unit.site.isv.client.post(f"{unit.path}/guarantee-cases", body)
            assert refused(answer) == wanted

    async def test_another_isv_learns_nothing(self, world: World) -> None:
        one = await withdrawn(world)
        other = await world.isv()
        assert (await other.client.get(one.path)).status_code == 404
        assert (await report(one.unit, other.client)).status_code == 404
        assert not (await other.client.read("/v1/guarantee-cases"))["data"]
        lead = one.site.lead_staff.at(other)
        assert (await one.decide(lead)).status_code == 404


class TestDecide:
    async def test_a_confirmed_withdrawal_freezes_the_day_and_owes_a_replacement(
        self, world: World
    ) -> None:
        one = await withdrawn(world, days=40)
        at = instant((await one.read())["withdrew_at"])
        await one.site.advance(days=30)
        made = (await one.decide()).json()
        accepted_at = instant((await one.unit.read())["accepted_at"])
        assert (made["status"], made["percent"]) == ("open", 50)
        assert made["day"] == (at - accepted_at).days + 1
        assert instant(made["replace_by"]) == instant(made["decided_at"]) + timedelta(days=90)
        (card,) = await cards(world, kind="guarantee")
        assert card["state"] == "confirmed"
        (due,) = await one.site.open_deadlines(one.unit.worked.id)
        assert (due.kind, due.due_at) == ("guarantee.remedy", instant(made["replace_by"]))
        assert [line["state"] for line in await one.unit.entries()] == ["accepted"]

    async def test_the_campaign_it_had_filled_runs_again(self, world: World) -> None:
        one = await withdrawn(world, quantity=1)
        assert (await campaign_of(one.unit))["status"] == "filled"
        await one.confirmed()
        campaign = await campaign_of(one.unit)
        assert (campaign["accepted_count"], campaign["status"]) == (0, "running")

    async def test_a_refused_one_owes_nothing(self, world: World) -> None:
        one = await withdrawn(world, quantity=1)
        made = (await one.decide(body=NOT_FOUND)).json()
        assert (made["status"], made["day"], made["replace_by"]) == ("refused", None, None)
        assert made["decision_reason"] == NOT_FOUND["reason"]
        assert (await campaign_of(one.unit))["status"] == "filled"
        assert not await one.site.open_deadlines(one.unit.worked.id)
        assert [card["state"] for card in await cards(world, kind="guarantee")] == ["refused"]

    async def test_it_is_decided_once(self, world: World) -> None:
        one = await confirmed(world)
        assert refused(await one.decide()) == (409, "guarantee-case-state")
        assert (await one.decide(body=NOT_FOUND)).status_code == 409
        assert (await campaign_of(one.unit))["accepted_count"] == 0

    async def test_who_reported_it_does_not_confirm_it(self, world: World) -> None:
        (unit,) = await accepted(await site(world))
        answer = await report(unit, unit.site.lead)
        one = Claim(unit, answer.json()["id"])
        assert refused(await one.decide()) == (403, "decider-involved")
        other = await world.staff("lead", new=True)
        assert (await one.decide(other.at(unit.site.isv))).status_code == 200

    async def test_a_lead_who_audited_a_touch_does_not_confirm_it(self, world: World) -> None:
        one = await withdrawn(world)
        listed = await one.site.isv.client.read(f"{one.unit.worked.path}/touchpoints")
        path = f"/v1/touchpoints/{listed['data'][0]['id']}/audit"
        await one.site.lead.made(path, {"class": "P2", "source_seen": "The mail itself."})
        assert refused(await one.decide()) == (403, "decider-involved")
        compliance = (await world.staff("compliance")).at(one.site.isv)
        assert (await one.decide(compliance)).status_code == 200

    async def test_a_lead_who_marked_a_request_of_the_partner_does_not_confirm_it(
        self, world: World
    ) -> None:
        """What he marked may have stopped the clock that he would judge by."""
        one = await withdrawn(world)
        listed = await one.site.isv.client.read(f"{one.unit.worked.path}/touchpoints")
        touch = next(row for row in listed["data"] if row["side"] == "partner")
        await one.site.lead.made(
            f"{one.unit.path}/partner-requests", {"touchpoint_id": touch["id"]}
        )
        assert refused(await one.decide()) == (403, "decider-involved")
        other = await world.staff("lead", new=True)
        assert (await one.decide(other.at(one.site.isv))).status_code == 200

    async def test_the_isv_does_not_decide(self, world: World) -> None:
        one = await withdrawn(world)
        assert (await one.decide(one.site.isv.client)).status_code == 403

    async def test_a_stale_version_is_refused(self, world: World) -> None:
        one = await withdrawn(world)
        path = f"{one.path}/decision"
        body = {"decision": "confirmed", "reason": "r"}
        assert (await one.site.lead.post(path, body, version=7)).status_code == 412
        assert (await one.site.lead.post(path, body, version=1)).status_code == 200


class TestLists:
    async def test_cases_are_filtered_by_status_campaign_and_change(self, world: World) -> None:
        place = await site(world)
        units = await accepted(place, 2)
        first, second = [await claim(one) for one in units]
        await place.advance(hours=1)
        between = place.now().isoformat()
        await place.advance(hours=1)
        await first.confirmed()

        async def ids(**params: str) -> list[str]:
            listed = await place.isv.client.read("/v1/guarantee-cases", params=params)
            return [row["id"] for row in listed["data"]]

        assert await ids() == [second.id, first.id]
        assert await ids(status="open") == [first.id]
        assert await ids(updated_after=between) == [first.id]
        assert await ids(campaign_id=place.campaign["id"]) == [second.id, first.id]
        assert await place.lead.read("/v1/guarantee-cases")
        page = await place.isv.client.read("/v1/guarantee-cases", params={"limit": 1})
        params = {"limit": 1, "cursor": page["next_cursor"]}
        rest = await place.isv.client.read("/v1/guarantee-cases", params=params)
        assert [row["id"] for row in rest["data"]] == [first.id]


class TestContested:
    """What is held against the unit comes first."""

    async def test_a_void_for_fraud_ends_the_case(self, world: World) -> None:
        one = await confirmed(world)
        assert (await one.unit.dispute(fraud=True)).status_code == 201
        assert await one.status() == "held"
        await one.unit.answer()
        await one.unit.decide("voided")
        assert await one.status() == "cancelled"
        campaign = await campaign_of(one.unit)
        assert (campaign["accepted_count"], campaign["status"]) == (0, "running")
        assert not await one.site.open_deadlines(one.unit.worked.id)

    async def test_a_void_ends_a_report_that_nobody_has_decided(self, world: World) -> None:
        one = await withdrawn(world)
        await one.unit.dispute(fraud=True)
        await one.unit.answer()
        await one.unit.decide("voided")
        assert await one.status() == "cancelled"
        assert (await campaign_of(one.unit))["accepted_count"] == 0
        assert [card["state"] for card in await cards(world, kind="guarantee")] == ["voided"]
        assert refused(await one.decide()) == (409, "guarantee-case-state")

    @pytest.mark.parametrize("ends", ["confirmed", "withdrawn"])
    async def test_without_fraud_the_case_goes_on(self, world: World, ends: str) -> None:
        one = await confirmed(world)
        await one.unit.dispute(fraud=True)
        if ends == "confirmed":
            await one.unit.answer()
            await one.unit.decide("confirmed")
        else:
            path = f"{one.unit.path}/dispute/withdrawal"
            await one.site.isv.client.made(path)
        assert await one.status() == "open"

    async def test_a_withdrawal_that_is_confirmed_during_a_dispute_waits_for_it(
        self, world: World
    ) -> None:
        one = await withdrawn(world)
        await one.unit.dispute(fraud=True)
        assert (await one.decide()).json()["status"] == "held"
        await one.unit.answer()
        await one.unit.decide("confirmed")
        assert await one.status() == "open"
        assert (await campaign_of(one.unit))["accepted_count"] == 0
