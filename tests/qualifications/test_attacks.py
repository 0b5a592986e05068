"""What an ISV who would rather not pay, and an agency that would rather be paid, may try."""

from typing import Any

import pytest

from flatbed.tenants.access.principal import Role
from tests.api.support import World
from tests.candidates.factory import Worked, site
from tests.qualifications.factory import Qualified, qualified, qualify, submit
from tests.qualifications.stock import stock


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def candidate(world: World) -> Worked:
    (worked,) = await stock(await site(world))
    return worked


async def exclude(worked: Worked) -> dict[str, Any]:
    """The ISV asks to keep for itself what has been worked to the plan."""
    domain = (await worked.read())["company"]["domain"]
    made = await worked.site.isv.client.made("/v1/exclusions", {"domain": domain})
    assert made["status"] == "pending_consent"
    return made


async def consent(worked: Worked, exclusion: dict[str, Any], *, given: bool) -> dict[str, Any]:
    body = {"consent": given, "reason": "We spoke about it."}
    return await worked.site.lead.made(f"/v1/exclusions/{exclusion['id']}/consent", body)


class TestExclusions:
    """From `discovering` on, an exclusion by the ISV needs a lead's consent."""

    async def test_what_a_lead_let_the_isv_keep_is_not_billed(self, world: World) -> None:
        worked = await candidate(world)
        await consent(worked, await exclude(worked), given=True)
        answer = await submit(worked)
        assert refused(answer) == (409, "gate-failed")
        failing = {one["criterion"] for one in answer.json()["criteria"] if not one["passed"]}
        assert failing == {"qualified.no_conflict"}

    async def test_one_that_waits_holds_the_unit_up_and_a_refused_one_does_not(
        self, world: World
    ) -> None:
        worked = await candidate(world)
        asked = await exclude(worked)
        assert refused(await submit(worked)) == (409, "gate-failed")
        await consent(worked, asked, given=False)
        assert (await submit(worked)).status_code == 201

    async def test_asking_again_after_a_refusal_holds_nothing_up(self, world: World) -> None:
        worked = await candidate(world)
        await consent(worked, await exclude(worked), given=False)
        await exclude(worked)
        assert (await submit(worked)).status_code == 201

    async def test_a_refusal_cannot_be_deleted(self, world: World) -> None:
        worked = await candidate(world)
        refusal = await consent(worked, await exclude(worked), given=False)
        isv, path = worked.site.isv.client, f"/v1/exclusions/{refusal['id']}"
        etag = (await isv.get(path)).headers["etag"]
        assert refused(await isv.delete(path, version=etag)) == (409, "exclusion-refused")
        assert (await isv.read(path))["status"] == "refused"

    async def test_the_isv_is_not_told_which_lead_decided(self, world: World) -> None:
        worked = await candidate(world)
        decided = await consent(worked, await exclude(worked), given=False)
        assert decided["consented_by"] == f"staff:{worked.site.lead_staff.id}"
        shown = await worked.site.isv.client.read(f"/v1/exclusions/{decided['id']}")
        assert shown == decided | {"consented_by": None}


class TestDeciders:
    """A lead who audited no touch and gave no override there decides."""

    async def answered(self, world: World) -> Qualified:
        one = await qualified(world)
        await one.answered()
        return one

    async def test_who_audited_does_not_decide_in_another_role(self, world: World) -> None:
        one = await qualified(world)
        lead = await world.staff("lead", new=True)
        client = await world.client({"kind": "staff", "staff_id": lead.id}, Role.COMPLIANCE)
        listed = await one.site.isv.client.read(f"{one.worked.path}/touchpoints")
        path = f"/v1/touchpoints/{listed['data'][0]['id']}/audit"
        await lead.at(one.site.isv).made(path, {"class": "P2", "source_seen": "The mail."})
        made = await one.answered()
        staff = f"/v1/staff/{lead.id}"
        etag = (await world.admin.get(staff)).headers["etag"]
        changed = await world.admin.patch(staff, {"role": "compliance"}, version=etag)
        assert changed.status_code == 200, changed.text
        await one.site.advance(days=30)
        assert made["status"] == "answered"
        await client.sign_in()
        decision = await one.decide("confirmed", client.acting_for(one.site.isv.id))
        assert refused(decision) == (403, "decider-involved")
        other = (await world.staff("compliance")).at(one.site.isv)
        assert (await one.decide("confirmed", other)).status_code == 200

    async def test_who_spoke_with_the_partner_for_the_agency_does_not_decide(
        self, world: World
    ) -> None:
        (worked,) = await stock(await site(world))
        asked = await worked.touch("P1", text="And the price?")
        await worked.touch(
            "answer", by=worked.site.lead, side="agency", in_reply_to=asked["id"], text="This one."
        )
        one = await qualify(worked)
        await one.answered()
        assert refused(await one.decide("confirmed")) == (403, "decider-involved")


