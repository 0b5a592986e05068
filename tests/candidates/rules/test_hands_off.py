"""The hands-off test, and each attack on it."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from flatbed.app.candidates.rules.gate_criteria import GateCriterion as C
from flatbed.app.candidates.rules.situation import Situation
from flatbed.app.candidates.rules.snapshot import (
    CandidateSnapshot,
    Waiting,
)
from flatbed.app.candidates.rules.stages import EvidenceKind, Stage
from flatbed.app.candidates.rules.touches import Provenance, Side, TouchClass, Verdict
from tests.candidates.rules.factory import (
    CEO,
    RUBRIC,
    SECOND,
    audit,
    bent,
    day,
    evidence,
    failing,
    self_driven,
    touch,
    with_evidence,
    with_touches,
    without,
)

QUALIFIED = Stage.QUALIFIED
# 168 hours after the decision of day 28.
EARLIEST = day(35)


class TestHandsOff:
    """After the decision, 168 hours without a push, and inside it a move nobody elicited."""

    @staticmethod
    def fails(snapshot: CandidateSnapshot, now: datetime) -> bool:
        """Say whether it fails, and that nothing else but the decay of MSI may."""
        answer = failing(QUALIFIED, snapshot, now)
        assert not set(answer) - {C.QUALIFIED_HANDS_OFF, C.QUALIFIED_MSI}
        return C.QUALIFIED_HANDS_OFF in answer

    def test_a_push_interrupts_and_a_new_stretch_begins(self) -> None:
        """A stretch of at least 168 hours without a push by hunter or agency."""
        snapshot = with_touches(self_driven(), touch(90, day(30), "push"))
        assert self.fails(snapshot, day(37) - SECOND)
        assert not self.fails(snapshot, day(37))

    def test_a_push_after_168_hours_comes_too_late_to_spoil_them(self) -> None:
        """There is a stretch of at least 168 hours."""
        at_bound = with_touches(self_driven(), touch(90, day(35), "push"))
        just_before = with_touches(self_driven(), touch(90, day(35) - SECOND, "push"))
        assert not self.fails(at_bound, day(36))
        assert self.fails(just_before, day(36))

    def test_a_push_before_or_with_the_decision_does_not_matter(self) -> None:
        """After the date of the decision statement."""
        for at in (day(27), day(28)):
            assert not self.fails(with_touches(self_driven(), touch(90, at, "push")), EARLIEST)

    def test_a_decision_that_only_we_attest_counts_from_when_it_was_said(self) -> None:
        """Hunters may date a touch back at most 5 business days, and win no stretch by it."""

        def carried(provenance: Provenance, *verdicts: Verdict) -> CandidateSnapshot:
            found = self_driven()
            touches = tuple(
                replace(one, provenance=provenance, recorded_at=day(35), verdicts=verdicts)
                if one.id == UUID(int=1028)
                else one
                for one in found.touches
            )
            return replace(found, touches=touches)

        assert self.fails(carried(Provenance.ATTESTED), day(36))
        assert not self.fails(carried(Provenance.SYSTEM), day(36))
        assert not self.fails(carried(Provenance.ATTESTED, audit(TouchClass.P3)), day(36))

    def test_answering_a_partners_request_stays_allowed(self) -> None:
        """Answering a partner's request stays allowed."""
        answered = with_touches(
            self_driven(), *(touch(90 + n, day(29 + n), "answer") for n in range(5))
        )
        assert not self.fails(answered, EARLIEST)

    def test_an_answer_with_an_unrequested_ask_is_a_push(self) -> None:
        """An answer of ours that contains an unrequested ask is a push."""
        asking = with_touches(self_driven(), touch(90, day(30), "answer", unrequested_ask=True))
        assert self.fails(asking, EARLIEST)
        assert self.fails(bent(29, unrequested_ask=True), EARLIEST)

    def test_a_push_in_a_meeting_is_still_a_push(self) -> None:
        """Without a push by hunter or agency."""
        met = with_touches(self_driven(), touch(90, day(30), "push", channel="meeting"))
        assert self.fails(met, EARLIEST)

    def test_pushes_of_the_isv_do_not_interrupt_and_do_not_count(self) -> None:
        """Pushes of the ISV on its own do not interrupt and do not count in V."""
        by_isv = [touch(90 + n, day(29 + n), "push", side=Side.ISV) for n in range(5)]
        snapshot = with_touches(self_driven(), *by_isv)
        assert not self.fails(snapshot, EARLIEST)
        before = Situation(self_driven(), RUBRIC, EARLIEST).msi
        assert Situation(snapshot, RUBRIC, EARLIEST).msi == before

    def test_time_in_which_the_partner_waits_for_the_isv_does_not_count(self) -> None:
        """Not counting time in which the partner waits for the ISV."""
        waits = self_driven(waiting=(Waiting(day(29), day(30)), Waiting(day(29.5), day(31))))
        assert self.fails(waits, day(37) - SECOND)
        assert not self.fails(waits, day(37))

    def test_a_wait_still_open_counts_up_to_now_and_one_before_the_decision_not_at_all(
        self,
    ) -> None:
        """Not counting time in which the partner waits for the ISV."""
        assert self.fails(self_driven(waiting=(Waiting(day(34)),)), day(45))
        assert not self.fails(self_driven(waiting=(Waiting(day(20), day(28)),)), EARLIEST)
        assert not self.fails(self_driven(waiting=(Waiting(day(35)),)), day(36))

    def test_inside_it_the_partner_moves_by_himself(self) -> None:
        """Inside it at least one P2 or P3 touch that nobody elicited."""
        quiet = bent(32, bent(35, elicited_by=UUID(int=1029)), elicited_by=UUID(int=1029))
        assert self.fails(quiet, EARLIEST)
        moved_once = bent(35, elicited_by=UUID(int=1029))
        assert not self.fails(moved_once, EARLIEST)

    def test_the_move_lies_in_the_long_stretch_itself(self) -> None:
        """Inside it at least one P2 or P3 touch."""
        snapshot = with_touches(self_driven(), touch(90, day(35) - SECOND, "push"))
        late = bent(35, snapshot, elicited_by=UUID(int=1029))
        assert self.fails(late, day(44))  # nine quiet days, but he moved only before the push
        assert not self.fails(snapshot, day(44))

    def test_the_decision_itself_is_not_the_move(self) -> None:
        """After the date of the decision statement."""
        only_yes = self_driven(
            touches=tuple(t for t in self_driven().touches if t.occurred_at <= day(29)),
        )
        assert self.fails(only_yes, day(36))

    def test_the_move_is_system_or_audited(self) -> None:
        """And the one in the hands-off window must be `system` or `audited`."""
        attested: dict[str, Any] = {"provenance": Provenance.ATTESTED}
        snapshot = bent(32, bent(35, **attested), **attested)
        assert self.fails(snapshot, EARLIEST)
        heard = bent(32, snapshot, verdicts=(audit(TouchClass.P2),))
        assert not self.fails(heard, EARLIEST)

    def test_a_statement_dated_before_its_touch_gains_no_time(self) -> None:
        """After the date of the decision statement."""
        early = with_evidence(
            self_driven(),
            EvidenceKind.DECISION_STATEMENT,
            occurred_at=day(20),
        )
        assert self.fails(early, EARLIEST - SECOND)
        assert not self.fails(early, EARLIEST)

    def test_it_counts_from_the_first_c_level_decision(self) -> None:
        again = evidence(
            9,
            EvidenceKind.DECISION_STATEMENT,
            day(35),
            statement="Yes, as I wrote.",
            role="CEO",
            contact_id=CEO,
            touchpoint_id=UUID(int=1035),
        )
        snapshot = replace(self_driven(), evidence=(again, *self_driven().evidence))
        assert not self.fails(snapshot, EARLIEST)
        only_later = without(self_driven(), EvidenceKind.DECISION_STATEMENT)
        assert self.fails(replace(only_later, evidence=(*only_later.evidence, again)), day(36))
