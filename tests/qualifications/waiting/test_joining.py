"""What meets a cap waits: frozen, once, in its place, until it moves or its term is over."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from flatbed.app.candidates.models import (
    Candidate,
    Transition,
    WaitingLine,
    WaitingQualification,
)
from flatbed.billing.usage.models import CapCounter, UsageEntry
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode
from tests.api.support import World
from tests.candidates.factory import Worked, site
from tests.qualifications.factory import Qualified, submit
from tests.qualifications.stock import stock
from tests.qualifications.waiting.line import full

FROZEN = ("criteria", "dossier", "dossier_hash", "caps", "hunter_id", "created_at", "expires_at")


class TestJoin:
    async def test_at_a_cap_it_waits_and_nothing_is_metered(self, world: World) -> None:
        """A qualification that meets one becomes a waiting reservation `over_cap`.

        Its candidate stays in `business_planning` with gates frozen for 30 days.
        """
        line = await full(world)
        (worked,) = await stock(line.site)
        dry = await worked.gates("qualified")

        answer = await submit(worked, key="at-the-cap")

        assert answer.status_code == 202, answer.text
        made = answer.json()
        assert answer.headers["location"] == f"/v1/waiting-qualifications/{made['id']}"
        assert answer.headers["etag"] == '"1"'
        assert (made["reason"], made["status"]) == ("over_cap", "waiting")
        assert [(one["criterion"], one["evidence"]) for one in made["criteria"]] == [
            (one["criterion"], one["evidence"]) for one in dry["criteria"]
        ]
        assert all(one["passed"] for one in made["criteria"])
        (row,) = await line.rows()
        assert row.expires_at - row.created_at == timedelta(days=30)
        assert row.caps == [{"cap": "units_total", "limit": 1, "used": 1}]
        assert await line.counted() == 1
        (candidate,) = await line.site.rows(Candidate, Candidate.id == worked.uuid)
        assert (candidate.stage, candidate.entry_id) == ("business_planning", None)
        assert candidate.version == 1
        assert len(await line.site.rows(UsageEntry)) == 1
        assert {one.units for one in await line.site.rows(CapCounter)} == {1}
        (event,) = await Qualified(worked, "").events("waiting_qualification.reserved")
        assert event["candidate_id"] == worked.id
        replayed = await submit(worked, key="at-the-cap")
        assert replayed.json() == made
        assert replayed.headers["idempotent-replayed"] == "true"

    @pytest.mark.parametrize(
        "caps",
        [
            {"units_total": 1},
            {"units_month": 1},
            {"money_total": 450_000},
            {"money_month": 899_999},
        ],
    )
    async def test_every_cap_lets_wait(self, world: World, caps: dict[str, int]) -> None:
        line = await full(world, waiting=1, caps=caps)
        (row,) = await line.rows()
        assert [one["cap"] for one in row.caps] == list(caps)

    async def test_what_was_ordered_is_a_cap_without_the_isvs_opt_in(self, world: World) -> None:
        """`filled` when accepted = quantity; more go on "with the ISV's opt-in"."""
        line = await full(world, waiting=1, caps={}, quantity=1)
        (row,) = await line.rows()
        assert row.caps == [{"cap": "units_total", "limit": 1, "used": 1}]

    async def test_submitted_again_it_is_the_same_one(self, world: World) -> None:
        line = await full(world)
        (worked,) = await line.join()
        (row,) = await line.rows()
        for by in (line.site.hunter, line.site.lead):
            answer = await submit(worked, by)
            assert answer.status_code == 202
            assert decode("wait", answer.json()["id"]) == row.id
        assert len(await line.rows()) == await line.counted() == 1

    async def test_ten_submissions_at_once_reserve_once(self, world: World) -> None:
        line = await full(world)
        (worked,) = await stock(line.site)
        answers = await asyncio.gather(*(submit(worked) for _ in range(10)))
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len(await line.rows()) == await line.counted() == 1

    async def test_new_facts_change_nothing_of_what_is_frozen(self, world: World) -> None:
        line = await full(world)
        (worked,) = await line.join()
        (before,) = await line.rows()
        for _ in range(6):
            await worked.push()
        await worked.fact()
        dry = await worked.gates("qualified")
        assert not dry["passed"]
        (after,) = await line.rows()
        for name in FROZEN:
            assert getattr(after, name) == getattr(before, name), name
        assert after.status == "waiting"
        assert (await submit(worked)).status_code == 202

    async def test_the_frozen_dossier_has_its_hash_and_says_that_it_is_not_qualified(
        self, world: World
    ) -> None:
        line = await full(world, waiting=1)
        (row,) = await line.rows()
        text = json.dumps(row.dossier, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(text.encode()).hexdigest() == row.dossier_hash
        assert row.dossier["qualified_at"] is None
        assert row.dossier["judged_at"] is not None

    async def test_a_cap_below_a_single_unit_refuses_and_nothing_changes(
        self, world: World
    ) -> None:
        """Neither a void nor a month would ever make room: 409 `cap-reached`."""
        place = await site(world, caps={"money_total": 449_999})
        (worked,) = await stock(place)
        answer = await submit(worked, place.lead)
        assert (answer.status_code, answer.json()["code"]) == (409, "cap-reached")
        assert answer.json()["caps"] == [{"cap": "money_total", "limit": 449_999, "used": 0}]
        assert not await place.rows(WaitingQualification)
        assert not await place.rows(CapCounter)
        told = (await submit(worked)).json()
        assert told["code"] == "cap-reached"
        assert "caps" not in told

    async def test_the_gates_come_first(self, world: World) -> None:
        line = await full(world)
        (worked,) = await stock(line.site, provenance="attested")
        assert (await submit(worked)).json()["code"] == "gate-failed"
        assert not await line.rows()


class TestOneOfACompanyGroup:
    async def test_a_second_candidate_of_the_group_does_not_wait_beside_it(
        self, world: World
    ) -> None:
        line = await full(world)
        group = await world.admin.made("/v1/company-groups", {"name": "One group"})
        first, second = await stock(line.site, 2, group_id=decode("grp", group["id"]))
        assert (await submit(first)).status_code == 202
        answer = await submit(second)
        assert (answer.status_code, answer.json()["code"]) == (409, "unit-waiting")
        assert len(await line.rows()) == await line.counted() == 1

    async def test_with_room_the_first_of_the_group_has_it(self, world: World) -> None:
        """Not billed before in (tenant, programme, company group)."""
        line = await full(world)
        group = await world.admin.made("/v1/company-groups", {"name": "One group"})
        first, second = await stock(line.site, 2, group_id=decode("grp", group["id"]))
        assert (await submit(first)).status_code == 202
        await line.change(caps={"units_total": 9})
        assert (await submit(second)).json()["code"] == "unit-waiting"
        await line.admissions()
        assert await line.states() == ["admitted"]
        assert (await submit(second)).json()["code"] == "gate-failed"
        assert len(await line.site.rows(UsageEntry)) == 2


class TestNobodyOvertakes:
    async def test_with_room_a_fresh_submission_queues_behind_who_waits(self, world: World) -> None:
        """First come, first served: whoever waits has the next room."""
        line = await full(world, waiting=2)
        await line.change(caps={"units_total": 2})
        (fresh,) = await line.join()
        rows = await line.rows()
        assert rows[-1].candidate_id == fresh.uuid
        assert rows[-1].caps == []
        await line.admissions()
        assert await line.states() == ["admitted", "waiting", "waiting"]

    async def test_who_joins_later_stands_later_whatever_his_clock_says(
        self, world: World, admin_connection: Plain
    ) -> None:
        """A request's clock stands since it began, and it may have waited for its turn."""
        line = await full(world)
        await admin_connection.execute(
            "UPDATE waiting_line SET last_at = now() + interval '1 hour' WHERE campaign_id = $1",
            decode("camp", line.site.campaign["id"]),
        )
        (ahead,) = await line.site.rows(WaitingLine)
        await line.join(2)
        first, second = await line.rows()
        assert ahead.last_at < first.created_at < second.created_at
        assert [first.candidate_id, second.candidate_id] == [one.uuid for one in line.waiting]

    async def test_another_campaign_is_not_held_up(self, world: World) -> None:
        line = await full(world, waiting=1)
        other = await site(world, isv=line.site.isv)
        (worked,) = await stock(other)
        assert (await submit(worked)).status_code == 201


