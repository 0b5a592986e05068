"""Evidence over HTTP: each kind rests on rows of its candidate, a lead confirms it once."""

from typing import Any

import pytest

from flatbed.tenants.access.principal import Role
from tests.candidates.records_world import NOW, Room, ago, code, missing, places, touch_body

FACT = {
    "statement": "It grows.",
    "source_kind": "press",
    "provenance": "tenant",
    "observed_on": "2026-03-10",
}


class Parts:
    """Rows that evidence may name."""

    contact: str
    fact: str
    inbound: str
    outbound: str


async def parts(room: Room, candidate: str | None = None) -> Parts:
    found = Parts()
    who, at = room.hunter, {"candidate": candidate}
    found.contact = (await who.made("contacts", {"name": "Ada", "c_level": True}, **at))["id"]
    found.fact = (await who.made("facts", FACT, **at))["id"]
    inbound = touch_body("P2", contact_id=found.contact)
    found.inbound = (await who.made("touchpoints", inbound, **at))["id"]
    outbound = touch_body("push", "agency", occurred_at=ago(hours=3))
    found.outbound = (await who.made("touchpoints", outbound, **at))["id"]
    plan = {"fields": [{"name": "resources", "value": "two", "author": "hunter"}]}
    await who.made("plan", plan, **at)
    return found


def bodies(p: Parts) -> dict[str, dict[str, Any]]:
    """One body of each kind."""
    said = {"touchpoint_id": p.inbound, "contact_id": p.contact, "statement": "We want it."}
    return {
        "outreach_delivered": {"touchpoint_id": p.outbound, "fact_ids": [p.fact]},
        "reply": {"touchpoint_id": p.inbound},
        "interest_statement": said,
        "meeting_held": {"occurred_at": ago(hours=2), "partner_attendees": [p.contact]},
        "decision_statement": said | {"role": "managing director"},
        "plan_version": {"plan_number": 1},
        "agreement": {"plan_number": 1, "signed_on": "2026-03-10"},
        "business_action": {
            "touchpoint_id": p.inbound,
            "occurred_at": ago(hours=1),
            "description": "It sold the first licence.",
        },
        "already_known_proof": {"occurred_at": ago(days=90), "description": "A mail thread."},
        "document": {"title": "Minutes", "occurred_at": ago(days=1)},
    }


KINDS = list(bodies(type("P", (Parts,), dict.fromkeys(Parts.__annotations__, ""))()))


class TestCreateEvidence:
    async def test_every_kind_is_kept_with_what_it_needs(self, room: Room) -> None:
        """Evidence kinds: `outreach_delivered` … `document`."""
        wanted = bodies(await parts(room))
        made = {
            kind: await room.hunter.made("evidence", {"kind": kind} | body)
            for kind, body in wanted.items()
        }
        for kind, body in wanted.items():
            given = {name: value for name, value in body.items() if name != "occurred_at"}
            assert made[kind] | given == made[kind]
        listed = await room.isv.listed("evidence")
        assert {one["id"] for one in listed} == {one["id"] for one in made.values()}
        assert len(await room.trail("evidence.recorded")) == len(KINDS) == 10
        assert "licence" not in str(
            [audit.detail for audit, _ in await room.trail("evidence.recorded")]
        )

    async def test_what_a_touch_carries_is_dated_by_it(self, room: Room) -> None:
        wanted = bodies(await parts(room))
        for kind, at in (
            ("outreach_delivered", "2026-03-11T07:00:00Z"),
            ("reply", "2026-03-11T09:00:00Z"),
            ("interest_statement", "2026-03-11T09:00:00Z"),
            ("decision_statement", "2026-03-11T09:00:00Z"),
            ("plan_version", "2026-03-11T10:00:00Z"),
            ("agreement", "2026-03-09T23:00:00Z"),
        ):
            made = await room.hunter.made("evidence", {"kind": kind} | wanted[kind])
            assert made["occurred_at"] == at, kind

    @pytest.mark.parametrize("kind", KINDS)
    async def test_a_kind_without_what_it_needs_is_refused(self, room: Room, kind: str) -> None:
        answer = await room.hunter.post("evidence", {"kind": kind})
        assert answer.status_code == 422
        answer = await room.hunter.post("evidence", {"kind": "rumour"})
        assert answer.status_code == 422

    async def test_provenance_is_never_sent_by_the_caller(self, room: Room) -> None:
        """Provenance is never sent by the caller."""
        body = {"kind": "document", "title": "Minutes", "occurred_at": ago(days=1)}
        answer = await room.hunter.post("evidence", body | {"provenance": "system"})
        assert answer.status_code == 422
        for who, said in (
            (room.hunter, "attested"),
            (room.isv, "attested"),
            (room.integration, "system"),
        ):
            assert (await who.made("evidence", body))["provenance"] == said

    @pytest.mark.parametrize(
        ("kind", "field", "part"),
        [
            ("outreach_delivered", "touchpoint_id", "outbound"),
            ("outreach_delivered", "fact_ids", "fact"),
            ("reply", "touchpoint_id", "inbound"),
            ("interest_statement", "contact_id", "contact"),
            ("interest_statement", "touchpoint_id", "inbound"),
            ("meeting_held", "partner_attendees", "contact"),
            ("business_action", "touchpoint_id", "inbound"),
        ],
    )
    async def test_a_foreign_id_answers_exactly_like_a_missing_one(
        self, room: Room, kind: str, field: str, part: str
    ) -> None:
        own = bodies(await parts(room))[kind]
        foreign = getattr(await parts(room, await room.another_candidate()), part)
        answers = []
        for one in (foreign, missing(foreign.partition("_")[0])):
            many = isinstance(own[field], list)
            body = {"kind": kind} | own | {field: [one] if many else one}
            answer = await room.hunter.post("evidence", body)
            pointer = f"/{field}/0" if many else f"/{field}"
            assert places(answer) == [(pointer, "reference-not-found")]
            answers.append({k: v for k, v in answer.json().items() if k != "request_id"})
        assert answers[0] == answers[1]

    async def test_a_statement_is_the_partners_and_of_who_wrote_it(self, room: Room) -> None:
        """Verbatim interest statement by the partner; written partner statement, role, date."""
        found = await parts(room)
        wanted = bodies(found)
        other = (await room.hunter.made("contacts", {"name": "Bo"}))["id"]
        for kind in ("interest_statement", "decision_statement", "reply", "business_action"):
            body = {"kind": kind} | wanted[kind] | {"touchpoint_id": found.outbound}
            answer = await room.hunter.post("evidence", body)
            assert places(answer) == [("/touchpoint_id", "not-a-partner-touch")]
        for kind in ("interest_statement", "decision_statement"):
            body = {"kind": kind} | wanted[kind] | {"contact_id": other}
            answer = await room.hunter.post("evidence", body)
            assert places(answer) == [("/contact_id", "contact-differs")]
        body = {"kind": "outreach_delivered", "touchpoint_id": found.inbound}
        answer = await room.hunter.post("evidence", body)
        assert places(answer) == [("/touchpoint_id", "not-outbound")]

    async def test_a_plan_that_does_not_exist_and_a_day_to_come_are_refused(
        self, room: Room
    ) -> None:
        wanted = bodies(await parts(room))
        body = {"kind": "agreement"} | wanted["agreement"]
        answer = await room.hunter.post("evidence", body | {"plan_number": 2})
        assert places(answer) == [("/plan_number", "reference-not-found")]
        answer = await room.hunter.post("evidence", body | {"signed_on": "2026-03-12"})
        assert places(answer) == [("/signed_on", "in-the-future")]
        meeting = {"kind": "meeting_held"} | wanted["meeting_held"]
        answer = await room.hunter.post("evidence", meeting | {"occurred_at": ago(hours=-1)})
        assert places(answer) == [("/occurred_at", "in-the-future")]


