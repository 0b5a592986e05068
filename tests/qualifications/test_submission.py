"""Submission: everything at once, or nothing."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from flatbed.app.candidates.models import Candidate, Contact, Transition
from flatbed.app.qualifications.models import Qualification
from flatbed.billing.usage.models import UsageEntry
from flatbed.tenants.kit.database.kernel_tables import Deadline
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode
from tests.api.support import World
from tests.candidates.factory import Site, Worked, site
from tests.qualifications.factory import (
    CALENDAR,
    Qualified,
    instant,
    qualified,
    qualify,
    ready,
    submit,
)
from tests.qualifications.stock import PLAN, stock

TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
"""


async def counted(connection: Plain) -> dict[str, int]:
    """The rows of every table; the superuser sees all of them.

    The access log is left out: a request of staff is logged whatever it is answered.
    """
    names = {row["relname"] for row in await connection.fetch(TABLES)} - {"access_log"}
    return {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in names}


async def usage(site: Site) -> list[dict[str, Any]]:
    listed = await site.isv.client.read("/v1/usage", params={"limit": 200})
    lines: list[dict[str, Any]] = listed["data"]
    return lines


async def failing(worked: Worked) -> set[str]:
    """The criteria for which a submission is refused."""
    answer = await submit(worked)
    assert (answer.status_code, answer.json()["code"]) == (409, "gate-failed")
    return {one["criterion"] for one in answer.json()["criteria"] if not one["passed"]}


async def unfit(worked: Worked) -> None:
    body = {"criterion": "reach", "value": 10, "reason": "Nobody.", "source_kind": "press"}
    await worked.record("judgements", **body)


async def replan(worked: Worked, *left_out: str, revenue: int = 60_000_000) -> None:
    numbers = {**PLAN, "revenue_target": revenue}
    fields = [
        {"name": name, "value": None if name in left_out else value, "author": "hunter"}
        for name, value in numbers.items()
    ]
    await worked.record("plan", fields=fields)


async def object_to(worked: Worked) -> None:
    await worked.record("objections", contact_id=worked.chief, source="He wrote so.")


async def claim(worked: Worked) -> None:
    company = (await worked.read())["company"]
    await worked.site.isv.client.made("/v1/exclusions", {"domain": company["domain"]})


async def reach_out(worked: Worked) -> None:
    at = (worked.site.now() - timedelta(minutes=1)).isoformat()
    await worked.push(channel="phone", occurred_at=at)


BENDS: dict[str, Callable[[Worked], Awaitable[None]]] = {
    "fit": unfit,
    "revenue": partial(replan, revenue=40_000_000),
    "plan": lambda worked: replan(worked, "investment"),
    "objection": object_to,
    "conflict": claim,
    "outreach": reach_out,
}


