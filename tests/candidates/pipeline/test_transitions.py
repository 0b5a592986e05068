"""Moves over HTTP: backward, out, back again, and what is refused."""

import asyncio

import pytest

from flatbed.app.candidates.models import Candidate
from tests.api.support import World
from tests.candidates.factory import Worked, site


async def found(world: World) -> Worked:
    return await (await site(world)).found()


class TestMoving:
    async def test_only_one_step_leads_forward(self, world: World) -> None:
        """One step forward."""
        answer = await (await found(world)).move("targeted")
        assert (answer.status_code, answer.json()["code"]) == (409, "stage-not-next")

    async def test_a_move_without_the_version_that_was_read_is_refused(self, world: World) -> None:
        worked = await found(world)
        path, body = f"{worked.path}/transitions", {"to": "exited", "reason": "objection"}
        assert (await worked.site.hunter.post(path, body)).status_code == 428
        assert (await worked.site.hunter.post(path, body, version=999)).status_code == 412

    async def test_of_two_moves_at_once_one_wins(self, world: World) -> None:
        worked = await found(world)
        version = await worked.version()
        path = f"{worked.path}/transitions"
        answers = await asyncio.gather(
            *(
                worked.site.hunter.post(path, {"to": "exited", "reason": why}, version=version)
                for why in ("objection", "duplicate")
            )
        )
        assert sorted(one.status_code for one in answers) == [201, 412]
        kept = await worked.site.hunter.read(path)
        assert [one["kind"] for one in kept["data"]] == ["forward", "exit"]

    async def test_the_same_key_moves_once(self, world: World) -> None:
        worked = await found(world)
        version = await worked.version()
        send = {"to": "exited", "reason": "objection"}
        path = f"{worked.path}/transitions"
        first = await worked.site.hunter.post(path, send, version=version, key="one")
        again = await worked.site.hunter.post(path, send, version=version, key="one")
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()

    async def test_backward_needs_a_reason_and_keeps_the_history(self, world: World) -> None:
        """Backward to any earlier stage with a reason."""
        worked = await found(world)
        await worked.to("profiled")
        answer = await worked.move("identified")
        assert (answer.status_code, answer.json()["code"]) == (422, "reason-required")
        moved = await worked.moved("identified", reason="The facts were another company's.")
        assert (moved["kind"], moved["from_stage"]) == ("backward", "profiled")
        again = await worked.moved("profiled")
        assert again["kind"] == "forward"
        assert await worked.site.trail(worked.id) == [
            "candidate.created",
            "candidate.stage_changed",
            "candidate.stage_changed",
            "candidate.stage_changed",
        ]

    async def test_nothing_goes_forward_while_the_campaign_is_paused(self, world: World) -> None:
        """While a campaign is paused nothing goes out."""
        worked = await found(world)
        await worked.prepare("profiled")
        await worked.site.lead.made(f"{worked.site.path}/pause")
        answer = await worked.move("profiled")
        assert (answer.status_code, answer.json()["code"]) == (409, "campaign-not-running")
        assert (await worked.gates())["refusal"]["code"] == "campaign-not-running"
        await worked.site.lead.made(f"{worked.site.path}/resume")
        await worked.moved("profiled")


