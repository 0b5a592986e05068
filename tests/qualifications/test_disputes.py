"""Disputes: opened, answered and decided, each within its clock."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest

from flatbed.app.campaigns.models import Exclusion
from flatbed.app.candidates.models import Candidate, Transition
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import encode, uuid7
from tests.api.support import World
from tests.candidates.factory import CALLER, site
from tests.qualifications.factory import (
    ANSWER,
    CALENDAR,
    DISPUTE,
    Qualified,
    instant,
    qualified,
    qualify,
    submit,
)
from tests.qualifications.stock import stock


async def cards(world: World, **params: Any) -> list[dict[str, Any]]:
    lead = await world.staff("lead")
    listed = await lead.client.read("/v1/disputes", params=params)
    rows: list[dict[str, Any]] = listed["data"]
    return rows


def refused(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


class TestOpen:
    async def test_it_holds_the_unit_and_stops_the_term(self, world: World) -> None:
        one = await qualified(world)
        made = await one.disputed()
        assert made["status"] == "open"
        assert instant(made["answer_by"]) == CALENDAR.end_of(5, instant(made["opened_at"]))
        stored = await one.read()
        assert (stored["status"], stored["disputes"]) == ("disputed", [made])
        assert [line["state"] for line in await one.entries()] == ["disputed"]
        due = {row.kind for row in await one.site.open_deadlines(one.worked.id)}
        assert due == {"dispute.answer"}

    async def test_the_agency_sees_it_over_all_isvs(self, world: World) -> None:
        one, two = await qualified(world), await qualified(world)
        first, second = await one.disputed(), await two.disputed()
        listed = await cards(world)
        assert [row["id"] for row in listed] == [first["id"], second["id"]]
        assert {row["organization_id"] for row in listed} == {one.site.isv.id, two.site.isv.id}
        assert listed[0]["qualification_id"] == one.id
        assert (listed[0]["kind"], listed[0]["state"]) == ("dispute", "open")
        only = await cards(world, organization_id=two.site.isv.id)
        assert [row["id"] for row in only] == [second["id"]]
        assert not await cards(world, state="answered")
        assert (await one.site.isv.client.get("/v1/disputes")).status_code == 403

    async def test_it_names_a_criterion_of_the_frozen_rubric(self, world: World) -> None:
        """A dispute names a criterion of the frozen rubric and brings evidence."""
        one = await qualified(world)
        answer = await one.dispute(criterion="qualified.sympathy")
        assert refused(answer) == (422, "invalid-request")
        assert answer.json()["errors"][0]["pointer"] == "/criterion"
        assert (await one.read())["status"] == "pending"

    @pytest.mark.parametrize(
        "evidence",
        [
            [],
            [{"kind": "touchpoint", "description": "That one."}],
            [{"kind": "already_known_proof", "description": "We know him."}],
            [{"kind": "rumour", "description": "One hears."}],
        ],
    )
    async def test_it_brings_evidence(self, world: World, evidence: list[Any]) -> None:
        one = await qualified(world)
        assert (await one.dispute(evidence=evidence)).status_code == 422

    async def test_a_touch_that_it_brings_is_one_of_this_candidate(self, world: World) -> None:
        one = await qualified(world)
        touch = {"kind": "touchpoint", "description": "A push.", "touchpoint_id": "touch_01"}
        touch["touchpoint_id"] = encode("touch", uuid7())
        answer = await one.dispute(evidence=[touch])
        assert refused(answer) == (422, "reference-not-found")
        listed = await one.site.isv.client.read(f"{one.worked.path}/touchpoints")
        touch["touchpoint_id"] = listed["data"][0]["id"]
        made = await one.dispute(evidence=[touch])
        assert made.json()["evidence"][0]["touchpoint_id"] == touch["touchpoint_id"]

    async def test_one_per_qualification_fraud_excepted(self, world: World) -> None:
        """A dispute (one per qualification, fraud excepted)."""
        one = await qualified(world)
        await one.answered()
        assert refused(await one.dispute()) == (409, "already-disputed")
        assert refused(await one.dispute(fraud=True)) == (409, "already-disputed")
        await one.decide("confirmed")
        assert refused(await one.dispute()) == (409, "already-disputed")
        assert (await one.dispute(fraud=True)).status_code == 201
        assert (await one.read())["status"] == "accepted"

    async def test_silence_does_not_accept_what_is_disputed(self, world: World) -> None:
        one = await qualified(world)
        term = instant((await one.read())["accept_by"])
        await one.site.advance(days=1)
        await one.answered()
        await one.until(term + timedelta(days=1))
        assert (await one.read())["status"] == "disputed"

    async def test_what_is_accepted_is_disputed_no_more(self, world: World) -> None:
        one = await qualified(world)
        await one.accept()
        assert refused(await one.dispute()) == (409, "qualification-state")

    async def test_of_acceptance_and_dispute_at_once_one_wins(self, world: World) -> None:
        place = await site(world, quantity=10)
        outcomes = []
        for worked in await stock(place, 4):
            one = await qualify(worked)
            accepted, disputed = await asyncio.gather(one.accept(), one.dispute())
            assert {accepted.status_code, disputed.status_code} in ({200, 409}, {201, 409})
            outcomes.append("accepted" if accepted.status_code == 200 else "disputed")
            assert (await one.read())["status"] == outcomes[-1]
        listed = await place.isv.client.read("/v1/usage")
        assert sorted(line["state"] for line in listed["data"]) == sorted(outcomes)


class TestAlreadyKnown:
    """It holds only with two-way contact in the 180 days before, or an exclusion before launch."""

    async def proof(self, one: Qualified, **days: int) -> dict[str, Any]:
        (row,) = await one.site.rows(Candidate, Candidate.id == one.worked.uuid)
        found: date = row.created_at.astimezone(CALENDAR.zone).date()
        contacts = [
            {"on": (found - timedelta(days=ago)).isoformat(), "direction": direction}
            for direction, ago in days.items()
        ]
        kind = "already_known_proof"
        evidence = [{"kind": kind, "description": "Our mails.", "contacts": contacts}]
        return {"criterion": "already_known", "evidence": evidence}

    async def test_two_way_contact_in_the_180_days_before_proves_it(self, world: World) -> None:
        """Two-way contact in the 180 days before."""
        one = await qualified(world)
        body = await self.proof(one, from_partner=180, to_partner=1)
        assert (await one.dispute(**body)).status_code == 201

    async def test_one_way_or_older_contact_does_not(self, world: World) -> None:
        one = await qualified(world)
        for days in ({"to_partner": 3}, {"from_partner": 181, "to_partner": 3}):
            body = await self.proof(one, **days)
            assert refused(await one.dispute(**body)) == (422, "already-known-unproven")
        assert refused(await one.dispute(criterion="already_known")) == (
            422,
            "already-known-unproven",
        )

    async def test_an_exclusion_made_before_launch_proves_it(self, world: World) -> None:
        """Or an exclusion made before launch."""
        place = await site(world)
        await place.advance(hours=1)
        early, late = await stock(place, 2)
        (row,) = await place.rows(Candidate, Candidate.id == early.uuid)
        company = (await early.read())["company"]
        one, two = await qualify(early), await qualify(late)
        # Written as of the day before the launch, when the site had no campaign yet.
        await exclude(place, company["domain"], place.now() - timedelta(days=1))
        assert row is not None
        assert (await one.dispute(criterion="already_known")).status_code == 201
        other = (await late.read())["company"]
        await exclude(place, other["domain"], place.now())
        assert refused(await two.dispute(criterion="already_known")) == (
            422,
            "already-known-unproven",
        )


async def exclude(place: Any, domain: str, at: Any) -> None:
    """An active exclusion of that instant."""
    world = place.world
    async with world.program.database.tenant(
        realm_id=world.realm_id,
        tenant_id=place.isv.tenant_id,
        caller=CALLER,
        clock=Clock().at(at),
    ) as session:
        session.add(
            Exclusion(
                tenant_id=place.isv.tenant_id,
                id=uuid7(),
                domain=domain,
                status="active",
                before_launch=True,
                metadata_={},
                created_at=at,
                updated_at=at,
            )
        )


class TestAnswer:
    async def test_the_agency_answers_within_five_business_days(self, world: World) -> None:
        """The agency answers within 5 business days."""
        one = await qualified(world)
        await one.disputed()
        answer = await one.answer()
        made = answer.json()
        assert (answer.status_code, made["status"]) == (200, "answered")
        assert instant(made["decide_by"]) == CALENDAR.end_of(5, instant(made["answered_at"]))
        (card,) = await cards(world, state="answered")
        assert card["due_at"] == made["decide_by"]
        due = {row.kind for row in await one.site.open_deadlines(one.worked.id)}
        assert due == {"dispute.decision"}
        (shown,) = (await one.read())["disputes"]
        assert shown["answer"] == {**ANSWER, "evidence": []}
        assert shown["answered_by"] is None

    async def test_unanswered_the_unit_is_voided(self, world: World) -> None:
        """Or the unit is voided."""
        one = await qualified(world)
        made = await one.disputed()
        await one.until(instant(made["answer_by"]) - timedelta(minutes=5))
        assert (await one.read())["status"] == "disputed"
        await one.until(instant(made["answer_by"]))
        stored = await one.read()
        assert (stored["status"], stored["void_reason"]) == ("voided", "unanswered")
        assert stored["voided_at"] == made["answer_by"]
        assert stored["disputes"][0]["status"] == "voided"
        assert [line["state"] for line in await one.entries()] == ["cancelled"]
        assert (await one.worked.read())["stage"] == "business_planning"
        assert [card["state"] for card in await cards(world)] == ["voided"]

    async def test_it_is_answered_once(self, world: World) -> None:
        one = await qualified(world)
        assert refused(await one.answer()) == (409, "dispute-state")
        await one.answered()
        assert refused(await one.answer()) == (409, "dispute-state")


class TestDecide:
    async def test_acceptance_dates_from_the_decision(self, world: World) -> None:
        """`confirmed` (acceptance dates from the decision)."""
        one = await qualified(world)
        await one.answered()
        await one.site.advance(days=1)
        answer = await one.decide("confirmed")
        assert answer.status_code == 200, answer.text
        made = await one.read()
        assert (made["status"], made["accepted_basis"]) == ("accepted", "decision")
        (dispute,) = made["disputes"]
        assert made["accepted_at"] == dispute["decided_at"] > dispute["answered_at"]
        assert (dispute["decision"], dispute["decided_by"]) == ("confirmed", None)
        assert [line["state"] for line in await one.entries()] == ["accepted"]
        assert (await one.site.isv.client.read(one.site.path))["accepted_count"] == 1
        assert not await one.site.open_deadlines(one.worked.id)

    async def test_a_voided_candidate_may_be_qualified_anew_as_the_next_generation(
        self, world: World
    ) -> None:
        """A voided candidate returns to `business_planning` and may be qualified anew."""
        one = await qualified(world)
        await one.answered()
        assert (await one.decide("voided")).json()["void_reason"] == "dispute"
        assert (await one.worked.read())["stage"] == "business_planning"
        again = await qualify(one.worked)
        made = await again.read()
        assert (made["generation"], made["status"]) == (2, "pending")
        assert sorted(line["state"] for line in await one.entries()) == ["cancelled", "pending"]
        listed = await one.site.isv.client.read(f"{one.worked.path}/qualifications")
        assert [row["generation"] for row in listed["data"]] == [1, 2]

    async def test_it_follows_an_answer(self, world: World) -> None:
        one = await qualified(world)
        assert refused(await one.decide("voided")) == (409, "dispute-state")
        await one.disputed()
        assert refused(await one.decide("voided")) == (409, "dispute-state")
        assert (await one.read())["status"] == "disputed"

    async def test_a_lead_who_audited_a_touch_does_not_decide(self, world: World) -> None:
        """A lead who audited no touch there decides."""
        one = await qualified(world)
        listed = await one.site.isv.client.read(f"{one.worked.path}/touchpoints")
        path = f"/v1/touchpoints/{listed['data'][0]['id']}/audit"
        await one.site.lead.made(path, {"class": "P2", "source_seen": "The mail itself."})
        await one.answered()
        assert refused(await one.decide("voided")) == (403, "decider-involved")
        other = await world.staff("lead", new=True)
        assert (await one.decide("voided", other.at(one.site.isv))).status_code == 200

    async def test_a_lead_who_gave_an_override_does_not_decide(self, world: World) -> None:
        """And gave no override there."""
        one = await qualified(world)
        await one.answered()
        now = one.site.now()
        async with world.program.database.tenant(
            realm_id=world.realm_id,
            tenant_id=one.site.isv.tenant_id,
            caller=CALLER,
            clock=Clock().at(now),
        ) as session:
            session.add(
                Transition(
                    tenant_id=one.site.isv.tenant_id,
                    id=uuid7(),
                    candidate_id=one.worked.uuid,
                    from_stage="targeted",
                    to_stage="targeted",
                    kind="exit",
                    reason="no_response",
                    override_reason="I know better.",
                    criteria=[],
                    rubric_version="2026-1",
                    actor=f"staff:{one.site.lead_staff.id}",
                    at=now,
                )
            )
        assert refused(await one.decide("confirmed")) == (403, "decider-involved")

    async def test_a_lead_who_submitted_it_does_not_decide(self, world: World) -> None:
        (worked,) = await stock(await site(world))
        made = await submit(worked, worked.site.lead)
        one = Qualified(worked, made.json()["id"])
        await one.answered()
        assert refused(await one.decide("confirmed")) == (403, "decider-involved")

    async def test_after_the_term_compliance_decides(self, world: World) -> None:
        """Decides within 5 more, else compliance does."""
        one = await qualified(world)
        made = await one.answered()
        compliance = (await world.staff("compliance")).at(one.site.isv)
        assert refused(await one.decide("voided", compliance)) == (409, "decision-not-due")
        await one.until(instant(made["decide_by"]))
        (event,) = await one.events("dispute.decision_overdue")
        assert event["qualification_id"] == one.id
        assert refused(await one.decide("voided")) == (409, "decision-overdue")
        assert (await one.decide("confirmed", compliance)).json()["status"] == "accepted"

    async def test_fraud_found_after_acceptance_voids_and_opens_the_campaign_again(
        self, world: World
    ) -> None:
        one = await qualified(world, quantity=1)
        await one.accept()
        await one.site.isv.client.made(f"{one.path}/disputes", {**DISPUTE, "fraud": True})
        assert [line["state"] for line in await one.entries()] == ["accepted"]
        await one.answer()
        assert (await one.decide("voided")).json()["void_reason"] == "fraud"
        campaign = await one.site.isv.client.read(one.site.path)
        assert (campaign["accepted_count"], campaign["status"]) == (0, "running")
        assert [line["state"] for line in await one.entries()] == ["cancelled"]

    async def test_fraud_not_found_leaves_the_acceptance_as_it_was(self, world: World) -> None:
        one = await qualified(world)
        before = (await one.accept()).json()
        await one.dispute(fraud=True)
        await one.answer()
        after = (await one.decide("confirmed")).json()
        assert (after["accepted_at"], after["accepted_basis"]) == (
            before["accepted_at"],
            "person",
        )
        assert (await one.site.isv.client.read(one.site.path))["accepted_count"] == 1

    async def test_another_isv_learns_nothing(self, world: World) -> None:
        one = await qualified(world)
        await one.answered()
        other = await world.isv()
        lead = one.site.lead_staff.at(other)
        body = {"decision": "voided", "reason": "Because."}
        assert (await lead.post(f"{one.path}/decision", body)).status_code == 404
        assert (await lead.post(f"{one.path}/answer", ANSWER)).status_code == 404
        assert (await other.client.post(f"{one.path}/disputes", DISPUTE)).status_code == 404
        assert (await other.client.get(one.path)).status_code == 404