async def back(worked: Worked) -> None:
    await worked.moved("discovering", reason="He hesitates.")


async def leave(worked: Worked) -> None:
    await worked.moved("exited", reason="insolvency")


async def rest(worked: Worked) -> None:
    until = (worked.site.now() + timedelta(days=20)).isoformat()
    body = {"nurture": {"until": until, "override_reason": "They reorganise."}}
    answer = await worked.patch(worked.site.lead, **body)
    assert answer.status_code == 200, answer.text


async def object_to(worked: Worked) -> None:
    await worked.record("objections", source="letter")


ENDINGS: dict[str, Callable[[Worked], Awaitable[None]]] = {
    "moved_back": back,
    "exited": leave,
    "nurtured": rest,
    "objection": object_to,
}


class TestWithdraw:
    @pytest.mark.parametrize("reason", list(ENDINGS))
    async def test_what_happens_to_the_candidate_ends_it_at_once(
        self, world: World, reason: str
    ) -> None:
        """Moves of the candidate backward or exit end it, an objection ends it."""
        line = await full(world, waiting=2)
        first, _ = line.waiting

        await ENDINGS[reason](first)

        one, other = await line.rows()
        assert (one.status, one.end_reason, other.status) == ("withdrawn", reason, "waiting")
        assert one.ended_at is not None
        assert await line.counted() == 1
        left = [one.kind for one in await line.site.open_deadlines(first.id)]
        assert not [kind for kind in left if kind.startswith("waiting.")]
        (event,) = await Qualified(first, "").events("waiting_qualification.withdrawn")
        assert event["reason"] == reason
        await line.change(caps={"units_total": 3})
        await line.admissions()
        assert await line.states() == ["withdrawn", "admitted"]
        assert (await first.read())["over_cap"] is None

    async def test_it_may_be_submitted_anew_and_waits_at_the_end(self, world: World) -> None:
        line = await full(world, waiting=2)
        first, second = line.waiting
        await first.moved("decision_in_principle", reason="The plan changes.")
        await first.moved("business_planning")
        assert (await submit(first)).status_code == 202
        rows = await line.rows()
        assert [one.candidate_id for one in rows] == [first.uuid, second.uuid, first.uuid]
        assert [one.status for one in rows] == ["withdrawn", "waiting", "waiting"]

    async def test_a_move_without_a_reservation_is_none_of_the_lines(self, world: World) -> None:
        place = await site(world)
        (worked,) = await stock(place)
        await back(worked)
        assert [one.kind for one in await place.rows(Transition)] == ["backward"]
        assert not await place.rows(WaitingQualification)