class TestDossier:
    async def test_the_last_word_on_each_criterion_is_frozen(self, world: World) -> None:
        """Overwritten just before the submission or just after it: what was billed stays told."""
        worked = await candidate(world)
        word = {"criterion": "reach", "reason": "r", "source_kind": "official_register"}
        given = await worked.record("judgements", value=999, **word)
        size = await worked.fact(attribute="employees", value=150)
        one = await qualify(worked)
        await worked.record("judgements", value=1, **word)
        dossier = (await one.read())["dossier"]
        (frozen,) = dossier["judgements"]
        assert (frozen["id"], frozen["criterion"]) == (given["id"], "reach")
        assert (frozen["thousandths"], frozen["source_kind"]) == (999, "official_register")
        (fact,) = [one for one in dossier["facts"] if one["id"] == size["id"]]
        assert (fact["attribute"], fact["source_kind"]) == ("employees", "press")
        assert len(fact["value_sha256"]) == 64


class TestOddInput:
    """Never a 5xx: what cannot be meant is refused by its place."""

    @pytest.mark.parametrize("instant", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
    async def test_instants_at_the_ends_of_time(self, world: World, instant: str) -> None:
        worked = await candidate(world)
        client = worked.site.isv.client
        for path, name in (
            ("/v1/usage", "from"),
            ("/v1/usage", "to"),
            ("/v1/candidates", "updated_after"),
            ("/v1/qualifications", "updated_after"),
        ):
            answer = await client.get(path, params={name: instant})
            assert refused(answer) == (422, "invalid-request"), path
        answer = await worked.patch(next_due_at=instant)
        assert answer.json()["errors"][0]["pointer"] == "/next_due_at"

    async def test_an_agreement_of_the_year_one(self, world: World) -> None:
        worked = await candidate(world)
        body = {"kind": "agreement", "plan_number": 1, "signed_on": "0001-01-01"}
        answer = await worked.site.hunter.post(f"{worked.path}/evidence", body)
        assert [one["pointer"] for one in answer.json()["errors"]] == ["/signed_on"]

    async def test_an_attribute_of_four_hundred_digits_measures_nothing(self, world: World) -> None:
        place = await site(world)
        company = {
            "name": "Zahl",
            "domain": f"zahl-{place.isv.slug}.example",
            "country": "DE",
            "attributes": {"employees": 10**400},
        }
        made = await place.hunter.made(
            f"{place.path}/candidates", {"company": company, "source": "register"}
        )
        assert made["fit"]["unknown"] == ["size"]

    async def test_a_pointer_names_members_that_were_sent(self, world: World) -> None:
        """Not the member of a union that was tried."""
        worked = await candidate(world)
        for path, body, pointer in (
            ("evidence", {"kind": "document"}, "/title"),
            ("evidence", {"kind": "document", "title": ""}, "/title"),
            ("plan", {"fields": [{"name": "resources", "value": {}, "author": "hunter"}]}, None),
        ):
            answer = await worked.site.hunter.post(f"{worked.path}/{path}", body)
            found = {one["pointer"] for one in answer.json()["errors"]}
            assert (pointer or "/fields/0/value") in found
            assert not any("document" in one or "constrained" in one for one in found)
