"""The arithmetic of the hands-off test."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from flatbed.app.candidates.rules.snapshot import Waiting
from flatbed.app.candidates.rules.timing import stretches, waited
from tests.candidates.rules.factory import START

HOUR = timedelta(hours=1)
hours = st.integers(0, 60)
waits = st.lists(st.tuples(hours, hours | st.none()), max_size=6)


def waiting(rows: list[tuple[int, int | None]]) -> list[Waiting]:
    return [
        Waiting(START + start * HOUR, None if end is None else START + end * HOUR)
        for start, end in rows
    ]


class TestWaited:
    @given(rows=waits, start=hours, end=hours)
    def test_it_is_the_union_of_the_waits_inside(
        self,
        rows: list[tuple[int, int | None]],
        start: int,
        end: int,
    ) -> None:
        covered = {
            hour
            for begin, finish in rows
            for hour in range(begin, end if finish is None else finish)
            if start <= hour < end
        }
        answer = waited(waiting(rows), START + start * HOUR, START + end * HOUR)
        assert answer == len(covered) * HOUR


class TestStretches:
    @given(pushes=st.lists(hours, max_size=6), rows=waits, decided=hours, now=hours)
    def test_they_tile_the_time_since_the_decision(
        self,
        pushes: list[int],
        rows: list[tuple[int, int | None]],
        decided: int,
        now: int,
    ) -> None:
        found = stretches(
            START + decided * HOUR,
            [START + push * HOUR for push in pushes],
            waiting(rows),
            START + now * HOUR,
        )
        assert sum((s.end - s.start for s in found), timedelta(0)) == max(now - decided, 0) * HOUR
        assert all(timedelta(0) <= s.length <= s.end - s.start for s in found)
        inner = {s.end for s in found[:-1]}
        assert inner == {START + p * HOUR for p in pushes if decided < p < now}
