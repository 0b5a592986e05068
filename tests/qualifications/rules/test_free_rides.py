"""The 180 days after the work in which a contract of the ISV is billed."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.app.qualifications.rules.free_rides import RideCriterion, judge

REACHED, ENDED = date(2026, 3, 2), date(2026, 4, 1)
DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))


def failing(contracted: date, reached: date | None, ended: date | None) -> set[RideCriterion]:
    return {one.criterion for one in judge(contracted, reached, ended) if not one.passed}


class TestJudge:
    """A company worked that far that the ISV contracts within 180 days."""

    @pytest.mark.parametrize(
        "contracted", [REACHED, ENDED, ENDED + timedelta(days=1), ENDED + timedelta(days=180)]
    )
    def test_from_discovering_to_180_days_after_the_work(self, contracted: date) -> None:
        assert not failing(contracted, REACHED, ENDED)

    def test_a_day_later_it_is_free(self) -> None:
        late = ENDED + timedelta(days=181)
        assert failing(late, REACHED, ENDED) == {RideCriterion.WITHIN}

    def test_a_contract_of_before_is_no_fruit_of_the_work(self) -> None:
        early = REACHED - timedelta(days=1)
        assert failing(early, REACHED, ENDED) == {RideCriterion.AFTER}

    def test_who_never_came_to_discovering_was_not_worked_far(self) -> None:
        assert RideCriterion.WORKED in failing(ENDED, None, ENDED)

    def test_while_the_work_goes_on_there_is_no_last_day(self) -> None:
        assert not failing(date(2030, 1, 1), REACHED, None)

    def test_who_was_known_before_is_no_fruit_of_the_work_either(self) -> None:
        results = judge(ENDED, REACHED, ENDED, known_before=True)
        assert [one.criterion for one in results if not one.passed] == [RideCriterion.NEW]

    @given(DAYS, DAYS, DAYS)
    def test_it_says_of_each_criterion_once(
        self, contracted: date, reached: date, ended: date
    ) -> None:
        results = judge(contracted, reached, ended)
        assert [one.criterion for one in results] == list(RideCriterion)
        within = reached <= contracted <= ended + timedelta(days=180)
        assert all(one.passed for one in results) == within
