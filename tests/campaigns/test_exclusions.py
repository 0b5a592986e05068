"""Exclusions, a lead's consent, and the yes or no for hunters."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from flatbed.app.campaigns.exclusions.names import name_key
from flatbed.app.campaigns.exclusions.ports import Worked
from flatbed.app.campaigns.exclusions.service import (
    awaits_consent,
    is_excluded,
    was_excluded_before,
)
from flatbed.app.campaigns.method import Stage
from flatbed.app.candidates.models import Candidate, TenantCompany
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.database.kernel_tables import AuditPending
from flatbed.tenants.kit.ids import decode, encode, uuid7
from tests.campaigns.world import START, World, missing

PATH = "/v1/exclusions"
DOMAIN = {"domain": "https://www.Acme.example/impressum"}


async def work(world: World, stage: Stage) -> UUID:
    """A candidate of the tenant that has come to the stage."""
    campaign = await world.campaign("running")
    company_id, candidate_id = uuid7(), uuid7()
    key = {"tenant_id": world.tenant_id}
    times = {"created_at": START, "updated_at": START}
    async with world.session() as session:
        session.add(
            TenantCompany(**key, **times, id=company_id, name="Acme", domain="acme.example")
        )
        await session.flush()
        session.add(
            Candidate(
                **key,
                **times,
                id=candidate_id,
                campaign_id=decode("camp", campaign["id"]),
                company_id=company_id,
                programme_id=decode("prog", campaign["programme_id"]),
                source="test",
                stage=stage.value,
                status="active",
                stage_entered_at=START,
            )
        )
    world.ports.furthest_worked = Worked(candidate_id, stage)
    return candidate_id


class TestNameKey:
    @pytest.mark.parametrize(
        "spelling",
        [
            "ACME  Systems GmbH",
            "acme systems gmbh",
            "Acme-Systems, GmbH.",
            "\uff21cme Systems GmbH",
        ],
    )
    def test_case_forms_and_punctuation_do_not_matter(self, spelling: str) -> None:
        assert name_key(spelling) == "acme systems gmbh"

    @pytest.mark.parametrize(
        "spelling",
        ["Müller & Weiß GmbH", "MU\u0308LLER & WEISS GMBH", "Mueller & Weiss GmbH"],
    )
    def test_umlauts_may_be_written_out(self, spelling: str) -> None:
        """The ISV's exclusion must not be passed by on another spelling."""
        assert name_key(spelling) == "mueller weiss gmbh"

    def test_accents_do_not_matter(self) -> None:
        assert name_key("Société Générale") == name_key("Societe Generale")

    def test_legal_forms_tell_companies_apart(self) -> None:
        assert name_key("Acme AG") != name_key("Acme GmbH")

    def test_a_name_without_letters_stays(self) -> None:
        assert name_key(" !!! ") == "!!!"


class TestCreateExclusion:
    async def test_the_registrable_domain_is_kept(self, world: World) -> None:
        answer = await world.isv.post(PATH, {**DOMAIN, "company_name": "Acme GmbH"})
        made = answer.json()
        assert answer.status_code == 201
        assert answer.headers["location"] == f"{PATH}/{made['id']}"
        assert (made["domain"], made["company_name"]) == ("acme.example", "Acme GmbH")
        assert (made["status"], made["candidate_id"]) == ("active", None)
        assert world.ports.asked == [("acme.example", "acme gmbh")]
        assert await world.isv.read(f"{PATH}/{made['id']}") == made

    @pytest.mark.parametrize(
        "body", [{}, {"domain": "com"}, {"domain": "10.0.0.1"}, {"company_name": " "}]
    )
    async def test_a_company_is_named_by_a_real_domain_or_a_name(
        self, world: World, body: dict[str, str]
    ) -> None:
        assert (await world.isv.post(PATH, body)).status_code == 422

    async def test_the_same_key_makes_one_exclusion(self, world: World) -> None:
        first = await world.isv.post(PATH, DOMAIN, key="k")
        second = await world.isv.post(PATH, DOMAIN, key="k")
        assert second.json() == first.json()
        assert len((await world.isv.read(PATH))["data"]) == 1

    @pytest.mark.parametrize(
        ("state", "before"),
        [("draft", True), ("ordered", True), ("running", False), ("paused", False)],
    )
    async def test_it_remembers_whether_it_was_made_before_the_launch(
        self, world: World, state: str, *, before: bool
    ) -> None:
        """'Already known' holds only with … an exclusion made before launch."""
        await world.campaign(state)
        assert (await world.isv.made(PATH, DOMAIN))["before_launch"] is before

    @pytest.mark.parametrize("stage", Stage)
    async def test_from_discovering_on_it_waits_for_a_leads_consent(
        self, world: World, stage: Stage
    ) -> None:
        """From `discovering` on, an exclusion by the ISV needs a lead's consent."""
        # The port says how far it came; the row itself may have gone back since.
        candidate_id = await work(world, Stage.IDENTIFIED)
        world.ports.furthest_worked = Worked(candidate_id, stage)
        made = await world.isv.made(PATH, DOMAIN)
        far = stage.rank >= Stage.DISCOVERING.rank
        assert made["status"] == ("pending_consent" if far else "active")
        assert made["candidate_id"] == (encode("cand", candidate_id) if far else None)
        async with world.session() as session:
            excluded = await is_excluded(session, domain="acme.example", company_name=None)
            assert excluded is not far
            assert await awaits_consent(session, candidate_id) is far

    async def test_nobody_but_the_isv_excludes(self, world: World) -> None:
        for role in set(Role) - {Role.ISV_CLIENT, Role.ISV_OWNER, Role.ISV_MANAGER}:
            assert (await world.client(role).post(PATH, DOMAIN)).status_code == 403


