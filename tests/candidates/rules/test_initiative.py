"""The measures of initiative against the golden values, and what must hold of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flatbed.app.candidates.rules.initiative import (
    HALF_LIFE_DAYS,
    KAPPA,
    InitiativeNumbers,
    TrendLabel,
    leverage,
    load_share,
    momentum_half_life,
    momentum_half_life_of,
    momentum_trend,
    msi,
    push_alarm,
)
from flatbed.app.candidates.rules.touches import (
    PARTNER_CLASSES,
    Provenance,
    Side,
    Touch,
    TouchClass,
    effective,
)
from tests.candidates.rules.builders import (
    ASKED,
    BERLIN,
    PEOPLE,
    any_touch,
    day,
    histories,
    series,
    touch,
    verdict,
)

GOLDEN = Path(__file__).parents[2] / "golden"
FORMULAS: dict[str, Any] = json.loads((GOLDEN / "formulas.json").read_text())
TIMELINE: dict[str, Any] = json.loads((GOLDEN / "timeline.json").read_text())
SERIES = {
    name: series(rows, {"H": "push", "HR": "answer"}) for name, rows in FORMULAS["series"].items()
}
P0, P1, P2, P3 = PARTNER_CLASSES
PUSH, ANSWER = TouchClass.PUSH, TouchClass.ANSWER
SLACK = 1e-9  # rounding of floats


def value(touches: list[Touch], at: float) -> float:
    return msi(effective(touches, BERLIN), day(at)).value


def played() -> list[Touch]:
    """Play the golden timeline; what it calls 'attested, audited on day 15' gets that verdict."""
    rows = []
    for row in TIMELINE["touches"]:
        cls, recorded = TouchClass(row["class"]), row["provenance"]
        audits = [verdict("audit", cls, 15)] if "audited" in recorded else []
        provenance = Provenance(recorded.split(",")[0])
        rows.append(touch(row["day"], cls, provenance=provenance, verdicts=audits))
    return rows


class TestGolden:
    def test_the_weights_are_those_of_the_golden_file(self) -> None:
        """P0 passive (open, auto-reply) 0. Our side: push 1."""
        numbers = InitiativeNumbers()
        assert FORMULAS["touch_weights"] == {
            "P0": numbers.weight_p0,
            "P1": numbers.weight_p1,
            "P2": numbers.weight_p2,
            "P3": numbers.weight_p3,
            "H (push)": numbers.weight_push,
            "HR (answering)": numbers.weight_answer,
        }
        assert (numbers.kappa, numbers.half_life_days) == (KAPPA, HALF_LIFE_DAYS) == (1, 21)

    @pytest.mark.parametrize("row", FORMULAS["msi"])
    def test_msi_is_golden(self, row: dict[str, Any]) -> None:
        """100·P/(P+V+κ)."""
        assert round(value(SERIES[row["series"]], row["day"]), 4) == row["msi"]

    @pytest.mark.parametrize("row", TIMELINE["msi"])
    def test_the_candidate_who_moves_by_himself_is_golden(self, row: dict[str, Any]) -> None:
        """100·P/(P+V+κ)."""
        known = effective(played(), BERLIN, at=day(row["day"]))
        assert round(msi(known, day(row["day"])).value, 4) == row["msi"]

    @pytest.mark.parametrize("row", FORMULAS["trend"])
    def test_the_trend_is_golden(self, row: dict[str, Any]) -> None:
        """R₇/r₂₈."""
        trend = momentum_trend(effective(SERIES[row["series"]], BERLIN), day(row["day"]))
        assert trend is not None
        assert round(trend.ratio, 4) == row["trend"]

    @pytest.mark.parametrize("row", FORMULAS["half_life"])
    def test_the_half_life_is_golden(self, row: dict[str, Any]) -> None:
        """T½ = ln 2/λ. P(silence so far)."""
        given_gaps = momentum_half_life(row["gaps"], row["open_gap"])
        moving = effective(SERIES["self_driven"], BERLIN)
        from_touches = momentum_half_life_of(moving, day(30 + row["open_gap"]))
        assert from_touches == given_gaps
        assert round(given_gaps.days, 4) == row["half_life_days"]
        assert round(given_gaps.p_silence, 4) == row["p_silence"]
        assert given_gaps.stalled == (row["p_silence"] < 0.2)


class TestMsi:
    def test_nobody_has_moved_is_zero(self) -> None:
        assert value([], 0) == 0

    def test_attested_partner_touches_count_half_and_our_own_fully(self) -> None:
        """'Attested partner touches count half in MSI, our own always fully'."""
        rows = [touch(0, cls, provenance=Provenance.ATTESTED) for cls in (P2, PUSH)]
        result = msi(effective(rows, BERLIN), day(0))
        assert (result.partner, result.ours) == (0.5, 1)

    def test_an_attested_touch_counts_fully_once_audited(self) -> None:
        row = touch(0, P2, provenance=Provenance.ATTESTED, verdicts=[verdict("audit", P2, 1)])
        assert msi(effective([row], BERLIN), day(0)).partner == 1

    def test_touches_after_the_moment_are_ignored(self) -> None:
        assert value([touch(0, P2), touch(3, P3)], 2) == value([touch(0, P2)], 2)

    def test_a_pushed_partner_stays_far_below_the_bar(self) -> None:
        assert max(value(SERIES["pushed"], at) for at in range(91)) < 20

    def test_attesting_the_whole_story_gives_less_than_the_system_seeing_it(self) -> None:
        attested = [replace(t, provenance=Provenance.ATTESTED) for t in SERIES["self_driven"]]
        assert value(attested, 30) < value(SERIES["self_driven"], 30)

    @settings(deadline=None)  # the machine may be busy
    @given(histories())
    def test_it_lies_in_zero_to_under_a_hundred(self, touches: list[Touch]) -> None:
        assert 0 <= value(touches, 61) < 100

    @settings(deadline=None)  # the machine may be busy
    @given(histories(), st.floats(61, 400), st.floats(0, 400))
    def test_silence_only_ever_lowers_it(
        self,
        touches: list[Touch],
        at: float,
        silence: float,
    ) -> None:
        """Silence only ever lowers MSI: κ makes silence cost."""
        assert value(touches, at + silence) <= value(touches, at) + SLACK

    @settings(deadline=None)  # the machine may be busy
    @given(histories(), st.floats(0, 61), st.sampled_from((PUSH, ANSWER)))
    def test_a_push_never_raises_it(
        self,
        touches: list[Touch],
        at: float,
        cls: TouchClass,
    ) -> None:
        assert value([*touches, touch(at, cls)], 61) <= value(touches, 61) + SLACK

    @settings(deadline=None)  # the machine may be busy
    @given(
        histories(),
        st.sampled_from(PARTNER_CLASSES),
        st.sampled_from((Provenance.ATTESTED, Provenance.SYSTEM)),
        st.sampled_from(PEOPLE),
    )
    def test_a_partner_touch_now_never_lowers_it(
        self,
        touches: list[Touch],
        cls: TouchClass,
        provenance: Provenance,
        person: Any,
    ) -> None:
        more = [*touches, touch(60, cls, provenance=provenance, person=person)]
        assert value(more, 60) >= value(touches, 60) - SLACK

    @settings(deadline=None)  # the machine may be busy
    @given(histories((Provenance.SYSTEM,), judged=False))
    def test_attested_is_never_more_than_system(self, touches: list[Touch]) -> None:
        attested = [replace(t, provenance=Provenance.ATTESTED) for t in touches]
        assert value(attested, 61) <= value(touches, 61) + SLACK

    @settings(deadline=None)  # the machine may be busy
    @given(histories(), any_touch(judged=False))
    def test_a_touch_the_system_saw_is_worth_no_less_but_for_hours_within_its_day(
        self,
        touches: list[Touch],
        extra: Touch,
    ) -> None:
        weak = [*touches, replace(extra, provenance=Provenance.ATTESTED)]
        strong = [*touches, replace(extra, provenance=Provenance.SYSTEM)]
        # It may stand in for a later touch of the same person and day, of equal weight.
        assert value(strong, 61) >= value(weak, 61) * 2 ** (-1 / HALF_LIFE_DAYS) - SLACK


class TestNumbers:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"kappa": 0},
            {"half_life_days": float("nan")},
            {"weight_p1": -1},
            {"weight_p2": 3},
            {"weight_answer": 2},
            {"attested_share": 1.5},
            {"prior_gaps": 0},
        ],
    )
    def test_numbers_that_are_no_measure_are_refused(self, wrong: dict[str, float]) -> None:
        with pytest.raises(ValueError, match=r"positive|negative|weighs less|prior"):
            InitiativeNumbers(**wrong)  # type: ignore[arg-type]  # ints and floats alike

    def test_a_rubrics_own_numbers_are_used(self) -> None:
        touches = effective([touch(0, P2)], BERLIN)
        assert msi(touches, day(0), InitiativeNumbers(kappa=3)).value == 25


class TestTrend:
    def test_it_is_undefined_below_three_partner_touches(self) -> None:
        rows = [touch(0, P2), touch(1, P2), touch(2, P0), touch(3, PUSH)]
        assert momentum_trend(effective(rows, BERLIN), day(4)) is None
        rows.append(touch(4, P1))
        assert momentum_trend(effective(rows, BERLIN), day(4)) is not None

    @pytest.mark.parametrize(
        ("at", "label"),
        [(30, TrendLabel.RISING), (44, TrendLabel.STEADY), (60, TrendLabel.FADING)],
    )
    def test_it_is_named(self, at: int, label: TrendLabel) -> None:
        """Fading < 0.8, rising > 1.2."""
        trend = momentum_trend(effective(SERIES["self_driven"], BERLIN), day(at))
        assert trend is not None
        assert trend.label is label

    def test_a_rate_that_has_vanished_has_no_trend(self) -> None:
        moving = effective(SERIES["self_driven"], BERLIN)
        assert momentum_trend(moving, day(10**6)) is None


class TestHalfLife:
    def test_few_gaps_stall_after_28_days_of_silence(self) -> None:
        """'stalled below 0.2, and with fewer than two gaps after 28 days of silence'."""
        for gaps in ((), (3.0,)):
            assert not momentum_half_life(gaps, 27.9).stalled
            assert momentum_half_life(gaps, 28).stalled

    def test_a_long_rhythm_bears_a_long_silence(self) -> None:
        assert not momentum_half_life((30, 30, 30), 28).stalled

    def test_before_the_first_proactive_touch_the_silence_runs_from_the_first_touch(self) -> None:
        assert momentum_half_life_of((), day(5)) is None
        silent = effective([touch(0, PUSH), touch(1, P1)], BERLIN)
        assert momentum_half_life_of(silent, day(5)) == momentum_half_life((), 5)
        later = momentum_half_life_of(silent, day(28))
        assert later is not None
        assert later.stalled

    def test_an_elicited_touch_does_not_end_the_silence(self) -> None:
        rows = [touch(0, P2), touch(20, P3, elicited_by=ASKED)]
        assert momentum_half_life_of(effective(rows, BERLIN), day(30)) == momentum_half_life(
            (),
            30,
        )

    def test_a_negative_gap_is_refused(self) -> None:
        with pytest.raises(ValueError, match="negative"):
            momentum_half_life((1, -1), 3)

    @settings(deadline=None)  # the machine may be busy
    @given(st.lists(st.floats(0, 200), max_size=8), st.floats(0, 300), st.floats(0, 300))
    def test_silence_never_makes_itself_more_likely(
        self,
        gaps: list[float],
        open_gap: float,
        more: float,
    ) -> None:
        """P(silence so far)."""
        before, after = (
            momentum_half_life(gaps, open_gap),
            momentum_half_life(gaps, open_gap + more),
        )
        assert after.p_silence <= before.p_silence + SLACK
        assert after.stalled >= before.stalled or before.p_silence == pytest.approx(0.2)


class TestPushAlarm:
    """'among the last six touches ≥ 5 pushes and no P2/P3'."""

    @pytest.mark.parametrize(
        ("story", "alarm"),
        [
            ([PUSH] * 9, False),  # cold attempts before any reply raise none
            ([*[PUSH] * 5, P1], False),
            ([PUSH, P1, *[PUSH] * 4], False),
            ([PUSH, P1, *[PUSH] * 5], True),
            ([P2, *[PUSH] * 5], False),
            ([P2, *[PUSH] * 6], True),
            ([PUSH, P1, *[PUSH] * 3, P2, *[PUSH] * 3], False),
            ([PUSH, P1, *[PUSH] * 3, P1, *[PUSH] * 2], True),
            ([PUSH, P1, *[PUSH, P1] * 4], False),
            ([PUSH, P1, *[PUSH, P0] * 5], True),
            ([PUSH, P1, *[ANSWER] * 5], False),
        ],
    )
    def test_it_rings_when_we_push_and_he_does_not_move(
        self,
        story: list[TouchClass],
        alarm: bool,
    ) -> None:
        rows = effective([touch(n, cls) for n, cls in enumerate(story)], BERLIN)
        assert push_alarm(rows, day(99)) is alarm

    def test_what_comes_later_is_not_heard(self) -> None:
        rows = [touch(n, cls) for n, cls in enumerate([PUSH, P1, *[PUSH] * 5, P2])]
        assert push_alarm(effective(rows, BERLIN), day(6))
        assert not push_alarm(effective(rows, BERLIN), day(7))

    def test_pushes_of_the_isv_ring_nothing(self) -> None:
        rows = [touch(0, P1), *(touch(n, PUSH, side=Side.ISV) for n in range(1, 9))]
        assert not push_alarm(effective(rows, BERLIN), day(9))


class TestLoadShare:
    def test_it_is_the_partners_share_of_finished_tasks(self) -> None:
        """Tasks the partner owned and finished / all finished."""
        assert load_share(3, 4) == 0.75
        assert load_share(0, 0) is None

    @pytest.mark.parametrize("wrong", [(-1, 2), (3, 2)])
    def test_more_tasks_of_the_partner_than_tasks_are_refused(self, wrong: tuple[int, int]) -> None:
        with pytest.raises(ValueError, match="tasks"):
            load_share(*wrong)


class TestLeverage:
    def test_it_is_the_partners_resources_per_unit_of_the_isvs(self) -> None:
        """Partner's committed resources / ISV's."""
        assert leverage(600_00, 200_00) == 3
        assert leverage(600_00, 0) is None

    def test_negative_resources_are_refused(self) -> None:
        with pytest.raises(ValueError, match="negative"):
            leverage(-1, 1)
