"""The attacks on the method, each with and without the rule against it.

Every test bends the one rule it names out of the program, shows that the pushed partner of the
attack then meets the whole billable definition, and that he does not with the rule in force.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from flatbed.app.candidates.rules import touches as rules
from flatbed.app.candidates.rules.gate_criteria import GateCriterion as C
from flatbed.app.candidates.rules.initiative import InitiativeNumbers
from flatbed.app.candidates.rules.stages import Stage
from flatbed.app.candidates.rules.touches import EffectiveTouch, Provenance, Touch, TouchClass
from flatbed.tenants.kit.workdays import subtract_business_days
from tests.candidates.rules.factory import (
    CEO,
    RUBRIC,
    ZONE,
    bent,
    day,
    failing,
    self_driven,
    touch,
    with_touches,
)

NOW = day(36)
"""Eight days after the decision of day 28, which is touch 28."""
PROVEN = {C.QUALIFIED_PROACTIVE, C.QUALIFIED_COMMITTING, C.QUALIFIED_HANDS_OFF}


def fails(touches: Sequence[Touch], now: datetime = NOW) -> set[C]:
    """Return the criteria of the billable definition that this history misses."""
    return set(failing(Stage.QUALIFIED, self_driven(touches=tuple(touches)), now))


def pushes(*days: float) -> list[Touch]:
    """Return pushes of ours."""
    return [touch(100 + n, day(at), "push") for n, at in enumerate(days)]


def yes(**changes: Any) -> Touch:
    """Return the message that carries the decision: pressed out of him, an answer."""
    return replace(touch(28, day(28), "P1"), **changes)


def bend(
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Touch, EffectiveTouch], EffectiveTouch],
) -> None:
    """Let every touch be judged as `change` has it."""
    judge = rules._judge
    monkeypatch.setattr(rules, "_judge", lambda one, at: change(one, judge(one, at)))


class TestAttacks:
    """Against gaming (each simulated: without it a pushed partner qualifies)."""

    def test_he_delivers_what_every_message_asks_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A touch that supplies what our previous message asked for is P1 whatever it holds."""
        asking = pushes(*range(0, 28, 3))
        supplied = [
            touch(200 + n, day(at), "P3", elicited_by=asking[-1].id)
            for n, at in enumerate((29, 30, 31, 32, 33, 34))
        ]
        attack = [*asking, yes(), *supplied]
        assert fails(attack) == {*PROVEN, C.QUALIFIED_MSI}

        bend(monkeypatch, lambda one, left: replace(left, cls=one.proposed, elicited=False))
        assert fails(attack) == set()

    def test_one_pressed_person_sends_six_mails_in_an_hour(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One person counts once a day, at the highest class."""
        hour = [touch(200 + n, day(33) + timedelta(minutes=9 * n), "P3") for n in range(6)]
        attack = [*pushes(*range(0, 28, 3)), yes(), *hour]
        assert fails(attack) == {C.QUALIFIED_MSI, C.QUALIFIED_PROACTIVE}

        def alone(one: EffectiveTouch, _: object) -> tuple[UUID, date]:
            return one.touch.id, one.touch.occurred_at.date()

        monkeypatch.setattr(rules, "_person_day", alone)
        assert fails(attack) == set()

    def test_every_answer_of_ours_asks_for_something_more(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An answer of ours that contains an unrequested ask is a push."""
        moves = [touch(200 + n, day(29 + 2 * n), "P2") for n in range(4)]
        asks = [
            touch(300 + n, day(29 + n) + timedelta(hours=2), "answer", unrequested_ask=True)
            for n in range(7)
        ]
        attack = [*pushes(0), yes(proposed=TouchClass.P3), *moves, *asks]
        assert fails(attack) == {C.QUALIFIED_MSI, C.QUALIFIED_HANDS_OFF}

        bend(monkeypatch, lambda one, left: replace(left, cls=one.proposed))
        assert fails(attack) == set()

    def test_he_is_talked_into_one_meeting_after_another(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A held meeting weighs 0."""
        met = [touch(200 + n, day(29 + n), "P3", channel="meeting") for n in range(6)]
        attack = [*pushes(*range(0, 28, 3)), yes(), *met]
        assert fails(attack) == {*PROVEN, C.QUALIFIED_MSI}

        bend(monkeypatch, lambda _, left: replace(left, counted=True))
        assert fails(attack) == set()

    def test_the_pressing_of_these_weeks_is_dated_into_last_year(self) -> None:
        """Hunters may date a touch back at most 5 business days."""
        moves = [touch(200 + n, day(30 + 2 * n), "P3") for n in range(3)]
        pressed = pushes(*(25 + n for n in range(11)))
        earliest = subtract_business_days(NOW, RUBRIC.backdate_business_days, "DE", ZONE)
        last_year = [replace(one, occurred_at=day(-90)) for one in pressed]
        as_far_as_allowed = [replace(one, occurred_at=earliest) for one in pressed]
        rights = tuple(replace(r, recorded_at=day(-100)) for r in self_driven().rights)

        def left(dated: list[Touch]) -> set[C]:
            snapshot = self_driven(touches=(*dated, yes(), *moves), rights=rights)
            return set(failing(Stage.QUALIFIED, snapshot, NOW))

        assert left(last_year) == set()
        assert left(as_far_as_allowed) == {C.QUALIFIED_MSI}
        assert left(pressed) == {C.QUALIFIED_MSI, C.QUALIFIED_HANDS_OFF}

    def test_a_push_is_left_out_and_said_only_later(self) -> None:
        """A push said later to have been left out opens a review by an uninvolved lead."""
        kept_quiet = touch(90, day(33), "push")
        as_told = self_driven()
        as_it_was = with_touches(as_told, kept_quiet)
        assert failing(Stage.QUALIFIED, as_told, NOW) == []
        # What the lead reads in the review: the partner had never been left alone.
        assert failing(Stage.QUALIFIED, as_it_was, NOW) == [C.QUALIFIED_HANDS_OFF]


class TestProvenance:
    def test_the_hunter_attests_a_partner_who_never_moved(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The three proactive touches and the one in the hands-off window: `system` or `audited`.

        Attested partner touches count half in MSI, our own always fully.
        """
        told = [touch(200 + n, day(29 + n), "P3", provenance=Provenance.ATTESTED) for n in range(6)]
        attack = [*pushes(*range(0, 28, 3)), yes(provenance=Provenance.ATTESTED), *told]
        assert fails(attack) >= PROVEN

        monkeypatch.setattr(EffectiveTouch, "is_proven", property(lambda _: True))
        believed = replace(RUBRIC, initiative=InitiativeNumbers(attested_share=1.0))
        snapshot = self_driven(touches=tuple(attack))
        assert failing(Stage.QUALIFIED, snapshot, NOW, believed) == []

    def test_he_reads_his_own_class_up_by_a_lowering(self) -> None:
        """Anybody may lower a class, nobody but an auditor raise it."""
        quiet = self_driven(touches=(*pushes(0), yes()))
        for number, at in ((29, 29), (31, 31), (33, 33)):
            said = touch(number, day(at), "P1")
            raised = rules.Verdict("lowering", TouchClass.P3, None, day(34))
            quiet = with_touches(quiet, replace(said, verdicts=(raised,)))
        assert set(failing(Stage.QUALIFIED, quiet, NOW)) >= PROVEN
        heard = quiet
        for number in (29, 31, 33):
            verdict = rules.Verdict("audit", TouchClass.P3, None, day(34))
            heard = bent(number, heard, verdicts=(verdict,))
        assert failing(Stage.QUALIFIED, heard, NOW) == []

    def test_the_hunter_writes_the_plan_in_his_name(self) -> None:
        """A plan field counts as the partner's only with an inbound touch as its source."""
        written = self_driven()
        without_source = replace(
            written,
            plans=tuple(
                replace(
                    one,
                    fields=tuple(replace(f, source_touchpoint_id=None) for f in one.fields),
                )
                for one in written.plans
            ),
        )
        assert failing(Stage.BUSINESS_PLANNING, written) == []
        assert failing(Stage.BUSINESS_PLANNING, without_source) == [C.PLANNING_PARTNER_FIELDS]


class TestSilence:
    def test_letting_go_lets_an_unconvinced_partner_fall(self) -> None:
        """κ makes silence cost: without it the share never falls."""
        alone = self_driven(touches=(touch(1, day(1), "P3", contact_id=CEO),))

        def missed(days: float, kappa: float) -> bool:
            rubric = replace(RUBRIC, initiative=InitiativeNumbers(kappa=kappa))
            gate = failing(Stage.DECISION_IN_PRINCIPLE, alone, day(days), rubric)
            return C.DECISION_MSI in gate

        assert (missed(1, kappa=1), missed(40, kappa=1)) == (False, True)
        assert not missed(40, kappa=1e-12)