class TestSubmit:
    async def test_a_candidate_led_there_over_http_is_qualified_and_metered_at_once(
        self, world: World
    ) -> None:
        """Qualifying is ONE transaction: gates, evidence snapshot and hash, usage, audit, event.

        The billable birth. Is stored with the transition.
        """
        (worked,) = await ready(await site(world))
        dry = await worked.gates("qualified")
        assert dry["passed"], dry

        answer = await submit(worked)

        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert answer.headers["location"] == f"/v1/qualifications/{made['id']}"
        assert answer.headers["etag"] == '"1"'
        assert (made["status"], made["generation"]) == ("pending", 1)
        (entry,) = await usage(worked.site)
        assert (entry["entry_id"], entry["state"]) == (made["entry_id"], "pending")
        assert (await worked.read())["stage"] == "qualified"
        (candidate,) = await worked.site.rows(Candidate, Candidate.id == worked.uuid)
        assert candidate.entry_id == decode("use", made["entry_id"])
        one = Qualified(worked, made["id"])
        (event,) = await one.events("qualification.submitted")
        assert event["dossier_hash"] == made["dossier_hash"]
        kept = await worked.site.rows(Transition, Transition.to_stage == "qualified")
        assert [row.kind for row in kept] == ["forward"]
        assert {c["criterion"] for c in kept[0].criteria} == {
            c["criterion"] for c in dry["criteria"]
        }

    async def test_the_term_of_ten_business_days_begins_with_it(self, world: World) -> None:
        """Acceptance 10 business days (the tenant's country calendar), reminders on day 5 and 8."""
        one = await qualified(world)
        made = await one.read()
        start = instant(made["qualified_at"])
        assert instant(made["accept_by"]) == CALENDAR.end_of(10, start)
        due = {row.kind: row.due_at for row in await one.site.open_deadlines(one.worked.id)}
        assert due == {
            "qualification.acceptance": CALENDAR.end_of(10, start),
            "qualification.reminder_5": CALENDAR.begin_of(5, start),
            "qualification.reminder_8": CALENDAR.begin_of(8, start),
        }

    async def test_a_push_since_the_decision_fails_the_gate_by_name_as_in_the_dry_run(
        self, world: World
    ) -> None:
        """Without a push by hunter or agency: the hands-off test."""
        (worked,) = await stock(await site(world))
        for days in (9, 6, 3):
            at = worked.site.now() - timedelta(days=days)
            lead = worked.site.lead
            await worked.touch("push", by=lead, side="agency", occurred_at=at.isoformat())
        dry = await worked.gates("qualified")

        answer = await submit(worked)

        assert (answer.status_code, answer.json()["code"]) == (409, "gate-failed")
        failing = {c["criterion"] for c in answer.json()["criteria"] if not c["passed"]}
        assert "qualified.hands_off" in failing
        assert failing == {c["criterion"] for c in dry["criteria"] if not c["passed"]}
        assert not await usage(worked.site)
        assert (await worked.read())["stage"] == "business_planning"

    async def test_what_was_only_attested_never_passes(self, world: World) -> None:
        """The three proactive touches and the one in the hands-off window must be proven."""
        (worked,) = await stock(await site(world), provenance="attested")
        assert await failing(worked) == {
            "qualified.proactive",
            "qualified.committing",
            "qualified.hands_off",
        }

    async def test_a_lead_who_looks_at_the_sources_makes_them_count(self, world: World) -> None:
        (worked,) = await stock(await site(world), provenance="attested")
        listed = await worked.site.isv.client.read(f"{worked.path}/touchpoints")
        for row in listed["data"]:
            if row["side"] == "partner":
                body = {"class": row["class"], "source_seen": "The mails themselves."}
                await worked.site.lead.made(f"/v1/touchpoints/{row['id']}/audit", body)
        assert (await submit(worked)).status_code == 201

    @pytest.mark.parametrize(
        ("bend", "criterion"),
        [
            ("fit", "qualified.fit"),
            ("revenue", "qualified.revenue_floor"),
            ("plan", "qualified.plan"),
            ("objection", "qualified.no_objection"),
            ("conflict", "qualified.no_conflict"),
            ("outreach", "qualified.lawful_outreach"),
        ],
    )
    async def test_each_part_of_the_definition_is_asked_for(
        self, world: World, bend: str, criterion: str
    ) -> None:
        """Fit, plan at or above the floor, lawful outreach, no open objection or conflict."""
        (worked,) = await stock(await site(world))
        await BENDS[bend](worked)
        assert criterion in await failing(worked)
        assert not await usage(worked.site)

    async def test_a_company_group_is_billed_once_per_programme(self, world: World) -> None:
        """Not billed before in (tenant, programme, company group)."""
        place = await site(world)
        group = await world.admin.made("/v1/company-groups", {"name": "One group"})
        first, second = await stock(place, 2, group_id=decode("grp", group["id"]))
        await qualify(first)
        answer = await submit(second)
        assert (answer.status_code, answer.json()["code"]) == (409, "gate-failed")
        failing = {c["criterion"] for c in answer.json()["criteria"] if not c["passed"]}
        assert failing == {"qualified.not_billed"}
        assert len(await usage(place)) == 1

    async def test_two_of_one_group_at_once_are_billed_once(self, world: World) -> None:
        place = await site(world)
        group = await world.admin.made("/v1/company-groups", {"name": "One group"})
        both = await stock(place, 2, group_id=decode("grp", group["id"]))
        answers = await asyncio.gather(*(submit(one) for one in both))
        codes = sorted(answer.status_code for answer in answers)
        assert codes == [201, 409]
        refused = next(one.json() for one in answers if one.status_code == 409)
        assert refused["code"] in {"already-billed", "gate-failed"}
        assert len(await usage(place)) == 1

    async def test_a_repeat_under_the_same_key_gets_the_first_answer(self, world: World) -> None:
        (worked,) = await stock(await site(world))
        first = await submit(worked, key="once")
        second = await submit(worked, key="once")
        assert second.json() == first.json()
        assert second.headers["idempotent-replayed"] == "true"
        assert len(await usage(worked.site)) == 1

    async def test_a_second_submission_finds_the_entry(self, world: World) -> None:
        one = await qualified(world)
        answer = await submit(one.worked)
        assert (answer.status_code, answer.json()["code"]) == (409, "already-qualified")

    async def test_only_the_hunter_of_the_candidate_or_a_lead_submits(self, world: World) -> None:
        worked, other = await stock(await site(world), 2)
        stranger = await world.staff("hunter", new=True)
        assert (await submit(worked, stranger.client)).status_code == 404
        assert (await submit(worked, worked.site.isv.client)).status_code == 403
        assert (await submit(other, worked.site.lead)).status_code == 201

    async def test_a_hunter_sees_no_price(self, world: World) -> None:
        (worked,) = await stock(await site(world))
        assert (await submit(worked)).json()["unit_price"] is None
        path = f"{worked.path}/qualifications"
        hunters = await worked.site.hunter.read(path)
        assert [row["unit_price"] for row in hunters["data"]] == [None]
        isvs = await worked.site.isv.client.read(path)
        assert [row["unit_price"] for row in isvs["data"]] == [450_000]


