"""Who waits is admitted when there is room: first come first, frozen, dated from the admission."""

import hashlib
import json
from datetime import timedelta
from typing import Any

from flatbed.app.candidates.models import Candidate, Transition
from flatbed.app.qualifications.models import Qualification, QualificationReview
from flatbed.billing.facade import month_end
from flatbed.billing.usage.models import UsageEntry
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import decode, encode
from tests.api.support import World
from tests.candidates.factory import Site, site
from tests.qualifications.factory import CALENDAR, Qualified, instant, qualify, submit
from tests.qualifications.guarantee.claims import billed, books, close_months
from tests.qualifications.stock import stock
from tests.qualifications.test_concurrency import findings
from tests.qualifications.waiting.line import Line, full


async def born(line: Line, number: int = 0) -> Qualification:
    """What the reservation at this place of the line became."""
    row = (await line.rows())[number]
    assert row.qualification_id is not None
    (made,) = await line.site.rows(Qualification, Qualification.id == row.qualification_id)
    assert isinstance(made, Qualification)
    return made


class TestTriggers:
    async def test_a_void_lets_the_first_in(self, world: World) -> None:
        """A job admits waiting ones, first come first, when a void makes room."""
        line = await full(world, waiting=2)
        await line.admissions()
        assert await line.states() == ["waiting", "waiting"]
        await line.void(line.held[0])
        await line.admissions()
        assert await line.states() == ["admitted", "waiting"]
        assert await line.counted() == 1
        (voided,) = await line.site.rows(Candidate, Candidate.id == line.held[0].worked.uuid)
        assert voided.entry_id is None
        assert (await submit(line.held[0].worked)).status_code == 202
        assert await findings(line.site) == []

    async def test_a_raised_cap_lets_as_many_in_as_it_has_room_for(self, world: World) -> None:
        """When the ISV's opt-in makes room: it raises its cap."""
        line = await full(world, waiting=3)
        await line.change(caps={"units_total": 3})
        await line.admissions()
        assert await line.states() == ["admitted", "admitted", "waiting"]
        assert await findings(line.site) == []

    async def test_going_on_beyond_what_was_ordered_lets_them_in(self, world: World) -> None:
        """When the ISV's opt-in makes room: it lets the campaign go on after it is filled."""
        line = await full(world, waiting=2, caps={}, quantity=1)
        assert (await line.held[0].accept()).status_code == 200
        await line.admissions()
        assert await line.states() == ["waiting", "waiting"]
        await line.change(continue_after_fill=True)
        await line.admissions()
        assert await line.states() == ["admitted", "admitted"]
        campaign = await line.site.isv.client.read(line.site.path)
        assert campaign["status"] == "filled"

    async def test_the_next_local_month_lets_the_first_in_at_its_very_beginning(
        self, world: World
    ) -> None:
        """First come first, when the next month makes room.

        The clock leaps over the month's beginning: it happens at its own instant all the same.
        """
        line = await full(world, waiting=3, caps={"units_month": 1})
        zone = CALENDAR.zone
        first = month_end(line.site.now(), zone)
        gap = first - line.site.now()
        await line.site.advance(seconds=int(gap.total_seconds()) + 3 * 86_400)
        assert await line.states() == ["admitted", "waiting", "waiting"]
        made = await born(line)
        assert made.qualified_at == first
        (entry,) = await line.site.rows(UsageEntry, UsageEntry.id == made.entry_id)
        local = first.astimezone(zone)
        assert entry.month == f"{local.year:04}-{local.month:02}"
        assert made.accept_by == CALENDAR.end_of(10, first)
        assert await findings(line.site) == []

    async def test_each_month_has_its_own_room(self, world: World) -> None:
        line = await full(world, caps={"units_month": 1})
        # So late that two months begin within the thirty days.
        zone = CALENDAR.zone
        now = line.site.now()
        while True:
            now = month_end(now, zone)
            if month_end(now, zone) - now < timedelta(days=29):
                break
        late = now - timedelta(hours=3)
        await line.site.advance(seconds=int((late - line.site.now()).total_seconds()))
        (filler,) = await stock(line.site)
        assert (await submit(filler)).status_code == 201
        await line.join(2)
        await line.site.advance(days=29, hours=5)
        assert await line.states() == ["admitted", "admitted"]
        first, second = await born(line, 0), await born(line, 1)
        assert (first.qualified_at, second.qualified_at) == (now, month_end(now, zone))

    async def test_money_that_a_closing_gives_back_lets_the_first_in(self, world: World) -> None:
        """Each unit holds the highest price until the closing says what it costs."""
        # Two hold 9,000 and cost 5,500; with a third at 4,500 that is the whole cap.
        tiers = [{"from_unit": 2, "unit_price": 100_000}]
        caps = {"money_total": 1_000_000}
        line = Line(await site(world, tiers=tiers, caps=caps, quantity=9))
        await books(world)
        # So late that the month is over before anybody is let in; if it is too late, the next one.
        now, day = line.site.now(), timedelta(days=1)
        late = month_end(now + day, CALENDAR.zone) - day
        await line.site.advance(seconds=int((late - now).total_seconds()) + 1)
        for worked in await stock(line.site, 2):
            line.held.append(await qualify(worked))
            assert (await line.held[-1].accept()).status_code == 200
        await line.join()
        await close_months(world)
        await line.site.advance(days=5)
        await line.admissions()
        assert await line.states() == ["waiting"]
        await line.site.advance(days=2)
        assert await billed(line.held[0]) == [450_000, 100_000]
        await line.admissions()
        assert await line.states() == ["admitted"]
        assert await findings(line.site) == []

    async def test_a_cap_raised_while_it_was_being_decided_is_not_missed(
        self, world: World, admin_connection: Plain
    ) -> None:
        """The job of who raised it ran before the reservation was committed, and saw nobody."""
        line = await full(world)
        await line.admissions()
        await line.join()
        await admin_connection.execute(
            "UPDATE campaign SET cap_units_total = 2 WHERE id = $1",
            decode("camp", line.site.campaign["id"]),
        )
        await line.admissions()
        assert await line.states() == ["admitted"]


