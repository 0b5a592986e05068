"""Verdicts, and the rules against gaming each with its attack."""

from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flatbed.app.candidates.rules.initiative import msi
from flatbed.app.candidates.rules.touches import (
    OUR_CLASSES,
    PARTNER_CLASSES,
    EffectiveTouch,
    Provenance,
    Side,
    Touch,
    TouchClass,
    effective,
    is_lower,
)
from tests.candidates.rules.builders import (
    ASKED,
    BERLIN,
    PEOPLE,
    any_touch,
    day,
    histories,
    touch,
    verdict,
    verdicts_for,
)

P0, P1, P2, P3 = PARTNER_CLASSES
PUSH, ANSWER = OUR_CLASSES
CFO, CEO = PEOPLE[1], PEOPLE[2]


def one(single: Touch) -> EffectiveTouch:
    (result,) = effective([single], BERLIN)
    return result


def value(touches: list[Touch], at: float) -> float:
    return msi(effective(touches, BERLIN), day(at)).value


class TestVerdicts:
    def test_the_auditors_last_verdict_replaces_class_and_elicited_by(self) -> None:
        """The auditor's appended verdict replaces them."""
        audited = one(
            touch(
                1,
                P1,
                elicited_by=ASKED,
                verdicts=[verdict("audit", P2, 2, ASKED), verdict("audit", P3, 3)],
            ),
        )
        assert (audited.cls, audited.elicited) == (P3, False)

    @pytest.mark.parametrize("recorded", [Provenance.ATTESTED, Provenance.SYSTEM])
    def test_an_audit_makes_the_touch_audited(self, recorded: Provenance) -> None:
        audited = one(touch(1, P2, provenance=recorded, verdicts=[verdict("audit", P2, 2)]))
        assert audited.provenance is Provenance.AUDITED
        assert audited.is_proven

    def test_a_lowering_leaves_the_provenance(self) -> None:
        lowered = one(
            touch(1, P2, provenance=Provenance.ATTESTED, verdicts=[verdict("lowering", P1, 2)]),
        )
        assert (lowered.cls, lowered.provenance) == (P1, Provenance.ATTESTED)

    def test_nobody_but_an_auditor_raises_a_class(self) -> None:
        """'anybody may lower a class, nobody but an auditor raise it'."""
        assert one(touch(1, P1, verdicts=[verdict("lowering", P3, 2)])).cls is P1
        assert one(touch(1, P1, verdicts=[verdict("audit", P3, 2)])).cls is P3

    def test_a_push_is_not_lowered_to_an_answer_but_an_answer_to_a_push(self) -> None:
        assert one(touch(1, PUSH, verdicts=[verdict("lowering", ANSWER, 2)])).cls is PUSH
        assert one(touch(1, ANSWER, verdicts=[verdict("lowering", PUSH, 2)])).cls is PUSH

    def test_an_audit_overrules_an_earlier_lowering_and_obeys_a_later_one(self) -> None:
        rows = [verdict("lowering", P0, 2), verdict("audit", P3, 3)]
        assert one(touch(1, P2, verdicts=rows)).cls is P3
        rows.append(verdict("lowering", P2, 4))
        assert one(touch(1, P2, verdicts=rows)).cls is P2

    def test_a_lowering_may_name_what_elicited_but_never_clear_it(self) -> None:
        assert one(touch(1, P2, verdicts=[verdict("lowering", P2, 2, ASKED)])).elicited
        assert one(touch(1, P2, elicited_by=ASKED, verdicts=[verdict("lowering", P2, 2)])).elicited

    def test_a_verdict_is_unheard_before_its_time(self) -> None:
        late = touch(1, P1, verdicts=[verdict("audit", P3, 5)])
        assert effective([late], BERLIN, at=day(4))[0].cls is P1
        assert effective([late], BERLIN, at=day(5))[0].cls is P3
        assert effective([late], BERLIN, at=day(0)) == ()

    @settings(deadline=None)  # the machine may be busy
    @given(st.data())
    def test_lowering_never_raises_any_touch(self, data: st.DataObject) -> None:
        before = data.draw(any_touch())
        classes = PARTNER_CLASSES if before.side is Side.PARTNER else OUR_CLASSES
        late = replace(data.draw(verdicts_for(classes)), kind="lowering", at=day(61))
        after = replace(before, verdicts=(*before.verdicts, late))
        was, now = one(before), one(after)
        assert now.cls is was.cls or is_lower(now.cls, was.cls)
        assert now.elicited >= was.elicited
        assert (now.provenance, now.counted) == (was.provenance, was.counted)

    @settings(deadline=None)  # the machine may be busy
    @given(st.data())
    def test_lowering_never_raises_msi(self, data: st.DataObject) -> None:
        before = data.draw(histories((Provenance.SYSTEM,)).filter(bool))
        index = data.draw(st.integers(0, len(before) - 1))
        chosen = before[index]
        classes = PARTNER_CLASSES if chosen.side is Side.PARTNER else OUR_CLASSES
        late = replace(data.draw(verdicts_for(classes)), kind="lowering", at=day(61))
        after = list(before)
        after[index] = replace(chosen, verdicts=(*chosen.verdicts, late))
        assert value(after, 61) <= value(before, 61) + 1e-9


