"""Verdicts: anybody lowers, an uninvolved lead replaces, nobody else raises."""

from typing import Any

import pytest

from flatbed.tenants.access.principal import Role
from tests.candidates.records_world import Client, Room, ago, code, missing, places

LOWER = {"reason": "It was only a read receipt."}
AUDIT = {"class": "P3", "source_seen": "The mail of 11 March with its headers."}


async def lower(who: Client, touch: dict[str, Any], **body: Any) -> Any:
    return await who.post(f"touchpoints/{touch['id']}/lowering", LOWER | body)


async def audit(who: Client, touch: dict[str, Any], **body: Any) -> Any:
    return await who.post(f"/v1/touchpoints/{touch['id']}/audit", AUDIT | body)


class TestLowering:
    @pytest.mark.parametrize("role", ["hunter", "lead", "isv", "compliance"])
    async def test_anybody_may_lower_a_class(self, room: Room, role: str) -> None:
        """Anybody may lower a class."""
        touch = await room.integration.touch("P3")
        who = room.client(Role.COMPLIANCE) if role == "compliance" else getattr(room, role)
        answer = await lower(who, touch, **{"class": "P1"})
        assert answer.status_code == 201, answer.text
        left = answer.json()
        assert (left["class"], left["effective_class"]) == ("P3", "P1")
        assert left["provenance"] == "system"
        assert left["verdicts"][0]["actor"] == who.principal.actor
        assert await room.lead.listed("touchpoints") == [left]

    async def test_an_isv_is_not_told_who_of_the_agency_logged_and_judged(self, room: Room) -> None:
        """An ISV sees its own clients, and nobody of the agency's staff."""
        touch = await room.hunter.touch("P3")
        await lower(room.lead, touch, **{"class": "P2"})
        shown = (await lower(room.isv, touch, **{"class": "P1"})).json()
        assert shown["recorded_by"] is None
        assert [one["actor"] for one in shown["verdicts"]] == [None, room.isv.principal.actor]
        assert await room.isv.listed("touchpoints") == [shown]

    @pytest.mark.parametrize("cls", ["P2", "P3"])
    async def test_nobody_raises_one_by_lowering(self, room: Room, cls: str) -> None:
        """Nobody but an auditor raise it."""
        touch = await room.hunter.touch("P2")
        for who in (room.hunter, room.lead, room.isv):
            assert code(await lower(who, touch, **{"class": cls})) == (409, "class-not-lower")
        assert (await room.isv.listed("touchpoints"))[0]["verdicts"] == []

    async def test_a_push_cannot_be_lowered_to_an_answer(self, room: Room) -> None:
        """A push weighs against MSI more than an answer: that would raise."""
        touch = await room.hunter.touch("push", "agency")
        assert code(await lower(room.hunter, touch, **{"class": "answer"}))[0] == 409
        answer = await lower(room.hunter, touch, **{"class": "P0"})
        assert places(answer) == [("/class", "class-of-other-side")]

    async def test_naming_what_elicited_it_makes_it_p1(self, room: Room) -> None:
        """A touch that supplies what our previous message asked for is P1 (`elicited_by`)."""
        push = await room.hunter.touch("push", "agency", occurred_at=ago(hours=4))
        touch = await room.hunter.touch("P3")
        left = (await lower(room.isv, touch, elicited_by=push["id"])).json()
        assert (left["effective_class"], left["elicited"]) == ("P1", True)
        again = await lower(room.isv, touch, elicited_by=push["id"])
        assert code(again) == (409, "class-not-lower")

    async def test_a_higher_class_beside_an_elicitation_is_refused(self, room: Room) -> None:
        push = await room.hunter.touch("push", "agency", occurred_at=ago(hours=4))
        touch = await room.hunter.touch("P1")
        answer = await lower(room.hunter, touch, elicited_by=push["id"], **{"class": "P3"})
        assert code(answer) == (409, "class-not-lower")

    async def test_a_word_that_says_nothing_is_refused(self, room: Room) -> None:
        touch = await room.hunter.touch("P2")
        assert code(await lower(room.hunter, touch)) == (409, "class-not-lower")

    async def test_a_foreign_touch_is_not_found_and_a_foreign_source_refused(
        self, room: Room
    ) -> None:
        other = await room.another_candidate()
        body = {"side": "agency", "class": "push", "channel": "email", "occurred_at": ago(days=1)}
        foreign = await room.hunter.made("touchpoints", body, candidate=other)
        own = await room.hunter.touch("P2")
        for one in (foreign["id"], missing("touch")):
            assert code(await lower(room.hunter, {"id": one}, **{"class": "push"}))[0] == 404
            answer = await lower(room.hunter, own, elicited_by=one)
            assert places(answer) == [("/elicited_by", "reference-not-found")]


