"""How a refresh token may be used."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from flatbed.tenants.oauth.rules.refresh import (
    ABSOLUTE,
    GRACE,
    IDLE,
    MOST_SIBLINGS,
    TokenRecord,
    Verdict,
    exchanged,
    idle_until,
    judge,
)

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
FRESH = TokenRecord(None, 0, NOW + IDLE, NOW + ABSOLUTE)
SECONDS = st.integers(min_value=0, max_value=400 * 24 * 3600).map(lambda s: timedelta(seconds=s))
TICK = timedelta(microseconds=1)


class TestJudge:
    def test_the_numbers_are_those_of_the_design(self) -> None:
        assert timedelta(seconds=20) == GRACE
        assert MOST_SIBLINGS == 3
        assert timedelta(days=30) == IDLE
        assert timedelta(days=180) == ABSOLUTE

    def test_the_grace_begins_with_the_first_use_and_does_not_slide(self) -> None:
        first = exchanged(FRESH, NOW)
        second = exchanged(first, NOW + timedelta(seconds=15))
        assert second.first_used_at == NOW
        assert judge(second, NOW + GRACE, rotates=True) is Verdict.GOOD
        assert judge(second, NOW + GRACE + TICK, rotates=True) is Verdict.REUSED

    def test_a_fourth_use_is_one_too_many(self) -> None:
        token = FRESH
        for _ in range(3):
            assert judge(token, NOW, rotates=True) is Verdict.GOOD
            token = exchanged(token, NOW)
        assert judge(token, NOW, rotates=True) is Verdict.REUSED

    @given(SECONDS, SECONDS)
    def test_who_kept_one_that_was_used_is_known_whenever_he_comes(
        self, used: timedelta, later: timedelta
    ) -> None:
        token = exchanged(FRESH, NOW + used)
        verdict = judge(token, NOW + used + GRACE + TICK + later, rotates=True)
        assert verdict is Verdict.REUSED

    @given(SECONDS)
    def test_an_unused_one_is_good_until_it_lay_idle(self, later: timedelta) -> None:
        expected = Verdict.GOOD if later < IDLE else Verdict.EXPIRED
        assert judge(FRESH, NOW + later, rotates=True) is expected
        assert judge(FRESH, NOW + later, rotates=False) is expected

    @given(st.lists(SECONDS, max_size=8))
    def test_of_any_history_no_token_has_more_than_three_siblings(
        self, waits: list[timedelta]
    ) -> None:
        token, now, good = FRESH, NOW, 0
        for wait in waits:
            now += wait
            if judge(token, now, rotates=True) is not Verdict.GOOD:
                break
            token, good = exchanged(token, now), good + 1
        assert good <= MOST_SIBLINGS
        assert good == token.siblings

    @given(st.lists(SECONDS, max_size=40))
    def test_one_that_goes_on_slides_but_never_past_its_end(self, waits: list[timedelta]) -> None:
        token, now = FRESH, NOW
        for wait in waits:
            now += wait
            verdict = judge(token, now, rotates=False)
            assert verdict is not Verdict.REUSED
            if verdict is not Verdict.GOOD:
                break
            assert now < NOW + ABSOLUTE
            token = replace(token, idle_until=idle_until(now, token.ends_at))
            assert token.idle_until <= NOW + ABSOLUTE
