"""Logging touches: who may say what, how far back, and how we know of it."""

import asyncio
from typing import Any

import pytest

from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.ids import encode
from tests.candidates.records_world import (
    NOW,
    Room,
    ago,
    code,
    missing,
    places,
    touch_body,
)

FIVE_DAYS = "2026-03-04T00:00:00+01:00"
SIX_DAYS = "2026-03-03T23:59:59+01:00"


async def contact_of(room: Room, candidate: str | None = None) -> str:
    made = await room.hunter.made("contacts", {"name": "Ada"}, candidate=candidate)
    return str(made["id"])


async def ids(room: Room) -> list[str]:
    """The pushes that the qualifications heard of."""
    known = {row["id"] for row in await room.isv.listed("touchpoints")}
    told = [encode("touch", one) for one in room.ports.late]
    assert set(told) <= known
    return told


class TestProvenance:
    """Provenance is never sent by the caller."""

    async def test_a_body_that_names_it_is_refused(self, room: Room) -> None:
        """Provenance is never sent by the caller."""
        for who in (room.hunter, room.integration):
            body = touch_body(provenance="system")
            answer = await who.post("touchpoints", body)
            assert places(answer) == [("/provenance", "extra-forbidden")]

    async def test_what_staff_log_is_attested(self, room: Room) -> None:
        """What staff log is `attested`."""
        for who in (room.hunter, room.lead):
            assert (await who.touch())["provenance"] == "attested"

    async def test_what_an_integration_with_signals_delivers_is_system(self, room: Room) -> None:
        """What an integration client with `signals:write` delivers … is `system`."""
        agency = room.client(Role.AGENCY_CLIENT, signals=True)
        for who in (room.integration, agency):
            assert (await who.touch())["provenance"] == "system"

    async def test_an_integration_without_that_scope_only_attests(self, room: Room) -> None:
        for who in (room.isv, room.client(Role.AGENCY_CLIENT)):
            assert (await who.touch())["provenance"] == "attested"

    async def test_a_staff_token_that_held_the_scope_would_still_attest(self, room: Room) -> None:
        """`signals:write` is never given to a staff member's client."""
        hunter = room.client(Role.HUNTER, signals=True)
        room.assign(hunter, room.candidate)
        assert (await hunter.touch())["provenance"] == "attested"

    async def test_signals_alone_suffice_to_deliver(self, room: Room) -> None:
        known = room.integration.principal
        narrow = {"scopes": frozenset({"signals:write"})}
        room.ports.principals[known.client_id.hex] = type(known)(
            **{name: getattr(known, name) for name in known.__slots__} | narrow
        )
        assert (await room.integration.touch())["provenance"] == "system"


class TestSides:
    @pytest.mark.parametrize(
        ("role", "side", "allowed"),
        [
            (Role.HUNTER, "partner", True),
            (Role.HUNTER, "agency", True),
            (Role.HUNTER, "isv", False),
            (Role.LEAD, "agency", True),
            (Role.LEAD, "isv", False),
            (Role.ISV_CLIENT, "partner", True),
            (Role.ISV_CLIENT, "isv", True),
            (Role.ISV_CLIENT, "agency", False),
            (Role.AGENCY_CLIENT, "partner", True),
            (Role.AGENCY_CLIENT, "agency", True),
            (Role.AGENCY_CLIENT, "isv", False),
        ],
    )
    async def test_nobody_logs_what_another_side_did(
        self, room: Room, role: Role, side: str, allowed: bool
    ) -> None:
        who = room.hunter if role is Role.HUNTER else room.client(role)
        cls = "P2" if side == "partner" else "push"
        answer = await who.post("touchpoints", touch_body(cls, side))
        if allowed:
            assert answer.status_code == 201, answer.text
        else:
            assert code(answer) == (403, "side-forbidden")

    @pytest.mark.parametrize(
        ("cls", "side"), [("push", "partner"), ("answer", "partner"), ("P0", "agency")]
    )
    async def test_a_class_of_the_other_side_is_refused(
        self, room: Room, cls: str, side: str
    ) -> None:
        """Partner: P0 … P3. Our side: push … answering a partner."""
        answer = await room.hunter.post("touchpoints", touch_body(cls, side))
        assert places(answer) == [("/class", "class-of-other-side")]


