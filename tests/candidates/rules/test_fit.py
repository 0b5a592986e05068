"""Fit against the golden values, its bounds, and what a criterion makes of an attribute."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flatbed.app.candidates.rules.comparison import Operator
from flatbed.app.candidates.rules.fit import (
    SIX_CS,
    SOURCE_CONFIDENCE,
    Criterion,
    HardResult,
    Judgement,
    Reading,
    SoftScore,
    UnknownSourceKindError,
    assess,
    check_hard,
    fit,
    score_soft,
    strongest,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "formulas.json"
ROWS: list[dict[str, Any]] = json.loads(GOLDEN.read_text())["fit"]
PASS, FAIL, UNKNOWN = HardResult.PASS, HardResult.FAIL, HardResult.UNKNOWN
SLACK = 1e-9  # rounding of floats

shares = st.floats(0, 1)
scores = st.lists(
    st.builds(
        SoftScore,
        criterion=st.sampled_from([c.key for c in SIX_CS]),
        weight=st.floats(0.1, 100),
        value=st.none() | shares,
        confidence=shares,
        age_days=st.floats(0, 4000),
    ),
    min_size=1,
    max_size=8,
)


def golden_scores(row: dict[str, Any]) -> list[SoftScore]:
    return [SoftScore(**score) for score in row.get("soft", [])]


def hard(operator: Operator, value: object = None) -> Criterion:
    return Criterion("key", "attribute", operator, value)


def reading(value: object, kind: str = "official_register", age: float = 0) -> Reading:
    return Reading(value, kind, age)


class TestFit:
    @pytest.mark.parametrize("row", ROWS)
    def test_it_is_golden(self, row: dict[str, Any]) -> None:
        """C confidence of its source times 2^(−age/365 days)."""
        result = fit({k: HardResult(v) for k, v in row["hard"].items()}, golden_scores(row))
        # Half up, as the golden 67.75 is given as 67.8.
        figures = [int(10 * n + 0.5 + SLACK) / 10 for n in (result.value, result.low, result.high)]
        assert figures == [row["fit"], row["low"], row["high"]]

    def test_a_failed_hard_criterion_gives_zero_and_names_itself(self) -> None:
        """'A failed hard criterion gives 0'."""
        result = fit({"DACH": FAIL, "size": UNKNOWN}, golden_scores(ROWS[0]))
        assert (result.value, result.low, result.high) == (0, 0, 0)
        assert (result.failed, result.unknown) == (("DACH",), ("size",))
        assert all(c.points == c.low == c.high == 0 for c in result.contributions)
        assert result.next_research is None

    def test_an_unknown_hard_criterion_is_named_and_leaves_the_fit(self) -> None:
        result = fit({"DACH": UNKNOWN}, golden_scores(ROWS[0]))
        assert result.value == pytest.approx(67.75)
        assert result.unknown == ("DACH",)

    def test_the_next_research_is_the_largest_gap_between_the_bounds(self) -> None:
        """Next research = the largest gap between the bounds."""
        assert fit({}, golden_scores(ROWS[0])).next_research == "commitment"
        assert fit({}, [SoftScore("credit", 10, 1.0, 1.0)]).next_research is None

    def test_what_was_known_a_year_ago_is_half_known(self) -> None:
        """C confidence of its source times 2^(−age/365 days)."""
        result = fit({}, [SoftScore("credit", 10, 1.0, 1.0, age_days=365)])
        assert (result.value, result.low, result.high) == (75, 50, 100)

    def test_without_a_soft_criterion_there_is_no_fit(self) -> None:
        with pytest.raises(ValueError, match="soft"):
            fit({"DACH": PASS}, [])

    @settings(deadline=None)  # the machine may be busy
    @given(scores)
    def test_the_bounds_contain_the_value(self, soft: list[SoftScore]) -> None:
        """Always returned with contributions and bounds (unknown as 0 and as 1)."""
        result = fit({}, soft)
        assert -SLACK <= result.low <= result.value + SLACK
        assert result.value <= result.high + SLACK
        assert result.high <= 100
        for part, whole in (("points", "value"), ("low", "low"), ("high", "high")):
            parts = sum(getattr(c, part) for c in result.contributions)
            assert parts == pytest.approx(getattr(result, whole))

    @settings(deadline=None)  # the machine may be busy
    @given(scores, st.floats(0, 1), st.floats(0, 1))
    def test_research_stays_within_the_bounds(
        self,
        soft: list[SoftScore],
        value: float,
        confidence: float,
    ) -> None:
        unknown = SoftScore("new", 20, None, 0)
        before = fit({}, [*soft, unknown])
        after = fit({}, [*soft, SoftScore("new", 20, value, confidence)])
        assert before.low - SLACK <= after.low
        assert after.high <= before.high + SLACK

    @pytest.mark.parametrize(
        ("weight", "value", "confidence", "age"),
        [(0, 1, 1, 0), (float("nan"), 1, 1, 0), (1, 1.1, 1, 0), (1, 1, -0.1, 0), (1, 1, 1, -1)],
    )
    def test_numbers_out_of_range_are_refused(
        self,
        weight: float,
        value: float,
        confidence: float,
        age: float,
    ) -> None:
        with pytest.raises(ValueError, match=r"positive|lies in|negative"):
            SoftScore("credit", weight, value, confidence, age)


class TestCheckHard:
    @pytest.mark.parametrize(
        ("operator", "wanted", "actual", "result"),
        [
            (Operator.EQ, "DE", " de ", PASS),
            (Operator.EQ, "DE", "AT", FAIL),
            (Operator.EQ, 1, 1.0, PASS),
            (Operator.EQ, 1, True, FAIL),
            (Operator.EQ, True, True, PASS),
            (Operator.EQ, ["a", "B"], ["A", "b"], PASS),
            (Operator.EQ, {"a": 1}, {"a": 1}, PASS),
            (Operator.NE, "DE", "AT", PASS),
            (Operator.NE, "DE", "de", FAIL),
            (Operator.NE, "DE", None, UNKNOWN),
            (Operator.IN, ["DE", "AT", "CH"], "at", PASS),
            (Operator.IN, ["DE", "AT"], ["FR", "DE"], PASS),
            (Operator.IN, ["DE", "AT"], "FR", FAIL),
            (Operator.NOT_IN, ["acme"], "other", PASS),
            (Operator.NOT_IN, ["acme"], ["other", "ACME"], FAIL),
            (Operator.GTE, 50, 50, PASS),
            (Operator.GTE, 50, 49.9, FAIL),
            (Operator.GTE, 50, "many", UNKNOWN),
            (Operator.GTE, 50, True, UNKNOWN),
            (Operator.LTE, 50, 50, PASS),
            (Operator.LTE, 50, 51, FAIL),
            (Operator.BETWEEN, [10, 20], 20, PASS),
            (Operator.BETWEEN, [10, 20], 9, FAIL),
            (Operator.CONTAINS, "sap", "SAP integrator", PASS),
            (Operator.CONTAINS, "SAP", ["sap", "erp"], PASS),
            (Operator.CONTAINS, ["sap", "crm"], ["sap", "erp"], FAIL),
            (Operator.CONTAINS, "sap", 7, UNKNOWN),
            (Operator.EXISTS, None, "x", PASS),
            (Operator.EXISTS, True, 0, PASS),
            (Operator.EXISTS, True, [], FAIL),
            (Operator.EXISTS, False, None, PASS),
            (Operator.EXISTS, False, "x", FAIL),
        ],
    )
    def test_the_operator_compares(
        self,
        operator: Operator,
        wanted: object,
        actual: object,
        result: HardResult,
    ) -> None:
        assert check_hard(hard(operator, wanted), reading(actual)) is result

    @pytest.mark.parametrize("operator", Operator)
    def test_what_nobody_has_read_is_unknown(self, operator: Operator) -> None:
        operands: dict[Operator, object] = {
            Operator.BETWEEN: [1, 2],
            Operator.IN: [1],
            Operator.NOT_IN: [1],
            Operator.EXISTS: False,
        }
        assert check_hard(hard(operator, operands.get(operator, 1)), None) is UNKNOWN

    def test_a_judged_criterion_is_what_a_person_said(self) -> None:
        judged = Criterion("no_exclusive", judged=True)
        said = Judgement(FAIL, None, "hunter_judgement", 0)
        assert check_hard(judged, None, said) is FAIL
        assert check_hard(judged, reading("x")) is UNKNOWN

    def test_a_judgement_does_not_overrule_the_registry(self) -> None:
        said = Judgement(PASS, None, "hunter_judgement", 0)
        assert check_hard(hard(Operator.EQ, "DE"), reading("FR"), said) is FAIL


class TestScoreSoft:
    def test_a_scale_runs_from_floor_to_target(self) -> None:
        size = Criterion("size", "employees", Operator.GTE, 10, weight=5, floor=10, target=50)
        for employees, value in ((5, 0), (10, 0), (30, 0.5), (50, 1), (900, 1)):
            assert score_soft(size, reading(employees)).value == value
        assert score_soft(size, reading("many")).value is None

    def test_less_may_be_better(self) -> None:
        age = Criterion("age", "years", Operator.LTE, 10, weight=5, floor=10, target=0)
        assert score_soft(age, reading(2.5)).value == 0.75

    def test_without_a_scale_it_is_all_or_nothing(self) -> None:
        land = Criterion("land", "country", Operator.EQ, "DE", weight=5)
        assert score_soft(land, reading("DE")).value == 1
        assert score_soft(land, reading("AT")).value == 0

    def test_confidence_and_age_come_with_the_source(self) -> None:
        """Confidence comes from a table by source kind."""
        land = Criterion("land", "country", Operator.EQ, "DE", weight=5)
        assert score_soft(land, reading("DE", "press", 30)) == SoftScore("land", 5, 1, 0.7, 30)

    def test_what_nobody_has_read_or_judged_is_unknown(self) -> None:
        for criterion in SIX_CS:
            score = score_soft(criterion, None)
            assert (score.value, score.known) == (None, 0)

    def test_a_judged_criterion_takes_a_persons_value(self) -> None:
        said = Judgement(None, 0.4, "hunter_judgement", 0)
        assert score_soft(SIX_CS[0], None, said) == SoftScore("coverage", 20, 0.4, 0.6)

    def test_an_unknown_kind_of_source_is_refused(self) -> None:
        land = Criterion("land", "country", Operator.EQ, "DE", weight=5)
        with pytest.raises(UnknownSourceKindError):
            score_soft(land, reading("DE", "rumour"))

    def test_a_hard_criterion_has_no_score(self) -> None:
        with pytest.raises(ValueError, match="score"):
            score_soft(hard(Operator.EQ, "DE"), reading("DE"))


class TestCriterion:
    @pytest.mark.parametrize(
        ("operator", "value"),
        [
            (Operator.GTE, "ten"),
            (Operator.LTE, True),
            (Operator.BETWEEN, [2, 1]),
            (Operator.BETWEEN, [1]),
            (Operator.BETWEEN, 1),
            (Operator.IN, []),
            (Operator.NOT_IN, "DE"),
            (Operator.EXISTS, "yes"),
            (Operator.EQ, None),
            (Operator.CONTAINS, ""),
        ],
    )
    def test_a_value_that_does_not_fit_the_operator_is_refused(
        self,
        operator: Operator,
        value: object,
    ) -> None:
        with pytest.raises(ValueError, match="fit operator"):
            hard(operator, value)

    @pytest.mark.parametrize(
        "parts",
        [
            {"key": ""},
            {"weight": 0},
            {"weight": float("inf")},
            {"attribute": ""},
            {"operator": None},
            {"floor": 1.0},
            {"floor": 1.0, "target": 2.0},  # a hard criterion has no scale
            {"floor": 1.0, "target": 1.0, "weight": 5.0},
            {"judged": True},
        ],
    )
    def test_parts_that_do_not_fit_each_other_are_refused(self, parts: dict[str, Any]) -> None:
        whole = {"key": "k", "attribute": "a", "operator": Operator.EQ, "value": 1}
        with pytest.raises(ValueError, match=r"criterion|floor|scale|weight"):
            Criterion(**{**whole, **parts})


class TestAssess:
    def test_readings_and_judgements_make_the_fit(self) -> None:
        result = assess(
            [
                Criterion("DACH", "country", Operator.IN, ["DE", "AT", "CH"]),
                Criterion("size", "employees", Operator.GTE, 10, weight=3, floor=0, target=100),
                Criterion("will", weight=1, judged=True),
            ],
            {"country": reading("DE"), "employees": reading(50)},
            {"will": Judgement(None, 1.0, "hunter_judgement", 0)},
        )
        assert result.value == pytest.approx((3 * 0.5 + 0.6 + 0.5 * 0.4) / 4 * 100)
        assert not result.failed
        assert not result.unknown

    def test_without_soft_criteria_the_six_cs_serve(self) -> None:
        """From the six C's."""
        result = assess([hard(Operator.EQ, "DE")], {}, {})
        assert [(c.criterion, c.high) for c in result.contributions] == [
            ("coverage", 20),
            ("compatibility", 20),
            ("capability", 20),
            ("capacity", 15),
            ("commitment", 15),
            ("credit", 10),
        ]
        assert (result.value, result.low, result.high) == (50, 0, 100)
        assert result.unknown == ("key",)

    def test_a_key_named_twice_cannot_hide_a_failure(self) -> None:
        twice = [hard(Operator.EQ, "DE"), hard(Operator.NE, "DE")]
        with pytest.raises(ValueError, match="once"):
            assess(twice, {"attribute": reading("AT")}, {})


class TestSources:
    def test_the_table_is_versioned_and_every_confidence_is_a_share(self) -> None:
        """Confidence comes from a table by source kind."""
        assert SOURCE_CONFIDENCE.version
        assert all(0 < c <= 1 for c in SOURCE_CONFIDENCE.confidence.values())
        assert SOURCE_CONFIDENCE.of("official_register") > SOURCE_CONFIDENCE.of("hearsay")

    def test_the_reading_believed_most_after_its_age_stands(self) -> None:
        old, fresh, rumour = (
            reading(10, "official_register", 730),
            reading(20, "company_website", 30),
            reading(30, "hearsay"),
        )
        assert strongest([old, fresh, rumour]) is fresh
        assert strongest([]) is None
