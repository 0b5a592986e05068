"""What the stages from `discovering` on ask, `qualified` aside."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from flatbed.app.candidates.rules.gate_criteria import GateCriterion as C
from flatbed.app.candidates.rules.snapshot import (
    Author,
    PlanField,
    PlanName,
)
from flatbed.app.candidates.rules.stages import EvidenceKind, Stage
from flatbed.app.candidates.rules.touches import Side
from tests.candidates.rules.factory import (
    SALES,
    SECOND,
    day,
    evidence,
    failing,
    make_fit,
    msi_of,
    plan,
    self_driven,
    touch,
    with_evidence,
    with_touches,
    without,
)


class TestDiscovering:
    def test_an_interest_statement_of_the_partner_is_needed(self) -> None:
        """Verbatim interest statement by the partner."""
        assert failing(
            Stage.DISCOVERING, without(self_driven(), EvidenceKind.INTEREST_STATEMENT)
        ) == [
            C.DISCOVERING_INTEREST,
            C.DISCOVERING_OWN_WORDS,
        ]

    @pytest.mark.parametrize(
        "change",
        [
            {"statement": " "},
            {"statement": None},
            {"touchpoint_id": None},
            {"touchpoint_id": UUID(int=1008)},  # our own push
            {"touchpoint_id": UUID(int=1)},
        ],
    )
    def test_words_that_no_inbound_touch_carries_are_not_the_partners(
        self,
        change: dict[str, Any],
    ) -> None:
        """Verbatim interest statement by the partner."""
        bent = with_evidence(self_driven(), EvidenceKind.INTEREST_STATEMENT, **change)
        assert C.DISCOVERING_INTEREST in failing(Stage.DISCOVERING, bent)

    @pytest.mark.parametrize(("repeated", "passes"), [(34, True), (35, False), (36, False)])
    def test_a_statement_alike_to_ours_merely_repeats(self, repeated: int, passes: bool) -> None:
        """Does not merely repeat our core argument or messages (similarity < .35)."""
        ours = " ".join(f"w{n}" for n in range(repeated + 2))
        statement = ours + "".join(f" own{n}" for n in range(100 - repeated))
        said = with_evidence(
            self_driven(core_argument=ours),
            EvidenceKind.INTEREST_STATEMENT,
            statement=statement,
        )
        assert failing(Stage.DISCOVERING, said) == ([] if passes else [C.DISCOVERING_OWN_WORDS])

    @pytest.mark.parametrize("side", [Side.AGENCY, Side.ISV])
    def test_our_earlier_messages_count_as_ours_and_our_later_ones_may_quote(
        self,
        side: Side,
    ) -> None:
        """Does not merely repeat our core argument or messages."""
        words = self_driven().evidence[1].statement
        assert words is not None
        before = touch(13, day(13), "answer", side=side, text=f"You might say: {words}")
        after = replace(before, occurred_at=day(14.5))
        repeated = with_touches(self_driven(), before)
        assert failing(Stage.DISCOVERING, repeated) == [C.DISCOVERING_OWN_WORDS]
        assert failing(Stage.DISCOVERING, with_touches(self_driven(), after)) == []
        backdated = with_evidence(
            repeated,
            EvidenceKind.INTEREST_STATEMENT,
            occurred_at=day(12),
        )
        assert failing(Stage.DISCOVERING, backdated) == [C.DISCOVERING_OWN_WORDS]

    def test_one_statement_of_his_own_is_enough(self) -> None:
        parroted = evidence(
            9,
            EvidenceKind.INTEREST_STATEMENT,
            day(15),
            statement=self_driven().core_argument,
            touchpoint_id=UUID(int=1014),
        )
        both = replace(self_driven(), evidence=(*self_driven().evidence, parroted))
        assert failing(Stage.DISCOVERING, both) == []


class TestMsiBounds:
    @pytest.mark.parametrize(
        ("stage", "criterion", "p3", "p2", "pushes"),
        [
            (Stage.DISCOVERING, C.DISCOVERING_MSI, 1, 1, 16),
            (Stage.EXECUTIVE_ALIGNED, C.EXECUTIVE_ALIGNED_MSI, 3, 1, 12),
            (Stage.DECISION_IN_PRINCIPLE, C.DECISION_MSI, 4, 1, 10),
            (Stage.QUALIFIED, C.QUALIFIED_MSI, 4, 1, 8),
        ],
    )
    def test_msi_is_reached_on_the_bound_and_missed_an_hour_later(
        self,
        stage: Stage,
        criterion: C,
        p3: int,
        p2: int,
        pushes: int,
    ) -> None:
        """MSI ≥ 15, ≥ 35, ≥ 45, ≥ 50."""
        snapshot = self_driven(touches=msi_of(p3, p2, pushes, day(36)))
        assert criterion not in failing(stage, snapshot, day(36))
        assert criterion in failing(stage, snapshot, day(36) + timedelta(hours=1))


class TestExecutiveAligned:
    def test_a_held_meeting_with_a_c_level_of_the_partner(self) -> None:
        """A held meeting with a partner C-level present."""
        for attendees in (frozenset[UUID](), frozenset({SALES}), frozenset({UUID(int=77)})):
            bent = with_evidence(
                self_driven(),
                EvidenceKind.MEETING_HELD,
                partner_attendees=attendees,
            )
            assert failing(Stage.EXECUTIVE_ALIGNED, bent) == [C.EXECUTIVE_ALIGNED_MEETING]

    def test_a_meeting_still_to_come_is_not_held(self) -> None:
        """A held meeting."""
        planned = with_evidence(
            self_driven(),
            EvidenceKind.MEETING_HELD,
            occurred_at=day(25) + SECOND,
        )
        assert failing(Stage.EXECUTIVE_ALIGNED, planned) == [C.EXECUTIVE_ALIGNED_MEETING]

    def test_at_least_one_proactive_touch(self) -> None:
        """≥ 1 proactive touch."""
        answering = tuple(
            touch(n, day(20), "P1", contact_id=UUID(int=800 + n)) for n in range(100, 110)
        )
        reactive = self_driven(touches=answering)
        assert failing(Stage.EXECUTIVE_ALIGNED, reactive) == [C.EXECUTIVE_ALIGNED_PROACTIVE]
        one = with_touches(reactive, touch(120, day(20), "P2"))
        assert failing(Stage.EXECUTIVE_ALIGNED, one) == []

    def test_a_held_meeting_weighs_nothing(self) -> None:
        """A held meeting weighs 0."""
        met = self_driven(touches=(touch(1, day(24), "P3", channel="meeting"),))
        assert failing(Stage.EXECUTIVE_ALIGNED, met) == [
            C.EXECUTIVE_ALIGNED_PROACTIVE,
            C.EXECUTIVE_ALIGNED_MSI,
        ]


class TestDecisionInPrinciple:
    @pytest.mark.parametrize(
        "change",
        [
            {"statement": ""},
            {"role": None},
            {"role": " "},
            {"touchpoint_id": None},
            {"touchpoint_id": UUID(int=1029)},  # our own answer
            {"occurred_at": day(28) + SECOND},
        ],
    )
    def test_a_written_statement_with_role_and_date(self, change: dict[str, Any]) -> None:
        """Written partner statement, role, date."""
        bent = with_evidence(self_driven(), EvidenceKind.DECISION_STATEMENT, **change)
        assert failing(Stage.DECISION_IN_PRINCIPLE, bent) == [C.DECISION_STATEMENT]

    @pytest.mark.parametrize("channel", ["phone", "meeting", "event"])
    def test_a_spoken_yes_is_not_written(self, channel: str) -> None:
        """Written partner statement."""
        spoken = tuple(
            replace(t, channel=channel) if t.id == UUID(int=1028) else t
            for t in self_driven().touches
        )
        bent = self_driven(touches=spoken)
        assert C.DECISION_STATEMENT in failing(Stage.DECISION_IN_PRINCIPLE, bent)

    @pytest.mark.parametrize(("low", "passes"), [(49.999, False), (50.0, True)])
    def test_the_lower_bound_of_fit_is_at_least_50(self, low: float, passes: bool) -> None:
        """Fit lower bound ≥ 50."""
        expected = [] if passes else [C.DECISION_FIT_LOW]
        snapshot = self_driven(fit=make_fit(low=low))
        assert failing(Stage.DECISION_IN_PRINCIPLE, snapshot) == expected


class TestBusinessPlanning:
    def test_three_fields_written_by_the_partner(self) -> None:
        """Joint plan with ≥ 3 fields written by the partner."""
        three = self_driven(plans=(plan(start_date=None),))
        two = self_driven(plans=(plan(start_date=None, investment=None),))
        assert failing(Stage.BUSINESS_PLANNING, three) == []
        assert failing(Stage.BUSINESS_PLANNING, two) == [C.PLANNING_PARTNER_FIELDS]
        assert failing(Stage.BUSINESS_PLANNING, self_driven(plans=())) == [
            C.PLANNING_PARTNER_FIELDS,
        ]

    def test_a_field_without_an_inbound_touch_is_not_the_partners(self) -> None:
        """A plan field counts as the partner's only with an inbound touch as its source."""
        for source in (29, 36, 999):  # our answer, nothing, nothing
            ours = self_driven(plans=(plan(source=source),))
            assert failing(Stage.BUSINESS_PLANNING, ours) == [C.PLANNING_PARTNER_FIELDS]

    def test_fields_that_we_wrote_do_not_count(self) -> None:
        """Each field with its author (partner, hunter, ISV) and source."""
        for author in (Author.HUNTER, Author.ISV):
            fields = tuple(replace(field, author=author) for field in plan().fields)
            ours = self_driven(plans=(replace(plan(), fields=fields),))
            assert failing(Stage.BUSINESS_PLANNING, ours) == [C.PLANNING_PARTNER_FIELDS]

    def test_repeating_a_field_does_not_make_it_three(self) -> None:
        field = PlanField(PlanName.RESOURCES, "two people", Author.PARTNER, UUID(int=1035))
        repeated = self_driven(plans=(replace(plan(), fields=(field,) * 3),))
        assert failing(Stage.BUSINESS_PLANNING, repeated) == [C.PLANNING_PARTNER_FIELDS]

    def test_the_newest_version_speaks(self) -> None:
        """A plan is versioned."""
        newer = self_driven(plans=(plan(2, start_date=None, investment=""), plan(1)))
        assert failing(Stage.BUSINESS_PLANNING, newer) == [C.PLANNING_PARTNER_FIELDS]