class TestDossier:
    async def test_anybody_can_hash_it_again_and_finds_the_ledgers_hash(self, world: World) -> None:
        """A frozen evidence dossier and its hash."""
        one = await qualified(world)
        made = await one.read()
        text = json.dumps(
            made["dossier"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        assert hashlib.sha256(text.encode()).hexdigest() == made["dossier_hash"]
        entry_id = decode("use", made["entry_id"])
        (entry,) = await one.site.rows(UsageEntry, UsageEntry.id == entry_id)
        assert entry.evidence_hash == made["dossier_hash"]

    async def test_it_carries_the_computation_behind_every_figure(self, world: World) -> None:
        dossier = (await (await qualified(world)).read())["dossier"]
        msi = dossier["msi"]
        points = [float(one["points"]) for one in msi["touches"] if one["side"] == "partner"]
        assert abs(sum(points) - float(msi["partner"])) < 1e-9
        ours, kappa = float(msi["ours"]), float(msi["kappa"])
        value = 100 * sum(points) / (sum(points) + ours + kappa)
        assert abs(value - float(msi["value"])) < 1e-9
        assert all(one["passed"] for one in dossier["criteria"])
        assert float(dossier["hands_off"]["hours"]) >= 168
        assert dossier["hands_off"]["signals"]
        assert dossier["decision"]["role"] == "managing director"
        assert dossier["price"]["unit_price"] == 450_000
        assert len(dossier["facts"]) == 3
        assert float(dossier["fit"]["value"]) >= dossier["campaign"]["fit_floor"]

    async def test_it_names_people_by_id_and_holds_none_of_their_words(self, world: World) -> None:
        one = await qualified(world)
        text = json.dumps((await one.read())["dossier"])
        (person,) = await one.site.rows(Contact)
        assert person.name not in text
        assert "We become a partner." not in text
        assert "two consultants" not in text

    async def test_what_is_recorded_later_does_not_change_it(self, world: World) -> None:
        one = await qualified(world)
        before = await one.read()
        await one.worked.touch("P3", text="One more.")
        after = await one.read()
        assert (after["dossier"], after["dossier_hash"]) == (
            before["dossier"],
            before["dossier_hash"],
        )


class TestLeavingQualified:
    """Leaving `qualified` by a backward move or an exit, unvoided, keeps the entry."""

    async def test_coming_back_meters_nothing(self, world: World) -> None:
        """Coming back meters nothing. Nothing is billed twice."""
        one = await qualified(world)
        await one.worked.moved("business_planning", reason="The plan changes.")
        assert [line["state"] for line in await usage(one.site)] == ["pending"]
        assert (await submit(one.worked)).json()["code"] == "already-qualified"
        await one.worked.moved("qualified")
        assert [line["state"] for line in await usage(one.site)] == ["pending"]
        assert len(await one.site.rows(Qualification)) == 1

    async def test_an_exit_keeps_the_entry_and_silence_still_accepts(self, world: World) -> None:
        one = await qualified(world)
        await one.worked.moved("exited", reason="insolvency")
        assert (await one.read())["status"] == "pending"
        await one.until(instant((await one.read())["accept_by"]))
        assert [line["state"] for line in await usage(one.site)] == ["accepted"]

    async def test_a_void_after_it_has_left_takes_the_entry_and_leaves_the_stage(
        self, world: World
    ) -> None:
        one = await qualified(world)
        await one.worked.moved("discovering", reason="He hesitates.")
        await one.answered()
        assert (await one.decide("voided")).status_code == 200
        (candidate,) = await one.site.rows(Candidate, Candidate.id == one.worked.uuid)
        assert (candidate.stage, candidate.entry_id) == ("discovering", None)
        assert not await one.site.rows(Deadline, Deadline.done_at.is_(None))
