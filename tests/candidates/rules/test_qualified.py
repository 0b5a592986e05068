"""The billable definition, criterion by criterion."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from flatbed.app.candidates.rules.gate_criteria import GateCriterion as C
from flatbed.app.candidates.rules.gates import check
from flatbed.app.candidates.rules.situation import Situation
from flatbed.app.candidates.rules.snapshot import (
    Author,
    Contact,
    Objection,
    PlanField,
    PlanName,
)
from flatbed.app.candidates.rules.stages import EvidenceKind, Stage
from flatbed.app.candidates.rules.touches import Provenance, Side, Touch, TouchClass
from tests.candidates.rules.factory import (
    CEO,
    RUBRIC,
    SALES,
    SECOND,
    TIMELINE,
    audit,
    bent,
    day,
    failing,
    make_fit,
    plan,
    self_driven,
    touch,
    with_evidence,
    with_touches,
)

QUALIFIED = Stage.QUALIFIED
# 168 hours after the decision of day 28.
EARLIEST = day(35)


class TestTimeline:
    @pytest.mark.parametrize("row", TIMELINE["msi"], ids=lambda row: f"day {row['day']}")
    def test_the_gates_see_the_golden_msi(self, row: dict[str, float]) -> None:
        s = Situation(self_driven(), RUBRIC, day(row["day"]))
        assert s.msi == pytest.approx(row["msi"], abs=5e-5)

    def test_who_moves_by_himself_qualifies_168_hours_after_his_decision(self) -> None:
        """The billable birth."""
        assert failing(QUALIFIED, self_driven(), EARLIEST) == []
        assert failing(QUALIFIED, self_driven(), EARLIEST - SECOND) == [C.QUALIFIED_HANDS_OFF]


class TestFit:
    @pytest.mark.parametrize(
        ("floor", "value", "passes"),
        [(60, 59.999, False), (60, 60.0, True), (70, 69.999, False), (70, 70.0, True)],
    )
    def test_fit_reaches_the_campaigns_floor(self, floor: int, value: float, passes: bool) -> None:
        """Fit ≥ the campaign's floor."""
        rubric = replace(RUBRIC, fit_floor=floor)
        snapshot = self_driven(fit=make_fit(value))
        expected = [] if passes else [C.QUALIFIED_FIT]
        assert failing(QUALIFIED, snapshot, rubric=rubric) == expected

    def test_every_hard_criterion_passed(self) -> None:
        """And every hard criterion passed."""
        for fit in (make_fit(unknown=("DACH",)), make_fit(failed=("DACH",))):
            assert failing(QUALIFIED, self_driven(fit=fit)) == [C.QUALIFIED_HARD]


class TestDecision:
    BOTH = (C.QUALIFIED_DECISION, C.QUALIFIED_HANDS_OFF)

    @pytest.mark.parametrize(
        "change",
        [
            {"statement": " "},
            {"role": ""},
            {"touchpoint_id": None},
            {"touchpoint_id": UUID(int=1029)},
            {"contact_id": SALES},  # the touch is the CEO's: two names, nobody's word
        ],
    )
    def test_it_is_a_c_levels_written_statement(self, change: dict[str, Any]) -> None:
        """A C-level decision in principle."""
        snapshot = with_evidence(self_driven(), EvidenceKind.DECISION_STATEMENT, **change)
        assert failing(QUALIFIED, snapshot) == [*self.BOTH]

    def test_a_yes_from_below_the_c_level_is_none(self) -> None:
        """A C-level decision in principle."""
        people = (Contact(CEO, c_level=False), Contact(SALES, c_level=False))
        assert failing(QUALIFIED, self_driven(contacts=people)) == [*self.BOTH]
        assert failing(Stage.DECISION_IN_PRINCIPLE, self_driven(contacts=people)) == []
        assert failing(QUALIFIED, self_driven(contacts=())) == [*self.BOTH]

    def test_a_c_levels_name_on_somebody_elses_message_is_not_his_word(self) -> None:
        """A C-level decision in principle."""
        assert failing(QUALIFIED, bent(28, contact_id=SALES)) == [*self.BOTH]

    def test_the_touchs_sender_is_enough_to_know_who_decided(self) -> None:
        snapshot = with_evidence(self_driven(), EvidenceKind.DECISION_STATEMENT, contact_id=None)
        assert failing(QUALIFIED, snapshot) == []