class TestWhatIsAdmitted:
    async def test_it_dates_from_the_admission_and_its_dossier_says_both_instants(
        self, world: World
    ) -> None:
        line = await full(world, waiting=1)
        (worked,) = line.waiting
        (waited,) = await line.rows()
        await line.site.advance(days=9)
        for _ in range(3):
            await worked.push()
        await line.change(caps={"units_total": 2})

        await line.admissions()

        made = await born(line)
        assert made.qualified_at - waited.created_at > timedelta(days=9)
        assert made.accept_by == CALENDAR.end_of(10, made.qualified_at)
        shown = await Qualified(worked, encode("qual", made.id)).read()
        dossier = shown["dossier"]
        assert instant(dossier["judged_at"]) == waited.created_at
        assert instant(dossier["qualified_at"]) == made.qualified_at
        assert dossier["over_cap"] == {
            "id": encode("wait", waited.id),
            "since": dossier["judged_at"],
            "dossier_hash": waited.dossier_hash,
        }
        assert digest(dossier) == made.dossier_hash
        assert digest({**dossier, "qualified_at": None, "over_cap": None}) == waited.dossier_hash
        (entry,) = await line.site.rows(UsageEntry, UsageEntry.id == made.entry_id)
        assert (entry.evidence_hash, entry.amount) == (made.dossier_hash, 450_000)
        assert entry.agent_ref == decode("staff", line.site.hunter_staff.id)
        (moved,) = await line.site.rows(
            Transition,
            Transition.candidate_id == worked.uuid,
            Transition.to_stage == "qualified",
        )
        assert moved.criteria == waited.criteria
        due = {one.kind: one.due_at for one in await line.site.open_deadlines(worked.id)}
        assert due["qualification.acceptance"] == made.accept_by
        assert not [kind for kind in due if kind.startswith("waiting.")]
        (event,) = await Qualified(worked, "").events("waiting_qualification.admitted")
        assert event["qualification_id"] == encode("qual", made.id)
        assert (await submit(worked)).json()["code"] == "already-qualified"

    async def test_the_submitters_reference_and_metadata_go_with_it(self, world: World) -> None:
        line = await full(world)
        (worked,) = await stock(line.site)
        body = {"external_ref": "crm-7", "metadata": {"team": "north"}}
        made = await line.site.hunter.post(f"{worked.path}/qualifications", body)
        assert made.status_code == 202
        assert (made.json()["external_ref"], made.json()["metadata"]) == ("crm-7", body["metadata"])
        await line.change(caps={"units_total": 2})
        await line.admissions()
        row = await born(line)
        assert (row.external_ref, row.metadata_) == ("crm-7", body["metadata"])

    async def test_the_unit_is_the_hunters_who_worked_it_then(self, world: World) -> None:
        line = await full(world, waiting=1)
        (worked,) = line.waiting
        heir = await world.staff("hunter", new=True)
        live = await world.admin.read("/v1/assignments", params={"candidate_id": worked.id})
        for one in live["data"]:
            if one["ended_at"] is None:
                await line.site.lead.made(f"/v1/assignments/{one['id']}/end")
        body = {"kind": "candidate", "staff_id": heir.id, "candidate_id": worked.id}
        await line.site.lead.made("/v1/assignments", body)
        await line.change(caps={"units_total": 2})
        await line.admissions()
        made = await born(line)
        (entry,) = await line.site.rows(UsageEntry, UsageEntry.id == made.entry_id)
        assert entry.agent_ref == decode("staff", line.site.hunter_staff.id)

    async def test_who_submitted_it_had_a_hand_in_it(self, world: World) -> None:
        """A lead who submitted does not decide, although the job has moved the candidate."""
        line = await full(world)
        (worked,) = await stock(line.site)
        assert (await submit(worked, line.site.lead)).status_code == 202
        await line.change(caps={"units_total": 2})
        await line.admissions()
        one = Qualified(worked, encode("qual", (await born(line)).id))
        await one.answered()
        refused = await one.decide("confirmed")
        assert (refused.status_code, refused.json()["code"]) == (403, "decider-involved")
        other = (await world.staff("lead", new=True)).at(line.site.isv)
        assert (await one.decide("confirmed", other)).status_code == 200

    async def test_a_push_left_out_and_said_while_it_waited_opens_a_review(
        self, world: World
    ) -> None:
        """A push said later to have been left out opens a review by an uninvolved lead."""
        line = await full(world, waiting=2)
        first, second = line.waiting
        (waited, _) = await line.rows()
        at = (waited.created_at - timedelta(hours=30)).isoformat()
        said = await first.touch("push", by=line.site.hunter, side="agency", occurred_at=at)
        await second.push()
        await line.change(caps={"units_total": 9})
        await line.admissions()
        assert await line.states() == ["admitted", "admitted"]
        (review,) = await line.site.rows(QualificationReview)
        assert review.qualification_id == (await born(line)).id
        assert encode("touch", review.touchpoint_id) == said["id"]

    async def test_a_push_between_the_gates_and_the_admission_opens_none(
        self, world: World
    ) -> None:
        line = await full(world, waiting=1)
        (worked,) = line.waiting
        (waited,) = await line.rows()
        await line.site.advance(days=3)
        await line.change(caps={"units_total": 9})
        await line.admissions()
        at = (waited.created_at + timedelta(hours=30)).isoformat()
        await worked.touch("push", by=line.site.hunter, side="agency", occurred_at=at)
        assert not await line.site.rows(QualificationReview)