class TestContracted:
    def test_an_agreement_and_the_plan_version_it_rests_on(self) -> None:
        """Agreement and the plan version it rests on."""
        assert failing(Stage.CONTRACTED, self_driven(), day(40) - SECOND) == [
            C.CONTRACTED_AGREEMENT,
            C.CONTRACTED_PLAN,
        ]
        for number in (None, 2):
            bent = with_evidence(self_driven(), EvidenceKind.AGREEMENT, plan_number=number)
            assert failing(Stage.CONTRACTED, bent) == [C.CONTRACTED_PLAN]


class TestActivated:
    @pytest.mark.parametrize(
        ("at", "passes"),
        [
            (day(40) - SECOND, False),
            (day(40), True),
            (day(130), True),
            (day(130) + SECOND, False),
        ],
    )
    def test_a_business_action_within_90_days(self, at: datetime, passes: bool) -> None:
        """≥ 1 partner-initiated business action within 90 days."""
        acted = with_evidence(
            with_touches(self_driven(), touch(39, day(39), "P3")),
            EvidenceKind.BUSINESS_ACTION,
            occurred_at=at,
            touchpoint_id=UUID(int=1039),
        )
        expected = [] if passes else [C.ACTIVATED_BUSINESS_ACTION]
        assert failing(Stage.ACTIVATED, acted, day(200)) == expected

    def test_what_we_initiated_is_not_the_partners(self) -> None:
        """Partner-initiated business action."""
        for touchpoint_id in (None, UUID(int=1029), UUID(int=1010)):
            bent = with_evidence(
                self_driven(),
                EvidenceKind.BUSINESS_ACTION,
                touchpoint_id=touchpoint_id,
            )
            assert failing(Stage.ACTIVATED, bent) == [C.ACTIVATED_BUSINESS_ACTION]
