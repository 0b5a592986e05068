"""No free rides: a company worked far that the ISV contracts itself is billed."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from flatbed.app.qualifications.repository import qualified_entries
from flatbed.billing.facade import verify_ledger
from flatbed.billing.usage.models import UsageEntry
from flatbed.tenants.kit.canonical import digest
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import decode
from tests.api.support import Client, World
from tests.candidates.factory import CALLER, Worked, site
from tests.qualifications.factory import Qualified, instant, qualify, submit
from tests.qualifications.guarantee.claims import (
    FOUND,
    NOT_FOUND,
    PROOF,
    contracted,
    report,
    reported,
    today,
)
from tests.qualifications.guarantee.test_replacement import PRICE
from tests.qualifications.stock import stock
from tests.qualifications.test_disputes import cards, refused
from tests.qualifications.waiting.line import full


async def left(world: World, **campaign: Any) -> Worked:
    """A candidate who was worked far and has left the pipeline."""
    (worked,) = await stock(await site(world, **campaign))
    await worked.moved("exited", reason="wrong_fit_discovered")
    return worked


async def decide(
    worked: Worked, path: str, by: Client | None = None, body: dict[str, str] = FOUND
) -> Any:
    """A lead confirms it."""
    return await (by or worked.site.lead).post(f"{path}/decision", body)


async def billed(worked: Worked) -> Qualified:
    """The unit of a free ride that was confirmed."""
    answer = await decide(worked, await reported(worked))
    assert answer.status_code == 200, answer.text
    return Qualified(worked, answer.json()["qualification_id"])


async def voided_as_known(worked: Worked) -> None:
    """His unit is voided: the ISV has proved that it knew the company before."""
    one = await qualify(worked)
    found = datetime.fromisoformat((await worked.read())["created_at"]).date()
    contacts = [
        {"on": (found - timedelta(days=9)).isoformat(), "direction": direction}
        for direction in ("from_partner", "to_partner")
    ]
    proof = {"kind": "already_known_proof", "description": "Mails.", "contacts": contacts}
    made = await one.dispute(criterion="already_known", evidence=[proof])
    assert made.status_code == 201, made.text
    assert (await one.answer()).status_code == 200
    assert (await one.decide("voided")).status_code == 200


class TestReport:
    async def test_isv_and_agency_report_it_with_evidence(self, world: World) -> None:
        worked = await left(world)
        answer = await contracted(worked)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert (made["status"], made["qualification_id"]) == ("reported", None)
        assert made["evidence"] == [{**PROOF, "touchpoint_id": None}]
        stored = await worked.site.isv.client.read(answer.headers["location"])
        assert stored == made
        (card,) = await cards(world, kind="free_ride")
        assert (card["id"], card["state"], card["qualification_id"]) == (made["id"], "open", None)
        other = await left(world)
        assert (await contracted(other, other.site.lead)).status_code == 201

    async def test_it_is_reported_once_unless_it_was_refused(self, world: World) -> None:
        worked = await left(world)
        path = await reported(worked)
        assert refused(await contracted(worked)) == (409, "free-ride-exists")
        made = (await decide(worked, path, body=NOT_FOUND)).json()
        assert (made["status"], made["qualification_id"]) == ("refused", None)
        assert (await contracted(worked)).status_code == 201

    async def test_who_was_not_worked_to_discovering_is_free(self, world: World) -> None:
        """From `discovering` on."""
        place = await site(world)
        worked = await place.found()
        await worked.to("engaged")
        await worked.moved("exited", reason="wrong_fit_discovered")
        answer = await contracted(worked)
        assert refused(answer) == (409, "not-a-free-ride")
        failing = [one["criterion"] for one in answer.json()["criteria"] if not one["passed"]]
        assert "free_ride.worked" in failing

    async def test_who_went_back_counts_with_what_he_had_reached(self, world: World) -> None:
        place = await site(world)
        worked = await place.found()
        await worked.to("discovering")
        await worked.moved("targeted", reason="He cooled down.")
        await worked.moved("exited", reason="wrong_fit_discovered")
        assert (await contracted(worked)).status_code == 201

    async def test_the_window_is_180_days_after_the_exit(self, world: World) -> None:
        """That the ISV contracts within 180 days."""
        worked = await left(world)
        ended = today(worked.site)
        await worked.site.advance(days=200)
        late = await contracted(worked, on=ended + timedelta(days=181))
        assert refused(late) == (409, "not-a-free-ride")
        assert (await contracted(worked, on=ended + timedelta(days=180))).status_code == 201

    async def test_the_window_begins_with_the_end_of_the_campaign_too(self, world: World) -> None:
        (worked,) = await stock(await site(world))
        ended = today(worked.site)
        await worked.site.isv.client.made(f"{worked.site.path}/cancel")
        await worked.site.advance(days=170)
        # The exit comes later and prolongs nothing.
        await worked.moved("exited", reason="campaign_closed")
        await worked.site.advance(days=30)
        late = await contracted(worked, on=ended + timedelta(days=181))
        assert refused(late) == (409, "not-a-free-ride")
        assert (await contracted(worked, on=ended + timedelta(days=180))).status_code == 201

    async def test_a_contract_of_before_the_work_is_no_free_ride(self, world: World) -> None:
        worked = await left(world)
        early = today(worked.site) - timedelta(days=300)
        assert refused(await contracted(worked, on=early)) == (409, "not-a-free-ride")

    async def test_who_is_still_worked_is_billed_as_well(self, world: World) -> None:
        (worked,) = await stock(await site(world))
        assert (await billed(worked)).id

    async def test_who_is_billed_already_is_not_billed_again(self, world: World) -> None:
        (worked,) = await stock(await site(world))
        await qualify(worked)
        assert refused(await contracted(worked)) == (409, "already-qualified")

    async def test_who_was_found_to_be_known_before_is_billed_by_no_contract(
        self, world: World
    ) -> None:
        """What was voided as already known does not come back as a free ride."""
        (worked,) = await stock(await site(world))
        await voided_as_known(worked)
        answer = await contracted(worked)
        assert refused(answer) == (409, "not-a-free-ride")
        failing = [one["criterion"] for one in answer.json()["criteria"] if not one["passed"]]
        assert failing == ["free_ride.not_known_before"]

    async def test_another_partners_word_proves_nothing(self, world: World) -> None:
        worked, other = await stock(await site(world), 2)
        touch = (await other.touch("P2", text="We have signed."))["id"]
        proof = {"kind": "touchpoint", "description": "He says so.", "touchpoint_id": touch}
        answer = await contracted(worked, evidence=[proof])
        assert refused(answer) == (422, "reference-not-found")
        assert (await contracted(other, evidence=[proof])).status_code == 201

    async def test_nobody_contracts_tomorrow(self, world: World) -> None:
        worked = await left(world)
        answer = await contracted(worked, on=today(worked.site) + timedelta(days=1))
        assert refused(answer) == (422, "invalid-request")

    async def test_another_isv_learns_nothing(self, world: World) -> None:
        worked = await left(world)
        path = await reported(worked)
        other = await world.isv()
        assert (await contracted(worked, other.client)).status_code == 404
        assert (await other.client.get(path)).status_code == 404
        assert (await decide(worked, path, worked.site.lead_staff.at(other))).status_code == 404
        assert not (await other.client.read("/v1/free-rides"))["data"]


class TestConfirm:
    async def test_the_company_is_billed_at_the_frozen_price(self, world: World) -> None:
        """Is billed at the frozen price."""
        worked = await left(world)
        raised = {"name": f"dearer-{worked.id}", "currency": "EUR", "unit_price": 990_000}
        await world.admin.made("/v1/price-lists", raised)
        one = await billed(worked)
        made = await one.read()
        assert (made["origin"], made["status"], made["unit_price"]) == (
            "free_ride",
            "pending",
            PRICE,
        )
        assert [line["amount"] for line in await one.entries()] == [PRICE]
        dossier = made["dossier"]
        assert digest(dossier) == made["dossier_hash"]
        assert all(row["passed"] for row in dossier["criteria"])
        assert dossier["contract"]["contracted_on"] == today(worked.site).isoformat()
        assert "fair" not in str(dossier)
        stood = await worked.read(worked.site.lead)
        assert (stood["stage"], stood["status"]) == ("business_planning", "exited")
        (card,) = await cards(world, kind="free_ride")
        assert (card["state"], card["qualification_id"]) == ("confirmed", one.id)
        (event,) = await one.events("free_ride.confirmed")
        assert event["qualification_id"] == one.id

    async def test_it_waits_for_the_isv_and_silence_accepts(self, world: World) -> None:
        one = await billed(await left(world))
        await one.until(instant((await one.read())["accept_by"]))
        made = await one.read()
        assert (made["status"], made["accepted_basis"]) == ("accepted", "silence")
        assert (await one.site.isv.client.read(one.site.path))["accepted_count"] == 1

    async def test_caps_do_not_refuse_it_and_count_it(self, world: World) -> None:
        line = await full(world)
        (worked,) = await stock(line.site)
        await worked.moved("exited", reason="wrong_fit_discovered")
        one = await billed(worked)
        assert (await one.read())["unit_price"] == PRICE
        (other,) = await stock(line.site)
        assert (await submit(other)).status_code == 202
        async with world.program.database.tenant(
            realm_id=world.realm_id,
            tenant_id=line.site.isv.tenant_id,
            caller=CALLER,
            clock=Clock(),
        ) as session:
            assert not await verify_ledger(session, expected=qualified_entries)

    async def test_who_waits_over_a_cap_waits_no_more(self, world: World) -> None:
        line = await full(world, waiting=1)
        await billed(line.waiting[0])
        (row,) = await line.rows()
        assert (row.status, row.end_reason) == ("withdrawn", "already_billed")

    async def test_once_per_company_group_and_programme(self, world: World) -> None:
        """Once per company group and programme as always."""
        group = await world.admin.made("/v1/company-groups", {"name": "Twins"})
        place = await site(world)
        first, second = await stock(place, 2, group_id=decode("grp", group["id"]))
        await second.moved("exited", reason="wrong_fit_discovered")
        await qualify(first)
        path = await reported(second)
        answer = await decide(second, path)
        assert refused(answer) == (409, "already-billed")
        assert (await place.isv.client.read(path))["status"] == "reported"
        assert len(await place.rows(UsageEntry)) == 1

    async def test_it_is_disputed_by_its_own_criteria_and_voided(self, world: World) -> None:
        one = await billed(await left(world))
        answer = await one.dispute(criterion="free_ride.within_180_days")
        assert answer.status_code == 201, answer.text
        await one.answer()
        assert (await one.decide("voided")).json()["status"] == "voided"
        assert [line["state"] for line in await one.entries()] == ["cancelled"]
        stood = await one.worked.read(one.site.lead)
        assert (stood["stage"], stood["status"]) == ("business_planning", "exited")
        # With better evidence it may be reported anew: the next generation.
        again = await billed(one.worked)
        assert (await again.read())["generation"] == 2

    async def test_it_carries_no_guarantee(self, world: World) -> None:
        one = await billed(await left(world))
        await one.accept()
        await one.site.advance(hours=1)
        assert (await one.read())["guarantee"] is None
        assert refused(await report(one)) == (409, "not-guaranteed")

    async def test_a_push_said_late_is_no_reason_against_it(self, world: World) -> None:
        one = await billed(await left(world))
        at = one.site.now() - timedelta(days=2)
        await one.worked.push(occurred_at=at.isoformat())
        assert (await one.read())["reviews"] == []

    async def test_coming_back_by_himself_he_meters_nothing_more(self, world: World) -> None:
        one = await billed(await left(world))
        await one.site.advance(days=1)
        await one.worked.touch("P2", text="We would like to talk to you all the same.")
        await one.worked.moved("business_planning")
        assert refused(await submit(one.worked)) == (409, "already-qualified")
        assert len(await one.entries()) == 1

    @pytest.mark.parametrize("reporter", ["isv", "lead"])
    async def test_an_uninvolved_lead_confirms_it_once(self, world: World, reporter: str) -> None:
        worked = await left(world)
        by = worked.site.lead if reporter == "lead" else worked.site.isv.client
        path = (await contracted(worked, by)).headers["location"]
        other = (await world.staff("lead", new=True)).at(worked.site.isv)
        if reporter == "lead":
            assert refused(await decide(worked, path)) == (403, "decider-involved")
        assert (await decide(worked, path, worked.site.isv.client)).status_code == 403
        body = {"decision": "confirmed", "reason": "r"}
        assert (await other.post(f"{path}/decision", body, version=9)).status_code == 412
        assert (await decide(worked, path, other)).status_code == 200
        assert refused(await decide(worked, path, other)) == (409, "free-ride-state")
        assert len(await worked.site.rows(UsageEntry)) == 1

    async def test_what_was_found_out_since_the_report_counts(self, world: World) -> None:
        (worked,) = await stock(await site(world))
        path = await reported(worked)
        await voided_as_known(worked)
        assert refused(await decide(worked, path)) == (409, "not-a-free-ride")
        assert (await decide(worked, path, body=NOT_FOUND)).status_code == 200
        assert len(await worked.site.rows(UsageEntry, UsageEntry.kind == "qualified")) == 1

    async def test_they_are_listed_by_status_and_change(self, world: World) -> None:
        place = await site(world)
        first, second = await stock(place, 2)
        paths = [await reported(one) for one in (first, second)]
        await place.advance(hours=1)
        between = place.now().isoformat()
        await place.advance(hours=1)
        await decide(first, paths[0])
        ids = [path.rpartition("/")[2] for path in paths]

        async def found(**params: Any) -> list[str]:
            listed = await place.isv.client.read("/v1/free-rides", params=params)
            return [row["id"] for row in listed["data"]]

        assert await found() == [ids[1], ids[0]]
        assert await found(status="confirmed") == [ids[0]]
        assert await found(updated_after=between) == [ids[0]]
        page = await place.isv.client.read("/v1/free-rides", params={"limit": 1})
        assert await found(limit=1, cursor=page["next_cursor"]) == [ids[0]]