class TestExits:
    @pytest.mark.parametrize(
        "reason",
        [
            "objection",
            "unlawful",
            "hard_fail",
            "exclusive_with_competitor",
            "conflict",
            "insolvency",
            "duplicate",
            "excluded_by_isv",
            "out_of_business",
            "partner_declined_final",
            "wrong_fit_discovered",
            "campaign_closed",
            "hunter_no_go",
        ],
    )
    async def test_a_protective_or_other_exit_is_immediate(self, world: World, reason: str) -> None:
        """Exits protective, at once. Other: `partner_declined_final`."""
        worked = await found(world)
        moved = await worked.moved("exited", reason=reason)
        assert (moved["kind"], moved["reason"]) == ("exit", reason)
        candidate = await worked.read()
        assert (candidate["status"], candidate["exit_reason"]) == ("exited", reason)
        assert candidate["exited_at"] == moved["at"]
        card = await worked.site.card(worked.id)
        assert card is not None
        assert card.status == "exited"

    @pytest.mark.parametrize("reason", ["no_response", "not_now", "not_interested", "stalled"])
    async def test_giving_up_too_early_names_what_is_missing_and_offers_nurture(
        self, world: World, reason: str
    ) -> None:
        """Guarded: `no_response`."""
        worked = await found(world)
        answer = await worked.move("exited", reason=reason)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "too-early")
        assert [one["criterion"] for one in problem["criteria"] if not one["passed"]] == [
            "too_early.attempts",
            "too_early.days",
            "too_early.people",
            "too_early.c_level",
            "too_early.angles",
            "too_early.rest",
        ]
        assert all(one["title"] for one in problem["criteria"])
        assert problem["nurture"]["now"] is False
        assert (await worked.read())["status"] == "active"

    async def test_where_no_lawful_touch_is_near_nurture_is_proposed(self, world: World) -> None:
        """Where lawful or frequency caps forbid more, `nurture`."""
        worked = await found(world)
        await worked.record("contacts", name="A. Person")
        answer = await worked.move("exited", reason="no_response")
        assert (answer.status_code, answer.json()["code"]) == (409, "nurture-instead")
        assert answer.json()["nurture"]["now"] is True

    async def test_a_leads_override_is_recorded_with_its_reason(self, world: World) -> None:
        """A lead may override with a reason."""
        worked = await found(world)
        told = {"reason": "no_response", "override_reason": "The office burnt down."}
        assert (await worked.move("exited", **told)).status_code == 403
        moved = await worked.moved("exited", worked.site.lead, **told)
        assert moved["override_reason"] == "The office burnt down."
        assert not all(one["passed"] for one in moved["criteria"])

    async def test_an_exit_names_a_reason_that_is_known(self, world: World) -> None:
        worked = await found(world)
        for reason in (None, "bored"):
            answer = await worked.move("exited", reason=reason)
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["code"] == "unknown-exit-reason"
        answer = await worked.move("profiled", worked.site.lead, override_reason="I wish it.")
        assert answer.json()["errors"][0]["pointer"] == "/override_reason"

    async def test_an_exited_candidate_comes_back_when_the_partner_comes_by_himself(
        self, world: World
    ) -> None:
        """Back from `exited` when the partner comes by himself."""
        worked = await found(world)
        await worked.moved("exited", reason="partner_declined_final")
        answer = await worked.move("exited", reason="objection")
        assert answer.json()["code"] == "candidate-exited"
        answer = await worked.move("identified")
        assert (answer.status_code, answer.json()["code"]) == (409, "partner-did-not-return")
        await worked.touch("P2", text="We have thought about it again.")
        moved = await worked.moved("identified")
        assert moved["kind"] == "return"
        candidate = await worked.read()
        assert (candidate["status"], candidate["exit_reason"]) == ("active", None)
        assert candidate["exited_at"] is None


class TestIsolation:
    async def test_a_hunter_without_assignment_and_another_isv_find_nothing(
        self, world: World
    ) -> None:
        worked = await found(world)
        other = await world.isv()
        stranger = await world.staff("hunter", new=True)
        body = {"to": "exited", "reason": "objection"}
        for client in (other.client, stranger.client, worked.site.lead_staff.at(other)):
            for path in ("", "/gates", "/transitions"):
                assert (await client.get(worked.path + path)).status_code == 404
        for client in (stranger.client, worked.site.lead_staff.at(other)):
            answer = await client.post(f"{worked.path}/transitions", body, version=1)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        row = (await worked.site.rows(Candidate, Candidate.id == worked.uuid))[0]
        assert (row.status, row.version) == ("active", 1)

    async def test_an_isv_reads_gates_and_moves_nothing(self, world: World) -> None:
        worked = await found(world)
        isv = worked.site.isv.client
        assert (await isv.get(f"{worked.path}/gates")).status_code == 200
        body = {"to": "exited", "reason": "objection"}
        answer = await isv.post(f"{worked.path}/transitions", body, version=1)
        assert answer.status_code == 403