class TestExpire:
    async def test_after_thirty_days_it_ends_and_the_candidate_may_be_submitted_anew(
        self, world: World
    ) -> None:
        """Gates frozen for 30 days."""
        line = await full(world, waiting=1)
        (worked,) = line.waiting
        await line.site.advance(days=29)
        assert await line.states() == ["waiting"]
        await line.site.advance(days=1, minutes=1)
        (row,) = await line.rows()
        assert (row.status, row.ended_at, row.end_reason) == ("expired", row.expires_at, None)
        assert await line.counted() == 0
        assert len(await Qualified(worked, "").events("waiting_qualification.expired")) == 1
        left = [one.kind for one in await line.site.open_deadlines(worked.id)]
        assert not left
        assert (await submit(worked)).status_code == 202
        assert await line.states() == ["expired", "waiting"]

    async def test_who_is_late_by_a_moment_is_not_admitted_before_the_sweep(
        self, world: World, admin_connection: Plain
    ) -> None:
        line = await full(world, waiting=2)
        first, _ = line.waiting
        await line.change(caps={"units_total": 5})
        await admin_connection.execute(
            "UPDATE realm SET clock_offset_us = clock_offset_us + $2 WHERE id = $1",
            world.realm_id,
            (30 * 86_400 + 60) * 1_000_000,
        )
        # Neither by a submission of what has expired nor by the job.
        assert (await submit(first)).status_code == 202
        await line.admissions()
        assert await line.states() == ["expired", "expired", "admitted"]


