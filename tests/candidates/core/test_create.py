"""Sourcing: the gate of `identified`, and all that follows from it in one transaction."""

import asyncio
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import select

from flatbed.app.candidates.models import Candidate, TenantCompany, Transition
from flatbed.app.registry.models import Company, CompanyLink
from flatbed.billing.facade import Caps, UsageRequest, record_usage, unit_key
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import decode, uuid7
from tests.api.support import Client, World
from tests.candidates.factory import CALLER, Site, company, site, source


async def send(
    place: Site, by: Client | None = None, key: str | None = None, **firm: Any
) -> httpx.Response:
    body = {"company": company(**firm), "source": "trade register"}
    return await (by or place.hunter).post(f"{place.path}/candidates", body, key=key)


def failing(answer: httpx.Response) -> list[str]:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "gate-failed"), answer.text
    return [one["criterion"] for one in problem["criteria"] if not one["passed"]]


async def companies(world: World, *, domain: str) -> list[tuple[Company, CompanyLink]]:
    async with world.program.database.agency(
        realm_id=world.realm_id, caller=CALLER, clock=Clock()
    ) as session:
        found = await session.execute(
            select(Company, CompanyLink)
            .join(CompanyLink, CompanyLink.company_id == Company.id)
            .where(Company.domain == domain)
        )
        return [(one, link) for one, link in found]