class TestTime:
    async def test_a_hunter_dates_back_five_business_days(self, room: Room) -> None:
        """Hunters may date a touch back at most 5 business days."""
        made = await room.hunter.touch("push", "agency", occurred_at=FIVE_DAYS)
        assert made["occurred_at"] == "2026-03-03T23:00:00Z"

    async def test_a_hunter_cannot_date_back_six(self, room: Room) -> None:
        """Hunters may date a touch back at most 5 business days."""
        for cls, side in (("P3", "partner"), ("push", "agency")):
            body = touch_body(cls, side, occurred_at=SIX_DAYS)
            answer = await room.hunter.post("touchpoints", body)
            assert places(answer) == [("/occurred_at", "dated-back-too-far")]

    async def test_the_limit_binds_hunters_only(self, room: Room) -> None:
        """A push said later to have been left out: anybody who logs may say it."""
        await room.lead.touch("push", "agency", occurred_at=ago(days=60))
        await room.integration.touch(occurred_at=ago(days=60))

    async def test_nothing_is_logged_before_it_happens(self, room: Room) -> None:
        for who in (room.hunter, room.lead, room.integration):
            answer = await who.post("touchpoints", touch_body(occurred_at=ago(seconds=-1)))
            assert places(answer) == [("/occurred_at", "in-the-future")]
        await room.integration.touch(occurred_at=NOW.isoformat())

    @pytest.mark.parametrize("moment", ["2026-03-10T10:00:00", "0001-01-01T00:00:00Z", "soon"])
    async def test_an_instant_needs_its_offset_and_a_sensible_year(
        self, room: Room, moment: str
    ) -> None:
        answer = await room.lead.post("touchpoints", touch_body(occurred_at=moment))
        assert [pointer for pointer, _ in places(answer)] == ["/occurred_at"]


class TestReferences:
    async def test_they_name_earlier_touches_of_the_candidate(self, room: Room) -> None:
        push = await room.hunter.touch("push", "agency", occurred_at=ago(hours=3))
        contact = await contact_of(room)
        made = await room.hunter.touch(
            elicited_by=push["id"], in_reply_to=push["id"], contact_id=contact
        )
        assert (made["elicited_by"], made["in_reply_to"]) == (push["id"], push["id"])
        assert made["contact_id"] == contact

    async def test_a_touch_that_supplies_what_we_asked_for_is_p1(self, room: Room) -> None:
        """A touch that supplies what our previous message asked for is P1 whatever it holds."""
        push = await room.hunter.touch("push", "agency", occurred_at=ago(hours=3))
        made = await room.hunter.touch("P3", elicited_by=push["id"])
        assert (made["class"], made["effective_class"], made["elicited"]) == ("P3", "P1", True)

    @pytest.mark.parametrize(
        ("field", "prefix"),
        [("contact_id", "cont"), ("elicited_by", "touch"), ("in_reply_to", "touch")],
    )
    async def test_a_foreign_id_answers_exactly_like_a_missing_one(
        self, room: Room, field: str, prefix: str
    ) -> None:
        other = await room.another_candidate()
        isv, theirs = await room.foreign()
        if prefix == "cont":
            near = await contact_of(room, other)
            far = missing("cont")
        else:
            body = touch_body("push", "agency", occurred_at=ago(hours=5))
            near = (await room.hunter.made("touchpoints", body, candidate=other))["id"]
            their_body = touch_body("push", "isv", occurred_at=ago(hours=5))
            far = (await isv.made("touchpoints", their_body, candidate=theirs))["id"]
        bodies = []
        for one in (near, far, missing(prefix)):
            answer = await room.hunter.post("touchpoints", touch_body(**{field: one}))
            assert code(answer) == (422, "reference-not-found")
            assert places(answer) == [(f"/{field}", "reference-not-found")]
            bodies.append({k: v for k, v in answer.json().items() if k != "request_id"})
        assert all(body == bodies[0] for body in bodies)

    async def test_a_later_touch_and_one_of_the_partner_elicit_nothing(self, room: Room) -> None:
        later = await room.hunter.touch("push", "agency", occurred_at=ago(minutes=5))
        inbound = await room.hunter.touch("P1", occurred_at=ago(hours=3))
        answers = {
            "not-earlier": touch_body(elicited_by=later["id"]),
            "not-outbound": touch_body(elicited_by=inbound["id"]),
            "not-a-partner-touch": touch_body("push", "agency", elicited_by=inbound["id"]),
        }
        for reason, body in answers.items():
            answer = await room.hunter.post("touchpoints", body)
            assert places(answer) == [("/elicited_by", reason)]