class TestRecord:
    def test_a_class_of_the_other_side_is_refused(self) -> None:
        with pytest.raises(ValueError, match="side partner"):
            touch(1, PUSH, side=Side.PARTNER)
        with pytest.raises(ValueError, match="side agency"):
            touch(1, PUSH, verdicts=[verdict("audit", P2, 2)])
        with pytest.raises(ValueError, match="different sides"):
            is_lower(P1, PUSH)

    def test_a_naive_time_is_refused(self) -> None:
        with pytest.raises(ValueError, match="aware"):
            replace(touch(1, P1), occurred_at=datetime(2026, 1, 1))  # noqa: DTZ001 (the case)

    def test_nothing_is_recorded_as_audited(self) -> None:
        with pytest.raises(ValueError, match="verdict"):
            touch(1, P1, provenance=Provenance.AUDITED)

    @settings(deadline=None)  # the machine may be busy
    @given(histories(), st.randoms())
    def test_the_order_of_touches_does_not_matter(
        self,
        touches: list[Touch],
        random: Random,
    ) -> None:
        shuffled = list(touches)
        random.shuffle(shuffled)
        assert effective(shuffled, BERLIN) == effective(touches, BERLIN)

    @settings(deadline=None)  # the machine may be busy
    @given(any_touch().filter(lambda t: len(t.verdicts) > 1))
    def test_the_order_of_verdicts_does_not_matter(self, before: Touch) -> None:
        after = replace(before, verdicts=before.verdicts[::-1])
        assert replace(one(after), touch=before) == one(before)


class TestElicited:
    """'a touch that supplies what our previous message asked for is P1 whatever it holds'."""

    @pytest.mark.parametrize(("cls", "left"), [(P0, P0), (P1, P1), (P2, P1), (P3, P1)])
    def test_an_elicited_touch_is_p1_whatever_it_holds(
        self,
        cls: TouchClass,
        left: TouchClass,
    ) -> None:
        assert one(touch(1, cls, elicited_by=ASKED)).cls is left

    def test_an_auditor_who_finds_it_elicited_makes_it_p1(self) -> None:
        assert one(touch(1, P3, verdicts=[verdict("audit", P3, 2, ASKED)])).cls is P1

    def test_the_attack_asking_for_documents_and_booking_them_as_initiative_stays_low(
        self,
    ) -> None:
        asks = [touch(n, PUSH) for n in range(0, 30, 5)]
        honest = [touch(n + 1, P3, elicited_by=ASKED) for n in range(0, 30, 5)]
        without_the_rule = [replace(t, elicited_by=None) for t in honest]
        assert value(asks + without_the_rule, 30) >= 50
        assert value(asks + honest, 30) < 35


