"""The guarantee's clock: its days, its stops and its end."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from flatbed.app.candidates.rules.snapshot import Waiting
from flatbed.app.qualifications.rules.guarantee import (
    GUARANTEE,
    Clock,
    GuaranteeState,
    percent,
    stops,
)
from flatbed.app.qualifications.rules.terms import Calendar

BERLIN = Calendar("DE", ZoneInfo("Europe/Berlin"))
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
GAPS = st.timedeltas(timedelta(0), timedelta(days=40))
MOMENTS = st.timedeltas(timedelta(days=-5), timedelta(days=200)).map(lambda gap: START + gap)


def berlin(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=BERLIN.zone).astimezone(UTC)


@st.composite
def waits(draw: st.DrawFn) -> tuple[Waiting, ...]:
    """Requests, answered or not, in any order and over one another."""
    found = []
    for start in draw(st.lists(MOMENTS, max_size=6)):
        end = draw(st.none() | GAPS)
        found.append(Waiting(start, None if end is None else start + end))
    return tuple(found)


@st.composite
def clocks(draw: st.DrawFn) -> Clock:
    """Clocks that stand still some of the time."""
    changed = draw(st.none() | MOMENTS.filter(lambda moment: moment > START))
    return Clock(START, stops(draw(waits()), BERLIN), changed)


class TestPercent:
    """A credit of 100/50/25 % for days 1-30/31-60/61-90."""

    @pytest.mark.parametrize(
        ("day", "share"), [(1, 100), (30, 100), (31, 50), (60, 50), (61, 25), (90, 25)]
    )
    def test_it_falls_after_thirty_and_after_sixty_days(self, day: int, share: int) -> None:
        assert percent(day) == share

    @pytest.mark.parametrize("day", [-1, 0, 91])
    def test_there_is_no_other_day(self, day: int) -> None:
        with pytest.raises(ValueError, match="90 days"):
            percent(day)


class TestStops:
    """The ISV leaves a partner request unanswered for more than 2 business days."""

    def test_it_stops_with_the_end_of_the_second_business_day(self) -> None:
        # From a Thursday over the weekend to the answer on Wednesday.
        wait = Waiting(berlin(2026, 3, 5, 9), berlin(2026, 3, 11, 15))
        assert stops([wait], BERLIN) == (Waiting(berlin(2026, 3, 10), berlin(2026, 3, 11, 15)),)

    def test_an_answer_in_time_stops_nothing(self) -> None:
        in_time = Waiting(berlin(2026, 3, 5, 9), berlin(2026, 3, 10) - TICK)
        at_its_end = Waiting(berlin(2026, 3, 5, 9), berlin(2026, 3, 10))
        assert stops([in_time, at_its_end], BERLIN) == ()

    def test_without_an_answer_it_stays_stopped(self) -> None:
        assert stops([Waiting(berlin(2026, 3, 5, 9))], BERLIN) == (Waiting(berlin(2026, 3, 10)),)

    def test_stops_that_touch_are_one(self) -> None:
        first = Waiting(berlin(2026, 3, 2, 9), berlin(2026, 3, 12, 9))
        second = Waiting(berlin(2026, 3, 3, 9), berlin(2026, 3, 11, 9))
        third = Waiting(berlin(2026, 3, 9, 9), berlin(2026, 3, 20, 9))
        merged = (Waiting(berlin(2026, 3, 5), berlin(2026, 3, 20, 9)),)
        assert stops([third, first, second], BERLIN) == merged

    @given(waits())
    def test_they_are_in_order_and_apart(self, found: tuple[Waiting, ...]) -> None:
        made = stops(found, BERLIN)
        assert all(one.end is not None and one.end < other.start for one, other in pairwise(made))
        assert all(one.end is None or one.start < one.end for one in made)


class TestClock:
    """Guarantee 90 days from acceptance."""

    def test_the_first_day_begins_with_the_acceptance(self) -> None:
        clock = Clock(START)
        assert clock.day(START) == 1
        assert clock.day(START + DAY - TICK) == 1
        assert clock.day(START + DAY) == 2
        assert clock.day(START + 90 * DAY - TICK) == 90

    def test_it_covers_ninety_days_and_no_more(self) -> None:
        clock = Clock(START)
        assert clock.until == START + 90 * DAY
        assert not clock.covers(START - TICK)
        assert clock.covers(START)
        assert clock.covers(START + 90 * DAY - TICK)
        assert not clock.covers(START + 90 * DAY)
        assert clock.state(START + 90 * DAY) is GuaranteeState.OVER

    def test_a_stop_moves_the_end_and_the_days_by_its_length(self) -> None:
        stop = Waiting(START + 20 * DAY, START + 33 * DAY)
        clock = Clock(START, (stop,))
        assert clock.until == START + 103 * DAY
        assert clock.day(START + 30 * DAY) == clock.day(stop.start) == 21
        assert clock.day(START + 42 * DAY) == 30
        assert clock.stopped(START + 25 * DAY) == 5 * DAY

    def test_while_it_stands_still_nothing_is_covered(self) -> None:
        stop = Waiting(START + 20 * DAY, START + 33 * DAY)
        clock = Clock(START, (stop,))
        assert clock.covers(stop.start - TICK)
        assert clock.state(stop.start) is GuaranteeState.STOPPED
        assert not clock.covers(START + 25 * DAY)
        assert stop.end is not None
        assert clock.covers(stop.end)

    def test_while_a_request_is_open_nobody_knows_its_end(self) -> None:
        clock = Clock(START, (Waiting(START + 20 * DAY),))
        assert clock.until is None
        assert clock.state(START + 500 * DAY) is GuaranteeState.STOPPED
        assert clock.day(START + 500 * DAY) == 21

    def test_a_stop_after_its_end_moves_nothing(self) -> None:
        late = Waiting(START + 90 * DAY, None)
        assert Clock(START, (late,)).until == START + 90 * DAY

    def test_a_stop_that_began_before_counts_from_the_acceptance_on(self) -> None:
        stop = Waiting(START - 10 * DAY, START + 2 * DAY)
        clock = Clock(START, (stop,))
        assert clock.until == START + 92 * DAY
        assert clock.state(START) is GuaranteeState.STOPPED
        assert Clock(START, (Waiting(START - 3 * DAY, START - DAY),)).until == START + 90 * DAY

    def test_it_ends_when_the_isv_changes_its_programme_terms(self) -> None:
        """And ends if the ISV changes its programme terms."""
        changed = START + 40 * DAY
        clock = Clock(START, terms_changed_at=changed)
        assert clock.until == changed
        assert clock.covers(changed - TICK)
        assert clock.state(changed) is GuaranteeState.ENDED
        assert clock.state(START + 400 * DAY) is GuaranteeState.ENDED

    def test_terms_that_change_after_its_end_change_nothing(self) -> None:
        clock = Clock(START, terms_changed_at=START + 91 * DAY)
        assert clock.until == START + 90 * DAY
        assert clock.state(START + 92 * DAY) is GuaranteeState.OVER

    def test_terms_that_change_during_a_stop_end_it_all_the_same(self) -> None:
        changed = START + 30 * DAY
        clock = Clock(START, (Waiting(START + 20 * DAY),), changed)
        assert clock.until == changed
        assert clock.state(changed) is GuaranteeState.ENDED

    def test_a_day_of_twenty_three_hours_is_no_shorter_day_of_the_guarantee(self) -> None:
        # Summer time begins on 29 March 2026.
        accepted = berlin(2026, 3, 1, 12)
        assert Clock(accepted).until == berlin(2026, 5, 30, 13)

    @given(clocks(), MOMENTS, MOMENTS)
    def test_what_was_used_never_shrinks_and_grows_no_faster_than_time(
        self, clock: Clock, one: datetime, other: datetime
    ) -> None:
        first, second = sorted((max(one, START), max(other, START)))
        grown = clock.used(second) - clock.used(first)
        assert timedelta(0) <= grown <= second - first

    @given(clocks(), MOMENTS)
    @example(
        Clock(START, (Waiting(START + GUARANTEE - TICK, START + GUARANTEE),)), START + GUARANTEE
    )
    def test_what_it_covers_has_a_day_and_a_share(self, clock: Clock, at: datetime) -> None:
        if clock.covers(at):
            assert 1 <= clock.day(at) <= 90
            assert percent(clock.day(at)) in {100, 50, 25}
            assert clock.until is None or at < clock.until

    @given(clocks())
    def test_at_its_end_the_ninety_days_are_used_or_the_terms_have_changed(
        self, clock: Clock
    ) -> None:
        assume(clock.until is not None)
        assert clock.until is not None
        if clock.until != clock.terms_changed_at:
            assert clock.used(clock.until) == GUARANTEE
        assert not clock.covers(clock.until)
        assert clock.used(clock.until) <= GUARANTEE

    @given(waits(), waits())
    def test_another_request_never_makes_it_end_sooner(
        self, some: tuple[Waiting, ...], more: tuple[Waiting, ...]
    ) -> None:
        with_less = Clock(START, stops(some, BERLIN)).until
        with_more = Clock(START, stops(some + more, BERLIN)).until
        if with_less is None:
            assert with_more is None
        assert with_more is None or with_less is None or with_less <= with_more
