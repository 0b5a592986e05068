"""The frozen numbers."""

import json
from dataclasses import replace
from typing import Any

import pytest

from flatbed.app.candidates.rules.gate_criteria import LABELS, GateCriterion
from flatbed.app.candidates.rules.rubric import Rubric, RubricError
from flatbed.app.candidates.rules.stages import Stage
from tests.candidates.rules.factory import RUBRIC


class TestNumbers:
    def test_the_defaults_are_the_numbers_of_the_method(self) -> None:
        """The rubric (numbers above) is frozen on the campaign when it is ordered."""
        assert (RUBRIC.profiled_fit, RUBRIC.profiled_facts) == (60, 3)
        assert (RUBRIC.targeted_trigger_days, RUBRIC.targeted_fit_low) == (180, 35)
        assert (RUBRIC.discovering_similarity, RUBRIC.discovering_msi) == (0.35, 15)
        assert (RUBRIC.executive_aligned_msi, RUBRIC.executive_aligned_proactive) == (35, 1)
        assert (RUBRIC.decision_msi, RUBRIC.decision_fit_low) == (45, 50)
        assert RUBRIC.planning_partner_fields == 3
        assert (RUBRIC.qualified_msi, RUBRIC.qualified_proactive) == (50, 3)
        assert (RUBRIC.qualified_committing, RUBRIC.hands_off_hours) == (1, 168)
        assert (RUBRIC.activated_days, RUBRIC.nurture_max_days) == (90, 180)
        assert RUBRIC.version == "2026-1"

    def test_every_criterion_has_a_stage_and_a_label(self) -> None:
        """A dispute names a criterion of the frozen rubric."""
        assert set(LABELS) == set(GateCriterion)
        assert {criterion.stage for criterion in GateCriterion} == set(Stage)
        assert all(criterion.label for criterion in RUBRIC.criteria)

    @pytest.mark.parametrize(
        "change",
        [
            {"fit_floor": 101},
            {"revenue_floor": -1},
            {"qualified_msi": -1},
            {"discovering_similarity": float("nan")},
            {"criteria": ()},
            {"criteria": (GateCriterion.PROFILED_FIT,) * 2},
            {"currency": ""},
        ],
    )
    def test_numbers_that_make_a_gate_meaningless_are_refused(self, change: dict[str, Any]) -> None:
        with pytest.raises(RubricError):
            replace(RUBRIC, **change)


class TestJson:
    def test_a_rubric_survives_the_round_trip(self) -> None:
        changed = replace(
            RUBRIC,
            fit_floor=70,
            revenue_floor=2**53 + 1,
            criteria=tuple(GateCriterion)[:5],
            initiative=replace(RUBRIC.initiative, kappa=2.5),
        )
        for rubric in (RUBRIC, changed):
            assert Rubric.from_json(rubric.to_json()) == rubric
            assert Rubric.from_json(json.dumps(rubric.to_json())) == rubric

    def test_whole_numbers_may_stand_for_fractions(self) -> None:
        stored = json.loads(json.dumps(RUBRIC.to_json()))
        stored["initiative"]["kappa"] = 1
        assert Rubric.from_json(stored) == RUBRIC

    @pytest.mark.parametrize("key", sorted(RUBRIC.to_json()))
    def test_a_missing_key_is_never_filled_with_todays_number(self, key: str) -> None:
        stored = RUBRIC.to_json()
        del stored[key]
        with pytest.raises(RubricError, match=key):
            Rubric.from_json(stored)

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("fit_floor", "60"),
            ("fit_floor", 60.0),
            ("fit_floor", True),
            ("discovering_similarity", "0.35"),
            ("discovering_similarity", False),
            ("currency", 978),
            ("criteria", "qualified.fit"),
            ("criteria", ["qualified.unheard_of"]),
            ("criteria", 3),
            ("initiative", None),
            ("initiative", {}),
            ("unknown", 1),
        ],
    )
    def test_what_we_did_not_write_is_refused(self, key: str, value: object) -> None:
        with pytest.raises(RubricError):
            Rubric.from_json({**RUBRIC.to_json(), key: value})

    def test_initiative_numbers_that_are_no_measure_are_refused(self) -> None:
        stored = json.loads(json.dumps(RUBRIC.to_json()))
        stored["initiative"]["kappa"] = 0
        with pytest.raises(RubricError):
            Rubric.from_json(stored)

    def test_a_list_is_no_rubric(self) -> None:
        with pytest.raises(RubricError):
            Rubric.from_json("[]")