class TestRepeats:
    async def test_the_same_touch_under_the_same_reference_is_the_first_one(
        self, room: Room
    ) -> None:
        body = touch_body(external_ref="crm-7", text="When can we start?", metadata={"n": 1})
        first = await room.integration.post("touchpoints", body)
        again = await room.integration.post("touchpoints", body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert len(await room.integration.listed("touchpoints")) == 1
        assert len(await room.trail("touchpoint.recorded")) == 1

    async def test_a_repeat_is_not_refused_because_time_has_passed(self, room: Room) -> None:
        body = touch_body("push", "agency", external_ref="crm-8", occurred_at=FIVE_DAYS)
        await room.hunter.made("touchpoints", body)
        room.pass_time(days=9)
        assert (await room.hunter.post("touchpoints", body)).status_code == 200

    @pytest.mark.parametrize("change", [{"class": "P3"}, {"text": "other"}, {"metadata": {"n": 2}}])
    async def test_another_touch_under_the_same_reference_is_refused(
        self, room: Room, change: dict[str, Any]
    ) -> None:
        await room.integration.touch(external_ref="crm-9")
        answer = await room.integration.post(
            "touchpoints", touch_body(external_ref="crm-9") | change
        )
        assert code(answer) == (409, "external-ref-taken")

    async def test_a_reference_is_unique_over_candidates_for_a_bound_hunter_too(
        self, room: Room
    ) -> None:
        other = await room.another_candidate()
        body = touch_body(external_ref="crm-10")
        await room.hunter.made("touchpoints", body, candidate=other)
        answer = await room.hunter.post("touchpoints", body)
        assert code(answer) == (409, "external-ref-taken")

    async def test_repeats_at_the_same_moment_are_one_touch(self, room: Room) -> None:
        body = touch_body(external_ref="crm-12")
        sent = [room.integration.post("touchpoints", body) for _ in range(3)]
        answers = await asyncio.gather(*sent)
        assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
        assert len({answer.json()["id"] for answer in answers}) == 1

    async def test_two_clients_have_references_of_their_own(self, room: Room) -> None:
        first = await room.integration.touch(external_ref="crm-11")
        second = await room.isv.touch(external_ref="crm-11")
        assert first["id"] != second["id"]


class TestAnswers:
    """An answer of ours that contains an unrequested ask is a push."""

    async def test_an_answer_of_ours_names_the_word_of_the_partner_that_it_answers(
        self, room: Room
    ) -> None:
        """A push by another name would weigh a quarter, and interrupt no hands-off test."""
        push = await room.hunter.touch("push", "agency", occurred_at=ago(hours=4))
        opened = await room.integration.touch("P0", occurred_at=ago(hours=3))
        asked = await room.integration.touch("P1", occurred_at=ago(hours=2))
        for nothing in (None, push["id"], opened["id"]):
            body = touch_body("answer", "agency", in_reply_to=nothing)
            answer = await room.hunter.post("touchpoints", body)
            assert places(answer) == [("/in_reply_to", "answers-nothing")]
        made = await room.hunter.touch("answer", "agency", in_reply_to=asked["id"])
        assert made["effective_class"] == "answer"

    async def test_what_the_isv_answers_is_its_own_affair(self, room: Room) -> None:
        """The ISV's own touches count for neither side."""
        assert (await room.isv.touch("answer", "isv"))["in_reply_to"] is None


class TestPause:
    """While a campaign is paused nothing goes out, what comes in is kept."""

    async def test_nothing_goes_out_while_a_campaign_is_paused(self, room: Room) -> None:
        """While a campaign is paused nothing goes out."""
        asked = await room.integration.touch("P2", occurred_at=ago(hours=2))
        await room.change_campaign(status="paused")
        for body in (
            touch_body("push", "agency"),
            touch_body("answer", "agency", in_reply_to=asked["id"]),
        ):
            answer = await room.hunter.post("touchpoints", body)
            assert code(answer) == (409, "campaign-not-running")

    async def test_what_comes_in_is_kept(self, room: Room) -> None:
        """What comes in is kept."""
        await room.change_campaign(status="paused")
        await room.hunter.touch("P2")
        await room.isv.touch("push", "isv")
        assert len(await room.isv.listed("touchpoints")) == 2

    async def test_after_the_end_only_touches_of_before_are_logged(self, room: Room) -> None:
        await room.change_campaign(status="closed", ended_at=NOW.replace(hour=5))
        await room.hunter.touch("push", "agency", occurred_at=ago(hours=6))
        answer = await room.hunter.post("touchpoints", touch_body("push", "agency"))
        assert code(answer) == (409, "campaign-not-running")

    async def test_a_filled_campaign_goes_on_from_discovering_with_the_isvs_opt_in(
        self, room: Room
    ) -> None:
        """Candidates from `discovering` on go on with the ISV's opt-in."""
        await room.change_campaign(status="filled", ended_at=NOW.replace(hour=5))
        asked = await room.integration.touch("P2", occurred_at=ago(hours=2))
        body = touch_body("answer", "agency", in_reply_to=asked["id"])
        for stage, opted_in, status in (
            ("discovering", False, 409),
            ("engaged", True, 409),
            ("discovering", True, 201),
        ):
            await room.change_campaign(continue_after_fill=opted_in)
            await room.change_candidate(stage=stage)
            answer = await room.hunter.post("touchpoints", body)
            assert answer.status_code == status, answer.text

    async def test_what_an_exited_candidate_does_is_kept(self, room: Room) -> None:
        """And back from `exited` when the partner comes by himself."""
        await room.change_candidate(status="exited", exit_reason="not_now", exited_at=NOW)
        made = await room.integration.touch("P2")
        assert [row["id"] for row in await room.isv.listed("touchpoints")] == [made["id"]]


class TestLatePushes:
    """A push said later to have been left out opens a review by an uninvolved lead."""

    async def test_every_push_of_the_agency_is_told_to_the_qualifications(self, room: Room) -> None:
        """A push said later to have been left out opens a review by an uninvolved lead."""
        push = await room.hunter.touch("push", "agency")
        asking = await room.hunter.touch("answer", "agency", unrequested_ask=True)
        assert asking["effective_class"] == "push"
        assert await ids(room) == [push["id"], asking["id"]]

    async def test_answers_and_the_isvs_own_pushes_are_not(self, room: Room) -> None:
        """Pushes of the ISV on its own do not interrupt."""
        asked = await room.hunter.touch("P2", occurred_at=ago(hours=2))
        await room.hunter.touch("answer", "agency", in_reply_to=asked["id"])
        await room.isv.touch("push", "isv")
        assert await ids(room) == []

    async def test_an_answer_that_turns_out_to_be_a_push_is_told_then(self, room: Room) -> None:
        """An answer of ours that contains an unrequested ask is a push."""
        asked = await room.hunter.touch("P2", occurred_at=ago(hours=2))
        answer = await room.hunter.touch("answer", "agency", in_reply_to=asked["id"])
        body = {"class": "push", "reason": "It asked for a date."}
        await room.isv.made(f"touchpoints/{answer['id']}/lowering", body)
        assert await ids(room) == [answer["id"]]

    async def test_a_repeat_is_not_told_twice(self, room: Room) -> None:
        for _ in range(2):
            body = touch_body("push", "agency", external_ref="x")
            await room.hunter.made("touchpoints", body)
        assert len(await ids(room)) == 1


class TestTrail:
    async def test_audit_and_event_hold_no_text(self, room: Room) -> None:
        made = await room.hunter.touch(text="We have decided, Ada.")
        ((audit, event),) = await room.trail("touchpoint.recorded")
        assert audit.object_id == event.object_id == made["id"]
        assert "decided" not in f"{audit.detail}{event.data}"
        assert audit.detail["class"] == "P2"
        assert (await room.row()).updated_at == NOW

    async def test_a_stranger_sees_and_writes_nothing(self, room: Room) -> None:
        other, _ = await room.foreign()
        stranger = room.client(Role.HUNTER)
        for who in (other, stranger):
            assert code(await who.get("touchpoints")) == (404, "not-found")
            assert code(await who.post("touchpoints", touch_body())) == (404, "not-found")
        assert await room.isv.listed("touchpoints") == []
