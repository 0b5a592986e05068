"""One candidate from the first find to the joint plan: each gate asked for, failed and passed."""

from typing import Any

from flatbed.app.candidates.models import Candidate, Transition
from flatbed.tenants.kit.database.kernel_tables import AuditPending
from tests.api.support import World
from tests.candidates.factory import PREPARATIONS, site

FAILING = {
    "profiled": {"profiled.fit", "profiled.facts"},
    "targeted": {
        "targeted.trigger",
        "targeted.c_level",
        "targeted.core_argument",
        "targeted.channel",
    },
    "engaged": {"engaged.opened", "engaged.answered"},
    "discovering": {"discovering.interest", "discovering.own_words"},
    "executive_aligned": {"executive_aligned.meeting"},
    "decision_in_principle": {"decision_in_principle.statement"},
    "business_planning": {"business_planning.partner_fields"},
}


def failing(criteria: list[dict[str, Any]]) -> set[str]:
    return {one["criterion"] for one in criteria if not one["passed"]}


def plain(criteria: list[dict[str, Any]]) -> list[tuple[str, bool, list[str]]]:
    """What does not change with the minutes between two calls."""
    return [(one["criterion"], one["passed"], one["evidence"]) for one in criteria]


class TestStory:
    async def test_each_gate_names_what_fails_and_passes_once_it_is_recorded(
        self, world: World
    ) -> None:
        """A list {criterion, rubric version, pass, evidence id}."""
        worked = await (await site(world)).found()
        for stage in PREPARATIONS:
            before = await worked.gates()
            assert before["to"] == stage
            assert not before["passed"]
            assert failing(before["criteria"]) == FAILING[stage]
            assert before["refusal"]["code"] == "gate-failed"

            refused = await worked.move(stage)
            assert (refused.status_code, refused.json()["code"]) == (409, "gate-failed")
            assert plain(refused.json()["criteria"]) == plain(before["criteria"])

            await worked.prepare(stage)
            dry = await worked.gates(stage)
            assert (dry["passed"], dry["refusal"]) == (True, None)
            moved = await worked.moved(stage)
            assert plain(moved["criteria"]) == plain(dry["criteria"])
            assert moved["rubric_version"] == dry["rubric_version"] == "2026-1"
            assert all(one["title"] and one["detail"] for one in moved["criteria"])

        candidate = await worked.read()
        assert candidate["stage"] == "business_planning"
        assert candidate["msi"]["value"] > 50
        card = await worked.site.card(worked.id)
        assert card is not None
        assert card.stage == "business_planning"

        kept = await worked.site.isv.client.read(f"{worked.path}/transitions")
        assert [one["to_stage"] for one in kept["data"]] == ["identified", *PREPARATIONS]
        assert {one["actor"] for one in kept["data"]} == {None}

        wanted = await worked.gates()
        assert wanted["to"] == "qualified"
        answer = await worked.move("qualified")
        assert (answer.status_code, answer.json()["code"]) == (409, "qualification-required")

    async def test_a_dry_run_changes_nothing(self, world: World) -> None:
        """Can be asked for without moving (dry run)."""
        worked = await (await site(world)).found()
        before = (await worked.site.rows(Candidate, Candidate.id == worked.uuid))[0]
        rows = await worked.site.rows(AuditPending)
        for stage in ("identified", "profiled", "qualified", "activated"):
            await worked.gates(stage)
        after = (await worked.site.rows(Candidate, Candidate.id == worked.uuid))[0]
        assert (after.version, after.updated_at) == (before.version, before.updated_at)
        assert len(await worked.site.rows(AuditPending)) == len(rows)
        kept = await worked.site.rows(Transition, Transition.candidate_id == worked.uuid)
        assert len(kept) == 1


class TestOwnWords:
    async def test_an_echo_of_an_argument_that_was_since_changed_is_no_interest_of_his_own(
        self, world: World
    ) -> None:
        """A statement that "does not merely repeat our core argument or messages"."""
        worked = await (await site(world)).found()
        await worked.to("engaged")
        argument = (await worked.read())["core_argument"]
        said = await worked.touch("P3", text="I bring our head of sales.")
        await worked.record(
            "evidence",
            kind="interest_statement",
            touchpoint_id=said["id"],
            contact_id=worked.chief,
            statement=argument,
        )
        for other in ("Something else altogether about branches.", None):
            assert (await worked.patch(core_argument=other)).status_code == 200
            assert "discovering.own_words" in failing((await worked.gates())["criteria"])
