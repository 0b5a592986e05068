"""Invariant 7: periods partition time, DST and changes of the zone included."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.usage.periods import (
    first_period,
    month_end,
    month_of,
    next_period,
    periods_until,
)

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
]
zones = st.sampled_from(ZONES).map(ZoneInfo)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the bounds of a strategy are naive


class TestPeriods:
    @given(instants, zones)
    def test_the_first_period_is_the_local_month_of_the_instant(
        self, instant: datetime, zone: ZoneInfo
    ) -> None:
        period = first_period(instant, zone)
        assert instant in period
        begin, end = period.starts_at.astimezone(zone), period.ends_at.astimezone(zone)
        assert (begin.day, begin.hour, begin.minute) == (1, 0, 0)
        assert (end.day, end.minute) == (1, 0)
        assert month_of(period.starts_at, zone) == month_of(instant, zone)
        assert month_of(period.ends_at - timedelta(microseconds=1), zone) == month_of(instant, zone)
        assert month_of(period.ends_at, zone) != month_of(instant, zone)

    @given(instants, zones, st.integers(0, 1_500))
    def test_periods_follow_without_gap_and_hold_the_instant(
        self, instant: datetime, zone: ZoneInfo, days: int
    ) -> None:
        first = first_period(instant, zone)
        later = instant + timedelta(days=days)
        periods = [first, *periods_until(first.ends_at, later, zone)]
        for before, after in pairwise(periods):
            assert before.ends_at == after.starts_at
            assert timedelta(days=27) < after.ends_at - after.starts_at < timedelta(days=32)
        assert sum(later in period for period in periods) == 1

    @given(instants, st.lists(zones, min_size=2, max_size=6))
    def test_a_move_of_the_zone_leaves_no_gap_and_no_stub(
        self, instant: datetime, moves: list[ZoneInfo]
    ) -> None:
        period = first_period(instant, moves[0])
        for zone in moves[1:]:
            after = next_period(period.ends_at, zone)
            assert after.starts_at == period.ends_at
            assert timedelta(days=25) < after.ends_at - after.starts_at < timedelta(days=34)
            local = after.ends_at.astimezone(zone)
            assert (local.day, local.hour) == (1, 0)
            period = after

    @pytest.mark.parametrize(
        ("zone", "starts_at", "hours"),
        [
            ("Europe/Berlin", datetime(2026, 2, 28, 23, tzinfo=UTC), 31 * 24 - 1),
            ("Europe/Berlin", datetime(2026, 9, 30, 22, tzinfo=UTC), 31 * 24 + 1),
            ("America/New_York", datetime(2026, 3, 1, 5, tzinfo=UTC), 31 * 24 - 1),
        ],
    )
    def test_a_month_with_a_change_of_the_clocks_is_an_hour_off(
        self, zone: str, starts_at: datetime, hours: int
    ) -> None:
        period = first_period(starts_at, ZoneInfo(zone))
        assert period.starts_at == starts_at
        assert period.ends_at - starts_at == timedelta(hours=hours)

    def test_where_the_clocks_skip_midnight_the_month_begins_at_the_jump(self) -> None:
        """Paraguay set its clocks at midnight of 1 October 2023: 00:00 was 01:00."""
        zone = ZoneInfo("America/Asuncion")
        jump = datetime(2023, 10, 1, 4, tzinfo=UTC)
        assert first_period(jump, zone).starts_at == jump
        assert first_period(jump - timedelta(seconds=1), zone).ends_at == jump
        assert month_of(jump, zone) == "2023-10"

    def test_a_naive_instant_is_refused(self) -> None:
        with pytest.raises(ValueError, match="aware"):
            month_of(datetime(2026, 3, 1), ZoneInfo("UTC"))  # noqa: DTZ001 - that it is naive is the case


class TestMonthEnd:
    def test_it_is_the_local_midnight_also_over_dst_and_at_the_turn_of_a_year(self) -> None:
        zone = ZoneInfo("Europe/Berlin")
        assert month_end(datetime(2026, 3, 31, 21, 59, tzinfo=UTC), zone) == datetime(
            2026, 3, 31, 22, tzinfo=UTC
        )
        assert month_end(datetime(2026, 3, 31, 22, tzinfo=UTC), zone) == datetime(
            2026, 4, 30, 22, tzinfo=UTC
        )
        assert month_end(datetime(2026, 12, 31, 22, 59, tzinfo=UTC), zone) == datetime(
            2026, 12, 31, 23, tzinfo=UTC
        )

    @given(instants, zones)
    def test_it_is_the_first_instant_of_another_month(self, at: datetime, zone: ZoneInfo) -> None:
        end = month_end(at, zone)
        assert at < end <= at + timedelta(days=32)
        assert month_of(end, zone) != month_of(at, zone)
        assert month_of(end - timedelta(microseconds=1), zone) == month_of(at, zone)
