"""Judgements over HTTP: a person's word, with a reason, on a judged criterion."""

from typing import Any

import pytest

from tests.candidates.records_world import Room, code, places

SOFT = {"criterion": "coverage", "value": 800, "reason": "It serves all of the north."}
HARD = {"criterion": "trusted", "verdict": "pass", "reason": "Two customers said so."}


class TestCreateJudgement:
    async def test_a_person_judges_with_a_reason(self, room: Room) -> None:
        """… or `judged` by a person with a reason; confidence comes from a table by source."""
        soft = await room.hunter.made("judgements", SOFT)
        hard = await room.lead.made("judgements", HARD | {"source_kind": "press"})
        assert (soft["value"], soft["source_kind"]) == (800, "hunter_judgement")
        assert (hard["verdict"], hard["judged_by"]) == ("pass", room.lead.principal.actor)
        assert await room.lead.listed("judgements") == [soft, hard]
        assert {one["judged_by"] for one in await room.isv.listed("judgements")} == {None}
        assert len(await room.trail("criterion.judged")) == 2

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            (SOFT | {"criterion": "charm"}, ("/criterion", "criterion-unknown")),
            (SOFT | {"criterion": "size"}, ("/criterion", "criterion-unknown")),
            (SOFT | {"verdict": "pass"}, ("/verdict", "not-allowed")),
            (HARD | {"value": 1}, ("/value", "not-allowed")),
            (SOFT | {"value": None}, ("/value", "value-needed")),
            (HARD | {"verdict": None}, ("/verdict", "verdict-needed")),
            (SOFT | {"value": 1001}, ("/value", "less-than-equal")),
            (SOFT | {"reason": ""}, ("/reason", "string-too-short")),
            (SOFT | {"source_kind": "gossip"}, ("/source_kind", "value-error")),
        ],
    )
    async def test_what_does_not_fit_the_frozen_profile_is_refused(
        self, room: Room, body: dict[str, Any], place: tuple[str, str]
    ) -> None:
        answer = await room.hunter.post("judgements", body)
        assert places(answer) == [place]
        assert await room.isv.listed("judgements") == []

    async def test_an_isv_does_not_judge_its_own_candidates(self, room: Room) -> None:
        assert code(await room.isv.post("judgements", SOFT)) == (403, "forbidden")
