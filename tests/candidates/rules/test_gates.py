"""What each stage asks before it lets a candidate in."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from flatbed.app.candidates.rules.gate_criteria import GateCriterion as C
from flatbed.app.candidates.rules.gates import check
from flatbed.app.candidates.rules.snapshot import (
    Fact,
    Objection,
)
from flatbed.app.candidates.rules.stages import STAGES, EvidenceKind, Stage
from flatbed.app.candidates.rules.touches import Side
from tests.candidates.rules.factory import (
    CEO,
    RUBRIC,
    SALES,
    SECOND,
    START,
    day,
    failing,
    make_fit,
    pushed,
    self_driven,
    touch,
    with_evidence,
    with_touches,
)


class TestCheck:
    @pytest.mark.parametrize("stage", STAGES)
    def test_one_who_moves_by_himself_passes_every_gate(self, stage: Stage) -> None:
        assert failing(stage, self_driven()) == []

    @pytest.mark.parametrize("stage", STAGES)
    def test_every_criterion_of_the_stage_is_always_judged(self, stage: Stage) -> None:
        """A gate check returns a list {criterion, rubric version, pass, evidence id}."""
        nothing = replace(
            self_driven(),
            company_name="",
            domain=" ",
            source="",
            core_argument="",
            touches=(),
            contacts=(),
            rights=(),
            facts=(),
            evidence=(),
            plans=(),
            excluded=True,
            group_billed=True,
            open_conflicts=("exclusion pending",),
            fit=make_fit(0, 0, failed=("DACH",), unknown=("size",)),
            objections=(Objection(UUID(int=1), None, None, day(0)),),
        )
        for snapshot in (nothing, self_driven()):
            answer = check(stage, snapshot, RUBRIC, day(60))
            judged = [result.criterion for result in answer.results]
            assert judged == [c for c in C if c.stage is stage]
            assert {result.rubric_version for result in answer.results} == {"2026-1"}
        never = {C.QUALIFIED_LAWFUL}  # who sent nothing sent nothing unlawful
        assert set(failing(stage, nothing, day(60))) == {c for c in C if c.stage is stage} - never

    def test_a_pushed_one_is_refused_with_the_failing_criteria_named(self) -> None:
        assert failing(Stage.DISCOVERING, pushed(), day(36)) == [
            C.DISCOVERING_INTEREST,
            C.DISCOVERING_OWN_WORDS,
            C.DISCOVERING_MSI,
        ]
        assert set(failing(Stage.QUALIFIED, pushed(), day(36))) == {
            C.QUALIFIED_DECISION,
            C.QUALIFIED_MSI,
            C.QUALIFIED_PROACTIVE,
            C.QUALIFIED_COMMITTING,
            C.QUALIFIED_HANDS_OFF,
        }

    def test_a_result_is_stored_as_plain_values(self) -> None:
        stored = check(Stage.PROFILED, self_driven(), RUBRIC, START).to_json()[-1]
        assert stored == {
            "criterion": "profiled.facts",
            "rubric_version": "2026-1",
            "passed": True,
            "evidence": [{"kind": "fact", "id": str(UUID(int=4000 + n))} for n in range(3)],
            "detail": "3 sourced, needs 3",
        }

    def test_a_criterion_that_the_frozen_rubric_does_not_name_is_not_asked(self) -> None:
        """The rubric (numbers above) is frozen on the campaign when it is ordered."""
        older = replace(RUBRIC, criteria=(C.PROFILED_FIT,), version="2025-9")
        answer = check(Stage.PROFILED, self_driven(facts=()), older, START)
        assert answer.passed
        assert [result.rubric_version for result in answer.results] == ["2025-9"]
        assert not check(Stage.QUALIFIED, self_driven(), older, day(36)).passed


class TestIdentified:
    @pytest.mark.parametrize(
        ("change", "criterion"),
        [
            ({"company_name": ""}, C.IDENTIFIED_COMPANY),
            ({"domain": ""}, C.IDENTIFIED_DOMAIN),
            ({"source": " "}, C.IDENTIFIED_SOURCE),
            ({"open_conflicts": ("exclusion pending",)}, C.IDENTIFIED_NO_CONFLICT),
            ({"excluded": True}, C.IDENTIFIED_NOT_EXCLUDED),
            ({"group_billed": True}, C.IDENTIFIED_NOT_BILLED),
        ],
    )
    def test_each_condition_is_asked(self, change: dict[str, Any], criterion: C) -> None:
        """Company, domain, source; conflict check clear; not on the ISV's exclusion list.

        A group already billed is refused at `identified`.
        """
        assert failing(Stage.IDENTIFIED, self_driven(**change)) == [criterion]


class TestProfiled:
    @pytest.mark.parametrize(
        ("value", "passes"), [(59.999, False), (60.0, True), (60 - 1e-12, True)]
    )
    def test_fit_is_at_least_60(self, value: float, passes: bool) -> None:
        """Fit ≥ 60."""
        expected = [] if passes else [C.PROFILED_FIT]
        assert failing(Stage.PROFILED, self_driven(fit=make_fit(value))) == expected

    def test_no_hard_criterion_failed_but_unknown_ones_may_wait(self) -> None:
        """No hard criterion failed."""
        failed = self_driven(fit=make_fit(failed=("DACH",)))
        assert failing(Stage.PROFILED, failed) == [C.PROFILED_HARD]
        assert failing(Stage.PROFILED, self_driven(fit=make_fit(unknown=("DACH",)))) == []

    def test_three_sourced_facts(self) -> None:
        """≥ 3 sourced facts."""
        facts = self_driven().facts
        assert failing(Stage.PROFILED, self_driven(facts=facts[:2])) == [C.PROFILED_FACTS]
        unsourced = (*facts[:2], replace(facts[2], source=" "))
        assert failing(Stage.PROFILED, self_driven(facts=unsourced)) == [C.PROFILED_FACTS]
        tomorrow = (*facts[:2], replace(facts[2], observed_on=date(2026, 3, 3)))
        assert failing(Stage.PROFILED, self_driven(facts=tomorrow)) == [C.PROFILED_FACTS]


class TestTargeted:
    @pytest.mark.parametrize(
        ("age", "passes"),
        [(181, False), (180, True), (0, True), (-1, False)],
    )
    def test_a_dated_trigger_is_at_most_180_days_old(self, age: int, passes: bool) -> None:
        """A dated trigger ≤ 180 days old."""
        now = day(1)
        fact = Fact(UUID(int=1), "register", date(2026, 3, 1), now.date() - timedelta(days=age))
        expected = [] if passes else [C.TARGETED_TRIGGER]
        assert failing(Stage.TARGETED, self_driven(facts=(fact,)), now) == expected

    def test_the_trigger_ages_by_the_tenants_calendar(self) -> None:
        fact = Fact(UUID(int=1), "register", date(2026, 3, 1), date(2025, 9, 3))
        late = datetime.fromisoformat("2026-03-02T23:30:00+00:00")  # the 3rd in Berlin
        assert failing(Stage.TARGETED, self_driven(facts=(fact,)), late) == [C.TARGETED_TRIGGER]
        before = late - timedelta(hours=1)
        assert failing(Stage.TARGETED, self_driven(facts=(fact,)), before) == []

    def test_an_undated_or_unsourced_trigger_is_none(self) -> None:
        """A dated trigger."""
        fact = self_driven().facts[0]
        for bent in (replace(fact, trigger_on=None), replace(fact, source="")):
            assert failing(Stage.TARGETED, self_driven(facts=(bent,))) == [C.TARGETED_TRIGGER]

    def test_a_c_level_contact(self) -> None:
        """A C-level contact."""
        people = tuple(replace(contact, c_level=False) for contact in self_driven().contacts)
        assert failing(Stage.TARGETED, self_driven(contacts=people)) == [C.TARGETED_C_LEVEL]

    def test_a_core_argument(self) -> None:
        """A core argument."""
        silent = self_driven(core_argument=" \n")
        assert failing(Stage.TARGETED, silent) == [C.TARGETED_CORE_ARGUMENT]

    def test_a_channel_is_lawful_by_a_recorded_right_without_objection(self) -> None:
        """A lawful channel."""
        one = self_driven().rights[:1]
        assert failing(Stage.TARGETED, self_driven(rights=one)) == []
        assert failing(Stage.TARGETED, self_driven(rights=())) == [C.TARGETED_CHANNEL]
        later = (replace(one[0], recorded_at=day(1) + SECOND),)
        assert failing(Stage.TARGETED, self_driven(rights=later)) == [C.TARGETED_CHANNEL]

    @pytest.mark.parametrize(
        ("contact_id", "channel", "passes"),
        [
            (None, None, False),
            (CEO, None, False),
            (None, "letter", False),
            (CEO, "letter", False),
            (SALES, None, True),
            (CEO, "email", True),
        ],
    )
    def test_an_objection_outweighs_the_right_it_covers(
        self,
        contact_id: UUID | None,
        channel: str | None,
        passes: bool,
    ) -> None:
        """A company-level objection outweighs any presumed consent."""
        objection = Objection(UUID(int=1), contact_id, channel, day(0.5))
        snapshot = self_driven(rights=self_driven().rights[:1], objections=(objection,))
        assert failing(Stage.TARGETED, snapshot) == ([] if passes else [C.TARGETED_CHANNEL])
        resolved = replace(snapshot, objections=(replace(objection, resolved_at=day(1)),))
        assert failing(Stage.TARGETED, resolved) == []

    def test_every_hard_criterion_is_a_pass(self) -> None:
        """Every hard criterion `pass`: an unknown one blocks `targeted`."""
        unknown = self_driven(fit=make_fit(unknown=("DACH",)))
        assert failing(Stage.TARGETED, unknown) == [C.TARGETED_HARD]
        assert failing(Stage.TARGETED, self_driven(fit=make_fit(failed=("DACH",)))) == [
            C.TARGETED_HARD,
        ]

    @pytest.mark.parametrize(("low", "passes"), [(34.999, False), (35.0, True)])
    def test_the_lower_bound_of_fit_is_at_least_35(self, low: float, passes: bool) -> None:
        """Fit lower bound ≥ 35 (commitment cannot be known before contact)."""
        expected = [] if passes else [C.TARGETED_FIT_LOW]
        assert failing(Stage.TARGETED, self_driven(fit=make_fit(low=low))) == expected


class TestEngaged:
    def test_the_delivery_needs_a_leads_confirmation(self) -> None:
        """Outreach that passed the policy was delivered and answered."""
        claimed = with_evidence(
            self_driven(),
            EvidenceKind.OUTREACH_DELIVERED,
            confirmed_by_lead=False,
        )
        assert failing(Stage.ENGAGED, claimed) == [C.ENGAGED_OPENED, C.ENGAGED_ANSWERED]

    def test_the_delivery_needs_an_answer_after_it(self) -> None:
        """Outreach that passed the policy was delivered and answered."""
        assert failing(Stage.ENGAGED, self_driven(), day(10) - SECOND) == [C.ENGAGED_ANSWERED]
        snapshot = self_driven()
        early = with_evidence(snapshot, EvidenceKind.OUTREACH_DELIVERED, occurred_at=day(10))
        assert failing(Stage.ENGAGED, early) == [C.ENGAGED_ANSWERED]

    def test_an_open_or_auto_reply_is_no_answer(self) -> None:
        """P0 passive (open, auto-reply)."""
        opened = self_driven(touches=(touch(8, day(8), "push"), touch(10, day(10), "P0")))
        assert failing(Stage.ENGAGED, opened) == [C.ENGAGED_ANSWERED]

    def test_the_partners_unprompted_first_contact_counts_once_we_answered(self) -> None:
        """Or the partner's unprompted first contact was answered."""
        first = touch(3, day(3), "P2")
        inbound = self_driven(touches=(first,), evidence=())
        assert failing(Stage.ENGAGED, inbound) == [C.ENGAGED_ANSWERED]
        assert failing(Stage.ENGAGED, with_touches(inbound, touch(4, day(4), "answer"))) == []
        pushed_back = with_touches(inbound, touch(4, day(4), "answer", unrequested_ask=True))
        assert failing(Stage.ENGAGED, pushed_back) == [C.ENGAGED_ANSWERED]

    @pytest.mark.parametrize("side", [Side.AGENCY, Side.ISV])
    def test_a_contact_after_a_push_of_ours_is_not_unprompted(self, side: Side) -> None:
        """The partner's unprompted first contact."""
        touches = (
            touch(2, day(2), "push", side=side),
            touch(3, day(3), "P2"),
            touch(4, day(4), "answer"),
        )
        prompted = self_driven(touches=touches, evidence=())
        assert failing(Stage.ENGAGED, prompted) == [C.ENGAGED_OPENED, C.ENGAGED_ANSWERED]

    def test_an_elicited_contact_is_not_unprompted(self) -> None:
        """A touch that supplies what our previous message asked for is P1 whatever it holds."""
        elicited = touch(3, day(3), "P2", elicited_by=UUID(int=9))
        snapshot = self_driven(touches=(elicited, touch(4, day(4), "answer")), evidence=())
        assert failing(Stage.ENGAGED, snapshot) == [C.ENGAGED_OPENED, C.ENGAGED_ANSWERED]