class TestReading:
    async def test_the_isv_sees_criteria_and_caps_and_neither_dossier_nor_people(
        self, world: World
    ) -> None:
        """The ISV sees the criteria, not the dossier."""
        line = await full(world, waiting=2)
        (first, _) = await line.rows()
        listed = await line.site.isv.client.read("/v1/waiting-qualifications")
        assert len(listed["data"]) == 2
        shown = next(one for one in listed["data"] if decode("wait", one["id"]) == first.id)
        single = await line.site.isv.client.read(f"/v1/waiting-qualifications/{shown['id']}")
        assert single == shown
        assert shown["caps"] == [{"cap": "units_total", "limit": 1, "used": 1}]
        assert all(one["passed"] for one in shown["criteria"])
        assert len(shown["criteria"]) == len(first.criteria)
        assert "dossier" not in shown
        assert shown["submitted_by"] is None
        text = json.dumps(listed)
        for words in ("A. Person", "CEO", "We become a partner."):
            assert words not in text

    async def test_a_lead_reads_all_and_a_hunter_his_candidate_without_caps(
        self, world: World
    ) -> None:
        line = await full(world, waiting=1)
        (worked,) = line.waiting
        (shown,) = (await line.site.lead.read("/v1/waiting-qualifications"))["data"]
        assert shown["caps"]
        assert shown["submitted_by"].startswith("staff:")
        path = f"{worked.path}/waiting-qualifications"
        (own,) = (await line.site.hunter.read(path))["data"]
        assert own["caps"] is None
        assert {**own, "caps": shown["caps"]} == shown
        assert (await submit(worked)).json()["caps"] is None
        listed = await line.site.hunter.get("/v1/waiting-qualifications")
        assert listed.status_code == 403
        stranger = await world.staff("hunter", new=True)
        assert (await stranger.client.get(path)).status_code == 404

    async def test_it_is_filtered_by_state_campaign_and_reference(self, world: World) -> None:
        line = await full(world)
        one, other = await stock(line.site, 2)
        await line.site.hunter.post(f"{one.path}/qualifications", {"external_ref": "crm-7"})
        assert (await submit(other)).status_code == 202
        await leave(other)

        async def ids(**params: Any) -> list[str]:
            read = await line.site.isv.client.read("/v1/waiting-qualifications", params=params)
            return [row["candidate_id"] for row in read["data"]]

        assert await ids(status="waiting") == [one.id]
        assert await ids(status="withdrawn") == [other.id]
        assert await ids(external_ref="crm-7") == [one.id]
        assert await ids(campaign_id=line.site.campaign["id"], limit=1) == [one.id]

    async def test_the_candidate_says_that_it_waits(self, world: World) -> None:
        line = await full(world, waiting=1)
        (worked,) = line.waiting
        (row,) = await line.rows()
        for by in (line.site.isv.client, line.site.hunter):
            over_cap = (await worked.read(by))["over_cap"]
            assert decode("wait", over_cap["waiting_qualification_id"]) == row.id
        assert (await line.held[0].worked.read())["over_cap"] is None