class TestPlan:
    @pytest.mark.parametrize("name", ["revenue_target", "resources", "investment", "start_date"])
    def test_it_names_revenue_target_resources_investment_and_date(self, name: str) -> None:
        """A plan naming revenue target, resources, investment and date."""
        rest = tuple(field for field in plan().fields if field.name != name)
        for fields in (
            rest,
            *((*rest, PlanField(PlanName(name), v, Author.HUNTER)) for v in ("", 0)),
        ):
            snapshot = self_driven(plans=(replace(plan(), fields=fields),))
            assert C.QUALIFIED_PLAN in failing(QUALIFIED, snapshot)

    @pytest.mark.parametrize(
        ("target", "passes"),
        [(49_999_999, False), (50_000_000, True), ("50000000", False)],
    )
    def test_the_revenue_target_reaches_the_floor(self, target: object, passes: bool) -> None:
        """At or above the floor ("MIT attraktivem Business-Plan")."""
        snapshot = self_driven(plans=(plan(revenue_target=target),))
        assert failing(QUALIFIED, snapshot) == ([] if passes else [C.QUALIFIED_REVENUE])

    def test_of_two_targets_the_lower_one_counts(self) -> None:
        low = plan(revenue_target=1).fields[0]
        both = replace(plan(), fields=(*plan().fields, low))
        assert failing(QUALIFIED, self_driven(plans=(both,))) == [C.QUALIFIED_REVENUE]

    def test_the_newest_version_counts(self) -> None:
        """A plan is versioned."""
        newer = self_driven(plans=(plan(2, revenue_target=1), plan(1)))
        assert failing(QUALIFIED, newer) == [C.QUALIFIED_REVENUE]

    def test_no_plan_no_partner(self) -> None:
        assert failing(QUALIFIED, self_driven(plans=())) == [C.QUALIFIED_PLAN, C.QUALIFIED_REVENUE]


def three(*classes: str, **changes: Any) -> tuple[Touch, ...]:
    """Return proactive touches of different people inside the hands-off stretch, and the yes."""
    moves = [
        touch(600 + n, day(30 + n), cls, contact_id=UUID(int=800 + n), **changes)
        for n, cls in enumerate(classes)
    ]
    return (touch(28, day(28), "P1"), *moves)


class TestProactive:
    def test_three_proven_proactive_touches_one_of_them_committing(self) -> None:
        """MSI ≥ 50 with ≥ 3 proactive touches, one of them committing."""
        assert failing(QUALIFIED, self_driven(touches=three("P2", "P2", "P3"))) == []
        assert failing(QUALIFIED, self_driven(touches=three("P2", "P3"))) == [C.QUALIFIED_PROACTIVE]
        assert failing(QUALIFIED, self_driven(touches=three("P2", "P2", "P2"))) == [
            C.QUALIFIED_COMMITTING,
        ]

    def test_what_staff_attest_proves_nothing(self) -> None:
        """The three proactive touches and the one in the hands-off window: system or audited."""
        attested = three("P2", "P3", "P3", "P3", "P3", "P3", provenance=Provenance.ATTESTED)
        assert failing(QUALIFIED, self_driven(touches=attested)) == [
            C.QUALIFIED_PROACTIVE,
            C.QUALIFIED_COMMITTING,
            C.QUALIFIED_HANDS_OFF,
        ]

    def test_an_audit_proves(self) -> None:
        """A lead who is not this candidate's hunter makes a touch `audited`."""
        audited = [
            replace(t, provenance=Provenance.ATTESTED, verdicts=(audit(t.proposed),))
            for t in three("P2", "P2", "P3")
        ]
        assert failing(QUALIFIED, self_driven(touches=tuple(audited))) == []

    def test_the_auditors_verdict_replaces_the_proposal(self) -> None:
        """Class and `elicited_by` are proposed; the auditor's appended verdict replaces them."""
        p1 = bent(32, bent(35, verdicts=(audit(TouchClass.P1),)), verdicts=(audit(TouchClass.P1),))
        assert C.QUALIFIED_HANDS_OFF in failing(QUALIFIED, p1)

    def test_a_touch_that_supplies_what_we_asked_for_is_no_initiative(self) -> None:
        """A touch that supplies what our previous message asked for is P1 (`elicited_by`)."""
        asked = three("P2", "P2", "P3", elicited_by=UUID(int=1008))
        assert set(failing(QUALIFIED, self_driven(touches=asked))) >= {
            C.QUALIFIED_PROACTIVE,
            C.QUALIFIED_COMMITTING,
            C.QUALIFIED_HANDS_OFF,
        }

    def test_one_person_counts_once_a_day(self) -> None:
        """One person counts once a day, at the highest class."""
        burst = tuple(touch(600 + n, day(30) + timedelta(minutes=n), "P3") for n in range(5))
        snapshot = self_driven(touches=(touch(28, day(28), "P3"), *burst))
        assert failing(QUALIFIED, snapshot) == [C.QUALIFIED_PROACTIVE]

    def test_meetings_are_no_proactive_touches(self) -> None:
        """A held meeting weighs 0."""
        met = three("P3", "P3", "P3", channel="meeting")
        assert C.QUALIFIED_PROACTIVE in failing(QUALIFIED, self_driven(touches=met))