class TestAudit:
    async def test_a_lead_makes_a_touch_audited_and_replaces_its_class(self, room: Room) -> None:
        """A lead who is not this candidate's hunter makes a touch `audited`."""
        touch = await room.hunter.touch("P1")
        answer = await audit(room.lead, touch, reason="He proposed dates.")
        assert answer.status_code == 201, answer.text
        left = answer.json()
        assert (left["class"], left["effective_class"]) == ("P1", "P3")
        assert left["provenance"] == "audited"
        assert left["verdicts"][0]["source_seen"] == AUDIT["source_seen"]
        ((entry, event),) = await room.trail("touchpoint.audited")
        assert entry.object_id == event.object_id == touch["id"]
        assert "headers" not in f"{entry.detail}{event.data}"

    async def test_the_verdict_replaces_a_lowering_and_an_elicitation(self, room: Room) -> None:
        """The auditor's appended verdict replaces them."""
        push = await room.hunter.touch("push", "agency", occurred_at=ago(hours=4))
        touch = await room.hunter.touch("P2", elicited_by=push["id"])
        await lower(room.isv, touch, **{"class": "P0"})
        # Of two words at one instant the less favourable one would stand.
        room.pass_time(minutes=1)
        left = (await audit(room.lead, touch, **{"class": "P2"})).json()
        assert (left["effective_class"], left["elicited"]) == ("P2", False)
        assert [one["kind"] for one in left["verdicts"]] == ["lowering", "audit"]

    async def test_the_source_must_have_been_looked_at(self, room: Room) -> None:
        """… with the source looked at."""
        touch = await room.hunter.touch("P1")
        for body in ({"class": "P2"}, {"class": "P2", "source_seen": " "}):
            answer = await room.lead.post(f"/v1/touchpoints/{touch['id']}/audit", body)
            assert [pointer for pointer, _ in places(answer)] == ["/source_seen"]

    @pytest.mark.parametrize("role", [Role.ISV_CLIENT, Role.AGENCY_CLIENT, Role.COMPLIANCE])
    async def test_only_leads_audit(self, room: Room, role: Role) -> None:
        touch = await room.hunter.touch("P1")
        assert code(await audit(room.client(role), touch)) == (403, "forbidden")

    async def test_the_candidates_hunter_cannot_audit_even_as_a_lead(self, room: Room) -> None:
        """A lead who is not this candidate's hunter."""
        touch = await room.hunter.touch("P1")
        await room.change_candidate(hunter_id=room.lead.principal.staff_id)
        assert code(await audit(room.lead, touch)) == (403, "auditor-involved")
        other = room.client(Role.LEAD)
        assert (await audit(other, touch)).status_code == 201

    async def test_nobody_audits_what_he_recorded_himself(self, room: Room) -> None:
        touch = await room.lead.touch("P1")
        assert code(await audit(room.lead, touch)) == (403, "auditor-involved")
        push = await room.lead.touch("push", "agency", occurred_at=ago(hours=4))
        for field in ("in_reply_to", "elicited_by"):
            reply = await room.hunter.touch("P2", **{field: push["id"]})
            assert code(await audit(room.lead, reply)) == (403, "auditor-involved")
        plain = await room.hunter.touch("P2")
        answer = await audit(room.lead, plain, elicited_by=push["id"])
        assert code(answer) == (403, "auditor-involved")

    async def test_a_class_of_the_other_side_is_refused(self, room: Room) -> None:
        touch = await room.hunter.touch("push", "agency")
        assert places(await audit(room.lead, touch)) == [("/class", "class-of-other-side")]

    async def test_a_touch_of_another_tenant_is_not_found(self, room: Room) -> None:
        isv, candidate = await room.foreign()
        body = {"side": "partner", "class": "P2", "channel": "email", "occurred_at": ago(days=1)}
        foreign = await isv.made("touchpoints", body, candidate=candidate)
        answers = [await audit(room.lead, {"id": one}) for one in (foreign["id"], missing("touch"))]
        bodies = [{k: v for k, v in a.json().items() if k != "request_id"} for a in answers]
        assert answers[0].status_code == 404
        assert bodies[0] == bodies[1]
        assert (await isv.listed("touchpoints", candidate=candidate))[0]["verdicts"] == []