def digest(dossier: dict[str, Any]) -> str:
    text = json.dumps(dossier, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


class TestWhatHoldsItUp:
    async def test_while_the_campaign_is_paused_nobody_is_admitted(self, world: World) -> None:
        line = await full(world, waiting=1)
        await line.site.lead.made(f"{line.site.path}/pause")
        await line.change(caps={"units_total": 2})
        await line.admissions()
        assert await line.states() == ["waiting"]
        await line.site.lead.made(f"{line.site.path}/resume")
        await line.admissions()
        assert await line.states() == ["admitted"]

    async def test_a_campaign_that_is_over_sends_them_away(self, world: World) -> None:
        line = await full(world, waiting=2)
        await line.site.lead.made(f"{line.site.path}/close")
        await line.admissions()
        assert [(one.status, one.end_reason) for one in await line.rows()] == [
            ("withdrawn", "campaign_ended")
        ] * 2
        assert await line.counted() == 0

    async def test_one_whose_exclusion_waits_for_a_lead_is_passed_by_and_keeps_its_place(
        self, world: World
    ) -> None:
        line = await full(world, waiting=2)
        first, _ = line.waiting
        domain = (await first.read(line.site.lead))["company"]["domain"]
        asked = await line.site.isv.client.made("/v1/exclusions", {"domain": domain})
        assert asked["status"] == "pending_consent"
        await line.change(caps={"units_total": 2})
        await line.admissions()
        assert await line.states() == ["waiting", "admitted"]
        body = {"consent": False, "reason": "We worked it for a year."}
        await line.site.lead.made(f"/v1/exclusions/{asked['id']}/consent", body)
        await line.change(caps={"units_total": 3})
        await line.admissions()
        assert await line.states() == ["admitted", "admitted"]

    async def test_a_lead_who_consents_to_the_exclusion_ends_it(self, world: World) -> None:
        """A voiding conflict ends it."""
        line = await full(world, waiting=1)
        (worked,) = line.waiting
        domain = (await worked.read(line.site.lead))["company"]["domain"]
        asked = await line.site.isv.client.made("/v1/exclusions", {"domain": domain})
        body = {"consent": True, "reason": "Known since May."}
        await line.site.lead.made(f"/v1/exclusions/{asked['id']}/consent", body)
        await line.admissions()
        (row,) = await line.rows()
        assert (row.status, row.end_reason) == ("withdrawn", "conflict")

    async def test_a_unit_that_was_billed_meanwhile_ends_unbilled_and_frees_the_line(
        self, world: World
    ) -> None:
        """The ledger's unit key decides at admission: nothing is billed twice."""
        line = await full(world)
        group = await world.admin.made("/v1/company-groups", {"name": "One group"})
        grp = decode("grp", group["id"])
        (first,) = await stock(line.site, group_id=grp)
        assert (await submit(first)).status_code == 202
        await line.join()
        # The same group in the same programme, by another campaign that has room.
        like = line.site.campaign
        body = {name: like[name] for name in ("offering_id", "profile_id", "revenue_floor")}
        body |= {"name": "Other", "programme": "dach", "quantity": 3}
        other = await line.site.isv.client.made("/v1/campaigns", body)
        path = f"/v1/campaigns/{other['id']}"
        await line.site.isv.client.made(f"{path}/order")
        await line.site.lead.made(f"{path}/start")
        place = Site(world, line.site.isv, line.site.lead_staff, line.site.hunter_staff, other)
        (twin,) = await stock(place, group_id=grp)
        await qualify(twin)
        await line.change(caps={"units_total": 2})
        await line.admissions()
        assert [(one.status, one.end_reason) for one in await line.rows()] == [
            ("withdrawn", "already_billed"),
            ("admitted", None),
        ]
        assert await findings(line.site) == []