class TestListExclusions:
    async def test_they_are_found_by_status_and_reference(self, world: World) -> None:
        await world.isv.made(PATH, {"company_name": "Other"})
        await work(world, Stage.DISCOVERING)
        waiting = await world.isv.made(PATH, {**DOMAIN, "external_ref": "x-1"})
        by_status = await world.lead.read(PATH, status="pending_consent")
        by_reference = await world.isv.read(PATH, external_ref="x-1")
        assert by_status["data"] == by_reference["data"] == [waiting]

    async def test_another_isv_sees_none_of_them(self, world: World) -> None:
        await world.isv.made(PATH, DOMAIN)
        other = await world.other_isv()
        assert (await other.read(PATH))["data"] == []


class TestGetExclusion:
    async def test_a_foreign_exclusion_answers_like_a_missing_one(self, world: World) -> None:
        made = await world.isv.made(PATH, DOMAIN)
        other = await world.other_isv()
        foreign = await other.get(f"{PATH}/{made['id']}")
        nothing = await other.get(f"{PATH}/{missing('excl')}")
        assert foreign.status_code == 404
        assert foreign.json() | {"request_id": ""} == nothing.json() | {"request_id": ""}

    async def test_a_hunter_reads_none(self, world: World) -> None:
        made = await world.isv.made(PATH, DOMAIN)
        assert (await world.client(Role.HUNTER).get(f"{PATH}/{made['id']}")).status_code == 403


class TestDeleteExclusion:
    async def test_the_company_is_open_again(self, world: World) -> None:
        made = await world.isv.made(PATH, DOMAIN)
        answer = await world.isv.send("DELETE", f"{PATH}/{made['id']}", etag='"1"')
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await world.isv.get(f"{PATH}/{made['id']}")).status_code == 404
        async with world.session() as session:
            assert not await is_excluded(session, domain="acme.example", company_name=None)
            actions = (await session.scalars(select(AuditPending.action))).all()
        assert actions.count("exclusion.deleted") == 1

    async def test_without_a_version_or_with_a_stale_one_it_stays(self, world: World) -> None:
        made = await world.isv.made(PATH, DOMAIN)
        path = f"{PATH}/{made['id']}"
        assert (await world.isv.send("DELETE", path)).status_code == 428
        assert (await world.isv.send("DELETE", path, etag='"2"')).status_code == 412
        assert await world.isv.read(path) == made

    async def test_a_foreign_exclusion_is_missing(self, world: World) -> None:
        made = await world.isv.made(PATH, DOMAIN)
        other = await world.other_isv()
        answer = await other.send("DELETE", f"{PATH}/{made['id']}", etag='"1"')
        assert answer.status_code == 404
        assert await world.isv.read(f"{PATH}/{made['id']}") == made