class TestCreateCandidate:
    async def test_what_a_hunter_finds_is_his(self, world: World) -> None:
        place = await site(world)
        answer = await place.hunter.post(
            f"{place.path}/candidates",
            {"company": company(), "source": "trade register", "external_ref": "crm-1"},
        )
        made = answer.json()
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"/v1/candidates/{made['id']}"
        assert answer.headers["etag"] == '"1"'
        assert (made["stage"], made["status"]) == ("identified", "active")
        assert made["hunter_id"] == place.hunter_staff.id
        read = await place.hunter.read(f"/v1/candidates/{made['id']}")
        assert read["external_ref"] == "crm-1"
        queue = await place.hunter.read("/v1/me/queue")
        assert [one["candidate_id"] for one in queue["data"]] == [made["id"]]
        assert queue["data"][0]["company_name"] == made["company"]["name"]

    async def test_it_enters_the_pipeline_with_its_checked_gate_audit_and_event(
        self, world: World
    ) -> None:
        """Is stored with the transition."""
        place = await site(world)
        worked = await place.found()
        kept = await place.rows(Transition, Transition.candidate_id == worked.uuid)
        assert [(one.from_stage, one.to_stage, one.kind) for one in kept] == [
            (None, "identified", "forward")
        ]
        assert {one["criterion"] for one in kept[0].criteria} == {
            "identified.company",
            "identified.domain",
            "identified.source",
            "identified.no_conflict",
            "identified.not_excluded",
            "identified.not_billed",
        }
        assert await place.trail(worked.id) == ["candidate.created"]

    async def test_the_registry_learns_the_company_and_the_isv_not_the_registry(
        self, world: World
    ) -> None:
        place = await site(world)
        worked = await place.found()
        [(known, link)] = await companies(world, domain=worked.made["company"]["domain"])
        assert link.tenant_company_id == decode("tco", worked.made["company"]["id"])
        assert str(known.id) not in str(worked.made)

    async def test_a_lead_may_enter_one_without_a_hunter(self, world: World) -> None:
        place = await site(world)
        worked = await place.found(place.lead)
        assert worked.made["hunter_id"] is None
        assert (await place.hunter.get(worked.path)).status_code == 404

    async def test_the_same_key_finds_one_candidate(self, world: World) -> None:
        place = await site(world)
        body = {"company": company(), "source": "fair"}
        path = f"{place.path}/candidates"
        first = await place.hunter.made(path, body, key="k")
        assert (await place.hunter.made(path, body, key="k"))["id"] == first["id"]

    async def test_a_company_known_to_the_tenant_is_used_as_it_stands(self, world: World) -> None:
        place = await site(world)
        known = (await place.found()).made["company"]
        other = await site(world, isv=place.isv)
        again = await send(other, domain=f"https://www.{known['domain']}/about", country=None)
        assert again.status_code == 201, again.text
        assert again.json()["company"] == known

    @pytest.mark.parametrize("missing", ["company", "source"])
    async def test_company_domain_and_source_are_named(self, world: World, missing: str) -> None:
        """Company, domain, source."""
        place = await site(world)
        body = {"company": company(), "source": "fair"}
        del body[missing]
        answer = await place.hunter.post(f"{place.path}/candidates", body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"/{missing}"
        assert (await send(place, domain="127.0.0.1")).status_code == 422

    async def test_the_country_is_one_of_the_programme(self, world: World) -> None:
        place = await site(world)
        for country, code in (("FR", "outside-programme"), (None, "country-needed")):
            answer = await send(place, country=country)
            assert answer.status_code == 422
            [wrong] = answer.json()["errors"]
            assert (wrong["pointer"], wrong["code"]) == ("/company/country", code)

    async def test_nobody_sources_for_a_campaign_that_does_not_run(self, world: World) -> None:
        place = await site(world)
        await place.lead.made(f"{place.path}/pause")
        answer = await send(place)
        assert (answer.status_code, answer.json()["code"]) == (409, "campaign-not-running")

    async def test_a_hunter_who_does_not_source_there_finds_nothing(self, world: World) -> None:
        place = await site(world)
        stranger = await world.staff("hunter", new=True)
        answer = await send(place, stranger.client)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


class TestRefusals:
    async def test_a_company_on_the_isvs_exclusion_list_is_refused_and_leaves_nothing(
        self, world: World
    ) -> None:
        """Not on the ISV's exclusion list."""
        place = await site(world)
        firm = company()
        await place.isv.client.made("/v1/exclusions", {"domain": firm["domain"]})
        answer = await send(place, **firm)
        assert failing(answer) == ["identified.not_excluded"]
        assert await place.rows(Candidate) == []
        assert await place.rows(TenantCompany) == []
        assert await companies(world, domain=firm["domain"]) == []

    async def test_the_same_company_twice_tells_another_hunter_nothing_more(
        self, world: World
    ) -> None:
        place = await site(world)
        worked = await place.found()
        second = await world.staff("hunter", new=True)
        await source(place, second)
        answer = await send(place, second.client, domain=worked.made["company"]["domain"])
        assert (answer.status_code, answer.json()["code"]) == (409, "candidate-exists")
        assert set(answer.json()) == {
            "type",
            "title",
            "status",
            "code",
            "detail",
            "request_id",
            "errors",
        }
        assert worked.id not in answer.text

    async def test_a_company_group_billed_before_in_the_programme_is_refused(
        self, world: World
    ) -> None:
        """A group already billed is refused at `identified`."""
        place = await site(world)
        group = await world.admin.made("/v1/company-groups", {"name": "Nord group"})
        parent, child = company(), company()
        registered = [
            await world.admin.made(
                "/v1/companies",
                {"name": one["name"], "domain": one["domain"], "group_id": group["id"]},
            )
            for one in (parent, child)
        ]
        assert len(registered) == 2
        await bill(place, decode("grp", group["id"]))
        assert failing(await send(place, **child)) == ["identified.not_billed"]
        assert (await send(place)).status_code == 201

    async def test_of_two_who_find_it_at_once_one_has_it(self, world: World) -> None:
        place = await site(world)
        second = await world.staff("hunter", new=True)
        await source(place, second)
        firm = company()
        answers = await asyncio.gather(
            send(place, **firm), send(place, second.client, **firm), send(place, **firm)
        )
        assert sorted(one.status_code for one in answers) == [201, 409, 409]
        assert len(await place.rows(Candidate)) == 1

    async def test_two_isvs_may_find_the_same_new_company_at_once(self, world: World) -> None:
        places = [await site(world), await site(world)]
        firm = company()
        answers = await asyncio.gather(*(send(one, **firm) for one in places))
        assert [one.status_code for one in answers] == [201, 201]
        assert len(await companies(world, domain=firm["domain"])) == 2


async def bill(place: Site, group_id: UUID) -> None:
    """A unit of the campaign's programme for the group, as a qualification writes it."""
    programme = decode("prog", place.campaign["programme_id"])
    async with place.world.program.database.tenant(
        realm_id=place.world.realm_id, tenant_id=place.isv.tenant_id, caller=CALLER, clock=Clock()
    ) as session:
        await record_usage(
            session,
            UsageRequest(
                source="qual",
                source_id=uuid7(),
                campaign_ref=decode("camp", place.campaign["id"]),
                programme_ref=programme,
                price_ref=uuid7(),
                unit_keys=(unit_key(programme, group_id),),
                unit_price=450_000,
                currency="EUR",
                caps=Caps(),
                evidence_hash="0" * 64,
                occurred_at=session.now(),
                zone=ZoneInfo("Europe/Berlin"),
            ),
        )
