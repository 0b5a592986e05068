"""Rows of a candidate as the rules see him."""

from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from flatbed.app.campaigns.profiles.criteria import from_store, six_cs
from flatbed.app.candidates.rules.gates import check
from flatbed.app.candidates.rules.rubric import Rubric
from flatbed.app.candidates.rules.snapshot import CandidateSnapshot
from flatbed.app.candidates.rules.stages import CampaignState, EvidenceKind, Stage
from flatbed.app.candidates.rules.touches import Provenance, TouchClass, effective
from flatbed.app.candidates.snapshots.service import Surroundings, load_snapshot
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.ids import decode
from tests.candidates.records_rows import HARD
from tests.candidates.records_world import NOW, Room, ago, touch_body

AROUND = Surroundings(
    campaign_state=CampaignState.RUNNING,
    criteria=from_store([*HARD, *six_cs()]),
    zone=ZoneInfo("Europe/Berlin"),
)
RUBRIC = Rubric(fit_floor=60, revenue_floor=50_000_000, currency="EUR")
FACT = {"statement": "It grows.", "provenance": "tenant", "observed_on": "2026-03-10"}


async def seen(room: Room, around: Surroundings = AROUND) -> CandidateSnapshot:
    async with room.transaction() as session:
        return await load_snapshot(session, await room.row(), around=around)


async def fact(room: Room, source_kind: str, **more: object) -> UUID:
    body = FACT | {"source_kind": source_kind} | more
    return decode("fact", (await room.hunter.made("facts", body))["id"])


async def judge(room: Room, criterion: str, **word: object) -> None:
    body = {"criterion": criterion, "reason": "Looked at.", "source_kind": "official_register"}
    await room.hunter.made("judgements", body | word)


class TestLoadSnapshot:
    async def test_a_fresh_candidate_holds_only_himself(self, room: Room) -> None:
        snapshot = await seen(room)
        assert (snapshot.stage, snapshot.company_name) == (
            Stage.IDENTIFIED,
            "Nordlicht Systemhaus",
        )
        recorded = (snapshot.touches, snapshot.facts, snapshot.evidence, snapshot.plans)
        assert not any(recorded)
        assert not snapshot.holds_entry
        assert check(Stage.IDENTIFIED, snapshot, RUBRIC, NOW).passed

    async def test_touches_come_with_their_verdicts_and_people(self, room: Room) -> None:
        person = {"name": "Ada", "c_level": True}
        contact = (await room.hunter.made("contacts", person))["id"]
        ours = await room.hunter.touch("push", "agency", occurred_at=ago(hours=5), text="Hello")
        theirs = await room.integration.touch("P3", contact_id=contact, in_reply_to=ours["id"])
        attested = await room.hunter.touch("P1", occurred_at=ago(days=2))
        audit = {"class": "P2", "source_seen": "The letter."}
        await room.lead.made(f"/v1/touchpoints/{attested['id']}/audit", audit)
        lowering = {"class": "P2", "reason": "No decision was asked for."}
        await room.isv.made(f"touchpoints/{theirs['id']}/lowering", lowering)
        snapshot = await seen(room)
        left = {one.touch.id: one for one in effective(snapshot.touches, AROUND.zone, at=NOW)}
        first, second, third = (
            left[decode("touch", one["id"])] for one in (ours, theirs, attested)
        )
        assert (first.is_our_push, first.touch.text) == (True, "Hello")
        assert (second.cls, second.provenance) == (TouchClass.P2, Provenance.SYSTEM)
        assert second.touch.c_level
        assert second.touch.in_reply_to == first.touch.id
        assert (third.cls, third.provenance) == (TouchClass.P2, Provenance.AUDITED)

    async def test_rights_and_objections_open_and_close_a_channel(self, room: Room) -> None:
        contact = (await room.hunter.made("contacts", {"name": "Ada", "c_level": True}))["id"]
        right = {"channel": "email", "country": "DE", "basis": "consent", "source": "form"}
        await room.hunter.made(f"contacts/{contact}/channel-rights", right)
        failing = check(Stage.TARGETED, await seen(room), RUBRIC, NOW).failing
        assert "targeted.channel" not in {one.criterion for one in failing}
        objection = await room.isv.made("objections", {"source": "call", "contact_id": contact})
        failing = check(Stage.TARGETED, await seen(room), RUBRIC, NOW).failing
        assert "targeted.channel" in {one.criterion for one in failing}
        await room.client(Role.COMPLIANCE).made(f"objections/{objection['id']}/resolution")
        (loaded,) = (await seen(room)).objections
        assert loaded.resolved_at == NOW

    async def test_evidence_carries_what_its_kind_has(self, room: Room) -> None:
        contact = (await room.hunter.made("contacts", {"name": "Ada", "c_level": True}))["id"]
        cited = await fact(room, "press")
        push = await room.hunter.touch("push", "agency", occurred_at=ago(hours=5))
        reply = await room.hunter.touch("P3", contact_id=contact)
        cites = [(await room.isv.listed("facts"))[0]["id"]]
        for body in (
            {"kind": "outreach_delivered", "touchpoint_id": push["id"], "fact_ids": cites},
            {
                "kind": "meeting_held",
                "occurred_at": ago(hours=2),
                "partner_attendees": [contact],
            },
            {
                "kind": "decision_statement",
                "touchpoint_id": reply["id"],
                "contact_id": contact,
                "role": "CEO",
                "statement": "We do it.",
            },
        ):
            made = await room.hunter.made("evidence", body)
            if body["kind"] == "outreach_delivered":
                await room.lead.made(f"evidence/{made['id']}/confirmation", {})
        by_kind = {one.kind: one for one in (await seen(room)).evidence}
        outreach = by_kind[EvidenceKind.OUTREACH_DELIVERED]
        assert (outreach.confirmed_by_lead, outreach.fact_ids) == (True, frozenset({cited}))
        person = decode("cont", contact)
        assert by_kind[EvidenceKind.MEETING_HELD].partner_attendees == {person}
        assert by_kind[EvidenceKind.DECISION_STATEMENT].role == "CEO"
        assert by_kind[EvidenceKind.DECISION_STATEMENT].contact_id == person

    async def test_plan_fields_keep_author_and_source(self, room: Room) -> None:
        touch = await room.hunter.touch("P3")
        fields = [
            {"name": name, "value": value, "author": "partner", "source_touchpoint_id": touch["id"]}
            for name, value in (("revenue_target", 60_000_000), ("resources", "two"))
        ]
        await room.hunter.made("plan", {"fields": fields})
        (plan,) = (await seen(room)).plans
        assert [field.value for field in plan.fields] == [60_000_000, "two"]
        assert {field.source_touchpoint_id for field in plan.fields} == {
            decode("touch", touch["id"])
        }

    async def test_the_surroundings_are_passed_through(self, room: Room) -> None:
        around = Surroundings(
            campaign_state=CampaignState.PAUSED,
            criteria=AROUND.criteria,
            zone=AROUND.zone,
            group_billed=True,
            open_conflicts=("exclusion pending consent",),
            next_touch_at=NOW + timedelta(days=3),
        )
        snapshot = await seen(room, around)
        assert snapshot.campaign_state is CampaignState.PAUSED
        assert (snapshot.group_billed, snapshot.open_conflicts) == (True, around.open_conflicts)
        assert snapshot.next_touch_at == around.next_touch_at