class TestConsentExclusion:
    @pytest.mark.parametrize("consent", [True, False])
    async def test_a_lead_decides_once_and_says_why(self, world: World, *, consent: bool) -> None:
        candidate_id = await work(world, Stage.EXECUTIVE_ALIGNED)
        made = await world.isv.made(PATH, DOMAIN)
        path = f"{PATH}/{made['id']}/consent"
        decided = await world.lead.made(path, {"consent": consent, "reason": "Known since May."})
        assert decided["status"] == ("active" if consent else "refused")
        assert decided["consent_reason"] == "Known since May."
        assert world.lead.staff_id is not None
        assert decided["consented_by"] == f"staff:{encode('staff', world.lead.staff_id)}"
        assert decided["consented_at"] == "2026-03-02T09:00:00Z"
        async with world.session() as session:
            found = await is_excluded(session, domain="acme.example", company_name=None)
            assert found is consent
            assert not await awaits_consent(session, candidate_id)
        again = await world.lead.post(path, {"consent": not consent, "reason": "No."})
        assert (again.status_code, again.json()["code"]) == (409, "exclusion-decided")

    async def test_an_active_exclusion_waits_for_nobody(self, world: World) -> None:
        made = await world.isv.made(PATH, DOMAIN)
        answer = await world.lead.post(
            f"{PATH}/{made['id']}/consent", {"consent": True, "reason": "x"}
        )
        assert (answer.status_code, answer.json()["state"]) == (409, "active")

    async def test_the_same_key_decides_once(self, world: World) -> None:
        await work(world, Stage.DISCOVERING)
        path = f"{PATH}/{(await world.isv.made(PATH, DOMAIN))['id']}/consent"
        body = {"consent": True, "reason": "x"}
        first = await world.lead.post(path, body, key="k")
        second = await world.lead.post(path, body, key="k")
        assert (first.status_code, second.json()) == (200, first.json())

    async def test_nobody_but_a_lead_consents(self, world: World) -> None:
        await work(world, Stage.DISCOVERING)
        path = f"{PATH}/{(await world.isv.made(PATH, DOMAIN))['id']}/consent"
        for role in set(Role) - {Role.LEAD}:
            answer = await world.client(role).post(path, {"consent": True, "reason": "x"})
            assert answer.status_code == 403

    async def test_a_missing_exclusion_and_a_stale_version_are_refused(self, world: World) -> None:
        await work(world, Stage.DISCOVERING)
        made = await world.isv.made(PATH, DOMAIN)
        body = {"consent": True, "reason": "x"}
        stale = await world.lead.post(f"{PATH}/{made['id']}/consent", body, etag='"7"')
        nothing = await world.lead.post(f"{PATH}/{missing('excl')}/consent", body)
        assert (stale.status_code, nothing.status_code) == (412, 404)


class TestCheckExclusion:
    @pytest.mark.parametrize(
        ("asked", "excluded"),
        [
            ({"domain": "shop.acme.example"}, True),
            ({"domain": "acme2.example"}, False),
            ({"company_name": "ACME, GmbH"}, True),
            ({"company_name": "Acme AG"}, False),
            ({"domain": "acme2.example", "company_name": "acme gmbh"}, True),
        ],
    )
    async def test_the_answer_is_yes_or_no_only(
        self, world: World, asked: dict[str, str], *, excluded: bool
    ) -> None:
        """Asks exclusions and conflicts for yes or no."""
        campaign = await world.campaign("running")
        await world.isv.made(PATH, {**DOMAIN, "company_name": "Acme GmbH"})
        path = f"/v1/campaigns/{campaign['id']}/exclusion-checks"
        assert await world.hunter(campaign).made(path, asked) == {"excluded": excluded}
        assert await world.lead.made(path, asked) == {"excluded": excluded}

    async def test_another_isvs_exclusion_says_nothing(self, world: World) -> None:
        campaign = await world.campaign("running")
        other = await world.other_isv()
        await other.made(PATH, DOMAIN)
        path = f"/v1/campaigns/{campaign['id']}/exclusion-checks"
        assert await world.hunter(campaign).made(path, DOMAIN) == {"excluded": False}

    async def test_a_hunter_without_the_assignment_and_a_missing_campaign_are_404(
        self, world: World
    ) -> None:
        campaign = await world.campaign("running")
        path = f"/v1/campaigns/{campaign['id']}/exclusion-checks"
        unassigned = await world.client(Role.HUNTER).post(path, DOMAIN)
        nothing = await world.lead.post(f"/v1/campaigns/{missing('camp')}/exclusion-checks", DOMAIN)
        assert (unassigned.status_code, nothing.status_code) == (404, 404)

    async def test_the_isv_does_not_ask_it(self, world: World) -> None:
        campaign = await world.campaign("running")
        path = f"/v1/campaigns/{campaign['id']}/exclusion-checks"
        assert (await world.isv.post(path, DOMAIN)).status_code == 403


class TestWasExcludedBefore:
    @pytest.mark.parametrize(("hours", "known"), [(1, True), (-1, False), (0, False)])
    async def test_only_an_exclusion_older_than_the_launch_counts(
        self, world: World, hours: int, *, known: bool
    ) -> None:
        await world.isv.made(PATH, DOMAIN)
        async with world.session() as session:
            found = await was_excluded_before(
                session,
                domain="acme.example",
                company_name=None,
                launched_at=START + timedelta(hours=hours),
            )
        assert found is known

    async def test_a_company_without_domain_and_name_is_never_excluded(self, world: World) -> None:
        await world.isv.made(PATH, DOMAIN)
        async with world.session() as session:
            assert not await is_excluded(session, domain=None, company_name=None)