class TestOnceADay:
    """'one person counts once a day, at the highest class'."""

    def test_one_person_counts_once_a_day_at_the_highest_class(self) -> None:
        rows = [touch(0, P1), touch(0.1, P3), touch(0.2, P2)]
        result = effective(rows, BERLIN)
        assert [t.cls for t in result if t.counted] == [P3]
        assert len(result) == 3

    def test_two_people_of_the_partner_count_each(self) -> None:
        rows = [touch(0, P2, person=CFO), touch(0.1, P2, person=CEO)]
        assert all(t.counted for t in effective(rows, BERLIN))

    def test_nameless_touches_are_one_anonymous_person(self) -> None:
        rows = [touch(n / 10, P2, person=None) for n in range(4)]
        assert sum(t.counted for t in effective(rows, BERLIN)) == 1

    def test_our_own_touches_always_count(self) -> None:
        rows = [touch(n / 10, PUSH) for n in range(4)]
        assert all(t.counted for t in effective(rows, BERLIN))

    def test_the_day_is_the_tenants_local_date(self) -> None:
        """Here "once a day" is a tenant-local date."""
        evening = replace(touch(0, P2), occurred_at=datetime(2026, 7, 1, 21, 59, tzinfo=UTC))
        night = replace(touch(0, P2), occurred_at=datetime(2026, 7, 1, 22, 1, tzinfo=UTC))
        assert sum(t.counted for t in effective([evening, night], BERLIN)) == 2
        assert sum(t.counted for t in effective([evening, night], ZoneInfo("UTC"))) == 1

    def test_what_we_attest_never_hides_what_the_system_saw(self) -> None:
        seen = touch(0, P2)
        for cls in (P0, P1, P2, P3):
            logged = touch(0.1, cls, provenance=Provenance.ATTESTED)
            assert effective([seen, logged], BERLIN)[0].counted

    def test_an_elicited_commitment_does_not_stand_before_a_free_question(self) -> None:
        result = effective([touch(0, P3, elicited_by=ASKED), touch(0.1, P2)], BERLIN)
        assert [t.counted for t in result] == [False, True]

    @settings(deadline=None)  # the machine may be busy
    @given(st.integers(1, 12), st.sampled_from((P1, P2, P3)), st.sampled_from(PEOPLE))
    def test_splitting_a_message_gains_nothing(
        self,
        parts: int,
        cls: TouchClass,
        person: UUID | None,
    ) -> None:
        whole = [touch(0.4, cls, person=person)]
        split = [touch(0.4 - n / 100, cls, person=person) for n in range(parts)]
        assert value(split, 5) == value(whole, 5)

    def test_the_attack_five_mails_a_day_from_one_pressed_person_stays_low(self) -> None:
        pushes = [touch(n, PUSH) for n in range(0, 20, 4)]
        burst = [touch(19 + n / 50, P2) for n in range(6)]
        spread = [
            replace(t, contact_id=UUID(int=700 + n)) for n, t in enumerate(burst)
        ]  # as MSI would be if each mail counted
        assert value(pushes + spread, 20) >= 50
        assert value(pushes + burst, 20) < 35


class TestUnrequestedAsk:
    """'an answer of ours that contains an unrequested ask is a push'."""

    def test_an_answer_with_an_unrequested_ask_is_a_push(self) -> None:
        asking = one(touch(1, ANSWER, unrequested_ask=True))
        assert asking.cls is PUSH
        assert asking.is_our_push
        assert not one(touch(1, ANSWER)).is_our_push

    def test_not_even_an_audit_makes_it_an_answer(self) -> None:
        asking = touch(1, PUSH, unrequested_ask=True, verdicts=[verdict("audit", ANSWER, 2)])
        assert one(asking).is_our_push

    def test_the_attack_pushing_under_the_name_of_answers_stays_low(self) -> None:
        replies = [touch(n, P2) for n in range(0, 30, 3)]
        asks = [touch(n + 1, ANSWER, unrequested_ask=True) for n in range(0, 30, 3)]
        without_the_rule = [replace(t, unrequested_ask=False) for t in asks]
        assert value(replies + without_the_rule, 30) >= 50
        assert value(replies + asks, 30) < 50


class TestMeeting:
    """'a held meeting weighs 0'."""

    def test_a_held_meeting_is_visible_and_weighs_nothing(self) -> None:
        met = one(touch(1, P3, channel="meeting"))
        assert (met.cls, met.counted, met.is_proactive) == (P3, False, False)

    def test_a_meeting_takes_no_place_in_the_persons_day(self) -> None:
        result = effective([touch(0, P3, channel="meeting"), touch(0.1, P1)], BERLIN)
        assert [t.counted for t in result] == [False, True]

    def test_a_push_of_ours_in_a_meeting_still_interrupts(self) -> None:
        assert one(touch(1, PUSH, channel="meeting")).is_our_push

    def test_the_attack_talking_the_partner_into_meetings_stays_low(self) -> None:
        pushes = [touch(n, PUSH) for n in range(0, 30, 6)]
        meetings = [touch(n + 1, P3, channel="meeting") for n in range(0, 30, 6)]
        without_the_rule = [replace(t, channel="phone") for t in meetings]
        assert value(pushes + without_the_rule, 30) >= 50
        assert value(pushes + meetings, 30) == 0


class TestIsv:
    def test_pushes_of_the_isv_on_its_own_do_not_interrupt_and_do_not_count(self) -> None:
        """'pushes of the ISV on its own do not interrupt and do not count in V'."""
        for cls in (PUSH, ANSWER):
            own = one(touch(1, cls, side=Side.ISV))
            assert (own.counted, own.is_our_push) == (False, False)
        assert value([touch(0, P2), touch(1, PUSH, side=Side.ISV)], 2) == value([touch(0, P2)], 2)