class TestFacts:
    async def test_a_fact_is_sourced_by_its_address_or_its_kind(self, room: Room) -> None:
        """≥ 3 sourced facts: what somebody merely said names no source."""
        named = await fact(room, "annual_report")
        linked = await fact(room, "hearsay", source_url="https://news.example/1")
        bare = await fact(room, "hearsay")
        sources = {one.id: one.source for one in (await seen(room)).facts}
        assert sources == {named: "annual_report", linked: "https://news.example/1", bare: ""}


class TestFit:
    async def test_master_data_are_read_and_a_better_fact_overrules_them(self, room: Room) -> None:
        """A criterion is {attribute, operator, value} read from the registry."""
        assert (await seen(room)).fit.failed == ()
        await fact(room, "annual_report", attribute="employees", value=12)
        assert (await seen(room)).fit.failed == ("size",)

    async def test_a_rumour_does_not_overrule_them(self, room: Room) -> None:
        """Confidence comes from a table by source kind."""
        await fact(room, "hearsay", attribute="employees", value=12)
        assert (await seen(room)).fit.failed == ()

    async def test_judgements_move_the_fit_and_the_last_one_counts(self, room: Room) -> None:
        """Always returned with contributions and bounds (unknown as 0 and as 1)."""
        before = (await seen(room)).fit
        assert (before.low, before.value, before.high) == (0, 50, 100)
        assert before.unknown == ("trusted",)
        for criterion in ("coverage", "compatibility", "capability"):
            await judge(room, criterion, value=1000)
        await judge(room, "trusted", verdict="pass")
        after = (await seen(room)).fit
        assert after.low == pytest.approx(60)
        assert after.unknown == ()
        room.pass_time(minutes=1)
        await judge(room, "trusted", verdict="fail")
        failed = (await seen(room)).fit
        assert (failed.value, failed.failed) == (0, ("trusted",))

    async def test_a_word_that_comes_later_is_not_heard_yet(self, room: Room) -> None:
        """Each deadline is swept at its own instant: nothing after it exists."""
        earlier = room.ports.clock
        room.pass_time(days=1)
        await judge(room, "trusted", verdict="pass")
        room.ports.clock = earlier
        assert (await seen(room)).fit.unknown == ("trusted",)

    async def test_another_candidates_rows_are_not_his(self, room: Room) -> None:
        other = await room.another_candidate()
        await room.hunter.made("touchpoints", touch_body(), candidate=other)
        await room.hunter.made("facts", FACT | {"source_kind": "press"}, candidate=other)
        snapshot = await seen(room)
        assert not any((snapshot.touches, snapshot.facts))
