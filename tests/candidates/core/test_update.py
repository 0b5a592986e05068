"""What is written on a candidate beside its stage, and who works it."""

from datetime import timedelta
from typing import Any

import pytest

from flatbed.app.campaigns.exclusions.ports import Worked as FurthestWorked
from flatbed.app.candidates.core.bindings import FurthestCandidates
from flatbed.app.candidates.models import Candidate
from flatbed.app.candidates.rules.stages import Stage
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import encode, uuid7
from tests.api.support import World
from tests.candidates.factory import CALLER, Site, site


class TestUpdateCandidate:
    async def test_named_members_change_and_the_others_stay(self, world: World) -> None:
        worked = await (await site(world)).found(external_ref="crm-1", metadata={"a": 1})
        answer = await worked.patch(core_argument="Your margin falls.", metadata={"b": 2})
        assert answer.status_code == 200, answer.text
        read = answer.json()
        assert (read["core_argument"], read["metadata"]) == ("Your margin falls.", {"b": 2})
        assert read["external_ref"] == "crm-1"
        assert answer.headers["etag"] == await worked.version()
        cleared = await worked.patch(core_argument=None, external_ref=None)
        assert (cleared.json()["core_argument"], cleared.json()["external_ref"]) == (None, None)
        assert await worked.site.trail(worked.id) == [
            "candidate.created",
            "candidate.updated",
            "candidate.updated",
        ]

    async def test_the_due_date_orders_the_hunters_queue(self, world: World) -> None:
        place = await site(world)
        late, early = await place.found(), await place.found()
        for worked, days in ((late, 9), (early, 2)):
            due = (place.now() + timedelta(days=days)).isoformat()
            assert (await worked.patch(next_due_at=due)).status_code == 200
        queue = await place.hunter.read("/v1/me/queue")
        assert [one["candidate_id"] for one in queue["data"]] == [early.id, late.id]

    async def test_a_stale_version_changes_nothing(self, world: World) -> None:
        worked = await (await site(world)).found()
        await worked.patch(core_argument="One.")
        answer = await worked.site.hunter.patch(worked.path, {"core_argument": "Two."}, version=1)
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition-failed")
        answer = await worked.site.hunter.patch(worked.path, {"core_argument": "Two."})
        assert answer.status_code == 428
        assert (await worked.read())["core_argument"] == "One."

    @pytest.mark.parametrize(
        "body", [{"metadata": None}, {"stage": "qualified"}, {"core_argument": " "}, {"nurture": 1}]
    )
    async def test_what_cannot_be_stored_is_refused(
        self, world: World, body: dict[str, Any]
    ) -> None:
        worked = await (await site(world)).found()
        assert (await worked.patch(**body)).status_code == 422

    async def test_no_isv_and_no_other_hunter_changes_it(self, world: World) -> None:
        worked = await (await site(world)).found()
        stranger = await world.staff("hunter", new=True)
        body = {"core_argument": "Mine."}
        isv = worked.site.isv.client
        assert (await isv.patch(worked.path, body, version=1)).status_code == 403
        assert (await stranger.client.patch(worked.path, body, version=1)).status_code == 404
        row = (await worked.site.rows(Candidate, Candidate.id == worked.uuid))[0]
        assert (row.core_argument, row.version) == (None, 1)


class TestAssigning:
    async def test_a_candidate_given_to_a_hunter_is_his(self, world: World) -> None:
        place = await site(world)
        worked = await place.found(place.lead)
        body = {
            "kind": "candidate",
            "staff_id": place.hunter_staff.id,
            "candidate_id": worked.id,
        }
        await place.lead.made("/v1/assignments", body)
        assert (await worked.read())["hunter_id"] == place.hunter_staff.id
        assert await place.trail(worked.id) == ["candidate.created", "candidate.assigned"]

    @pytest.mark.parametrize("target", ["candidate", "campaign"])
    async def test_another_isvs_target_is_not_there(self, world: World, target: str) -> None:
        place, other = await site(world), await site(world)
        worked = await place.found(place.lead)
        ids = {"candidate": worked.id, "campaign": place.campaign["id"]}
        kind = {"candidate": "candidate", "campaign": "sourcing"}[target]
        hunter = await world.staff("hunter", new=True)
        body = {"kind": kind, "staff_id": hunter.id, f"{target}_id": ids[target]}
        foreign = await other.lead.post("/v1/assignments", body)
        prefix = {"candidate": "cand", "campaign": "camp"}[target]
        missing = await other.lead.post(
            "/v1/assignments", {**body, f"{target}_id": encode(prefix, uuid7())}
        )
        assert foreign.status_code == missing.status_code == 422
        assert foreign.json()["errors"] == missing.json()["errors"]
        row = (await place.rows(Candidate, Candidate.id == worked.uuid))[0]
        assert row.hunter_id is None


class TestFurthest:
    async def test_one_that_went_back_counts_with_the_stage_it_had_reached(
        self, world: World
    ) -> None:
        place = await site(world)
        worked = await place.found()
        await worked.to("profiled")
        await worked.moved("identified", reason="The facts were another company's.")
        await worked.moved("exited", reason="duplicate")
        wanted = FurthestWorked(worked.uuid, Stage.PROFILED)
        firm = worked.made["company"]
        assert await furthest(place, domain=firm["domain"]) == wanted
        assert await furthest(place, name_key=firm["name"].lower()) == wanted
        assert await furthest(place, domain="nobody.example", name_key="nobody") is None
        assert await furthest(await site(world), domain=firm["domain"]) is None


async def furthest(
    place: Site, *, domain: str | None = None, name_key: str | None = None
) -> FurthestWorked | None:
    async with place.world.program.database.tenant_read(
        realm_id=place.world.realm_id, tenant_id=place.isv.tenant_id, caller=CALLER, clock=Clock()
    ) as session:
        return await FurthestCandidates().furthest(session, domain=domain, name_key=name_key)
