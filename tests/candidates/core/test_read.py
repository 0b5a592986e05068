"""Reading candidates: who sees which, filters and pages, and the scores of the instant."""

import pytest

from flatbed.tenants.kit.ids import encode, uuid7
from tests.api.support import World
from tests.candidates.factory import site


class TestGetCandidate:
    async def test_scores_are_computed_at_the_realms_now_and_leave_the_etag(
        self, world: World
    ) -> None:
        """Always returned with contributions and bounds (unknown as 0 and as 1)."""
        worked = await (await site(world)).found()
        fresh = await worked.read()
        assert fresh["msi"] == {"value": 0.0, "partner": 0.0, "ours": 0.0}
        assert fresh["momentum"]["trend"] is None
        assert fresh["momentum"]["stalled"] is None
        assert fresh["push_alarm"] is False
        assert (fresh["fit"]["value"], fresh["fit"]["low"], fresh["fit"]["high"]) == (50, 0, 100)
        assert fresh["fit"]["next_research"] == "reach"
        assert fresh["fit"]["unknown"] == []
        version = await worked.version()
        await worked.prepare("profiled")
        await worked.touch("P2")
        then = await worked.read()
        assert then["fit"]["value"] > 90
        assert then["msi"]["value"] == pytest.approx(50, abs=0.1)
        assert await worked.version() == version
        await worked.site.advance(days=21)
        later = await worked.read()
        assert later["msi"]["value"] == pytest.approx(100 / 3, abs=0.1)
        assert later["momentum"]["half_life_days"] > 0
        assert await worked.version() == version

    async def test_silence_stalls_and_pushing_raises_the_alarm(self, world: World) -> None:
        """Among the last six touches ≥ 5 pushes and no P2/P3."""
        worked = await (await site(world)).found()
        worked.chief = await worked.contact(c_level=True)
        await worked.touch("P1")
        for _ in range(5):
            await worked.push()
        assert (await worked.read())["push_alarm"] is True
        await worked.site.advance(days=29)
        assert (await worked.read())["momentum"]["stalled"] is True

    async def test_a_failed_hard_criterion_makes_the_fit_nothing(self, world: World) -> None:
        """A failed hard criterion gives 0."""
        worked = await (await site(world)).found()
        await worked.fact(attribute="employees", value=3, source_kind="official_register")
        fit = (await worked.read())["fit"]
        assert (fit["value"], fit["high"], fit["failed"]) == (0, 0, ["size"])

    async def test_an_isv_reads_its_candidate_and_not_who_works_it(self, world: World) -> None:
        worked = await (await site(world)).found()
        read = await worked.site.isv.client.read(worked.path)
        assert read["hunter_id"] is None
        assert (await worked.read(worked.site.lead))["hunter_id"] == worked.site.hunter_staff.id

    async def test_a_missing_a_foreign_and_a_malformed_id_answer_alike(self, world: World) -> None:
        worked = await (await site(world)).found()
        other = await world.isv()
        answers = [
            await other.client.get(path)
            for path in (
                worked.path,
                f"/v1/candidates/{encode('cand', uuid7())}",
                "/v1/candidates/nonsense",
            )
        ]
        bodies = [{**one.json(), "request_id": ""} for one in answers]
        assert {one.status_code for one in answers} == {404}
        assert bodies[0] == bodies[1] == bodies[2]


class TestListCandidates:
    async def test_filters_narrow_the_list(self, world: World) -> None:
        place = await site(world)
        first = await place.found(external_ref="crm-1")
        second = await place.found(place.lead)
        elsewhere = await site(world, isv=place.isv)
        third = await elsewhere.found()
        await first.to("profiled")
        await place.lead.made(
            f"{second.path}/transitions", {"to": "exited", "reason": "duplicate"}, version=1
        )
        since = (await third.read())["updated_at"]

        async def ids(path: str = "/v1/candidates", **params: str) -> set[str]:
            page = await place.lead.read(path, params=params)
            return {one["id"] for one in page["data"]}

        assert await ids() == {first.id, second.id, third.id}
        assert await ids(campaign_id=place.campaign["id"]) == {first.id, second.id}
        assert await ids(f"{elsewhere.path}/candidates") == {third.id}
        assert await ids(stage="profiled") == {first.id}
        assert await ids(f"{place.path}/candidates", status="exited") == {second.id}
        assert await ids(hunter_id=place.hunter_staff.id) == {first.id}
        assert await ids(external_ref="crm-1") == {first.id}
        assert await ids(updated_after=since) == {first.id, second.id}

    async def test_pages_follow_each_other_by_last_change(self, world: World) -> None:
        place = await site(world)
        made = [await place.found() for _ in range(3)]
        first = await place.isv.client.read("/v1/candidates", params={"limit": 2})
        assert [one["id"] for one in first["data"]] == [made[0].id, made[1].id]
        rest = await place.isv.client.read(
            "/v1/candidates", params={"limit": 2, "cursor": first["next_cursor"]}
        )
        assert [one["id"] for one in rest["data"]] == [made[2].id]
        assert rest["has_more"] is False

    async def test_a_cursor_is_of_its_filters(self, world: World) -> None:
        place = await site(world)
        for _ in range(2):
            await place.found()
        first = await place.isv.client.read("/v1/candidates", params={"limit": 1})
        wrong = {"limit": 1, "cursor": first["next_cursor"], "stage": "identified"}
        answer = await place.isv.client.get("/v1/candidates", params=wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")

    async def test_an_isv_is_not_told_who_works_what(self, world: World) -> None:
        place = await site(world)
        await place.found()
        page = await place.isv.client.read("/v1/candidates")
        assert [one["hunter_id"] for one in page["data"]] == [None]
        answer = await place.isv.client.get(
            "/v1/candidates", params={"hunter_id": place.hunter_staff.id}
        )
        assert answer.status_code == 422

    async def test_no_hunter_lists_candidates(self, world: World) -> None:
        place = await site(world)
        for path in ("/v1/candidates", f"{place.path}/candidates"):
            assert (await place.hunter.get(path)).status_code == 403

    async def test_another_isvs_campaign_and_candidates_are_not_there(self, world: World) -> None:
        place = await site(world)
        await place.found()
        other = (await world.isv()).client
        assert (await other.read("/v1/candidates"))["data"] == []
        assert (await other.get(f"{place.path}/candidates")).status_code == 404