class TestLawfulOutreach:
    def test_every_outreach_had_a_right_recorded_in_time(self) -> None:
        """Lawful outreach."""
        rights = self_driven().rights
        in_time = tuple(replace(r, recorded_at=day(1)) for r in rights)
        late = tuple(replace(r, recorded_at=day(1) + SECOND) for r in rights)
        assert failing(QUALIFIED, self_driven(rights=in_time)) == []
        assert failing(QUALIFIED, self_driven(rights=late)) == [C.QUALIFIED_LAWFUL]

    @pytest.mark.parametrize(
        "change",
        [{"contact_id": None}, {"contact_id": UUID(int=77)}, {"channel": "fax"}],
    )
    def test_a_right_is_for_a_person_and_a_channel(self, change: dict[str, Any]) -> None:
        """Rights are kept per person × channel."""
        answer = check(QUALIFIED, bent(8, **change), RUBRIC, day(36))
        assert [(r.criterion, r.evidence_ids) for r in answer.failing] == [
            (C.QUALIFIED_LAWFUL, (UUID(int=1008),)),
        ]

    @pytest.mark.parametrize(
        ("opened", "resolved", "passes"),
        [
            (day(8), day(9), False),
            (day(7), day(8) + SECOND, False),
            (day(7), day(8), True),
            (day(8) + SECOND, day(9), True),
        ],
    )
    def test_writing_against_an_objection_of_the_time_is_unlawful(
        self,
        opened: datetime,
        resolved: datetime,
        passes: bool,
    ) -> None:
        """Until then a channel is lawful by a recorded right without objection."""
        objection = Objection(UUID(int=5), CEO, "email", opened, resolved)
        expected = [] if passes else [C.QUALIFIED_LAWFUL]
        assert failing(QUALIFIED, self_driven(objections=(objection,))) == expected

    def test_a_meeting_needs_no_right_but_bows_to_an_objection(self) -> None:
        met = with_touches(self_driven(), touch(24, day(24), "answer", channel="meeting"))
        assert failing(QUALIFIED, met) == []
        objection = Objection(UUID(int=5), None, None, day(23), day(25))
        assert failing(QUALIFIED, replace(met, objections=(objection,))) == [C.QUALIFIED_LAWFUL]

    def test_what_the_isv_sends_is_not_our_outreach(self) -> None:
        sent = with_touches(self_driven(), touch(24, day(24), "push", side=Side.ISV, channel="fax"))
        assert failing(QUALIFIED, sent) == []


class TestNothingOpen:
    @pytest.mark.parametrize("contact_id", [None, CEO, SALES])
    def test_no_open_objection(self, contact_id: UUID | None) -> None:
        """No open objection or conflict."""
        objection = Objection(UUID(int=5), contact_id, "letter", day(36))
        assert failing(QUALIFIED, self_driven(objections=(objection,))) == [
            C.QUALIFIED_NO_OBJECTION,
        ]
        for harmless in (
            replace(objection, at=day(36) + SECOND),
            replace(objection, at=day(30), resolved_at=day(36)),
        ):
            assert failing(QUALIFIED, self_driven(objections=(harmless,))) == []

    def test_no_open_conflict(self) -> None:
        """No open objection or conflict."""
        assert failing(QUALIFIED, self_driven(open_conflicts=("exclusion pending",))) == [
            C.QUALIFIED_NO_CONFLICT,
        ]

    def test_a_group_is_billed_once_in_a_programme(self) -> None:
        """Not billed before in (tenant, programme, company group)."""
        assert failing(QUALIFIED, self_driven(group_billed=True)) == [C.QUALIFIED_NOT_BILLED]
        assert failing(QUALIFIED, self_driven(holds_entry=True)) == []