class TestConfirmEvidence:
    async def test_a_lead_confirms_it_once(self, room: Room) -> None:
        """`outreach_delivered` evidence that a lead confirmed. Was delivered and answered."""
        found = await parts(room)
        body = {"kind": "outreach_delivered", "touchpoint_id": found.outbound}
        made = await room.hunter.made("evidence", body)
        assert made["confirmation"] is None
        path = f"evidence/{made['id']}/confirmation"
        seen = await room.lead.made(path, {"note": "Seen in the mailbox."})
        assert seen["confirmation"]["actor"] == room.lead.principal.actor
        again = await room.client(Role.LEAD).post(path, {})
        assert code(again) == (409, "evidence-confirmed")
        assert await room.lead.listed("evidence") == [seen]
        (shown,) = await room.isv.listed("evidence")
        assert (shown["recorded_by"], shown["confirmation"]["actor"]) == (None, None)
        assert len(await room.trail("evidence.confirmed")) == 1
        assert (await room.row()).updated_at == NOW

    async def test_nobody_confirms_what_he_works_or_recorded(self, room: Room) -> None:
        """A lead who is not this candidate's hunter."""
        found = await parts(room)
        own = await room.lead.touch("push", "agency")
        body = {"kind": "outreach_delivered", "touchpoint_id": found.outbound}
        by_hunter = await room.hunter.made("evidence", body)
        by_lead = await room.lead.made("evidence", body)
        on_his_touch = await room.hunter.made("evidence", body | {"touchpoint_id": own["id"]})
        for one in (by_lead, on_his_touch):
            answer = await room.lead.post(f"evidence/{one['id']}/confirmation", {})
            assert code(answer) == (403, "auditor-involved")
        await room.change_candidate(hunter_id=room.lead.principal.staff_id)
        answer = await room.lead.post(f"evidence/{by_hunter['id']}/confirmation", {})
        assert code(answer) == (403, "auditor-involved")
        for who in (room.hunter, room.isv):
            answer = await who.post(f"evidence/{by_hunter['id']}/confirmation", {})
            assert code(answer) == (403, "forbidden")

    async def test_evidence_of_another_candidate_is_not_found(self, room: Room) -> None:
        other = await room.another_candidate()
        found = await parts(room, other)
        body = {"kind": "reply", "touchpoint_id": found.inbound}
        made = await room.hunter.made("evidence", body, candidate=other)
        for one in (made["id"], missing("evid")):
            answer = await room.lead.post(f"evidence/{one}/confirmation", {})
            assert code(answer) == (404, "not-found")
