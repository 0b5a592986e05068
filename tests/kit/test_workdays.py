"""Business days of nationwide calendars across clock changes and year ends."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flatbed.tenants.kit.workdays import (
    UnsupportedCountryError,
    add_business_days,
    business_days_between,
    end_of_day,
    is_business_day,
    subtract_business_days,
    supported,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = {
    "DE": BERLIN,
    "AT": ZoneInfo("Europe/Vienna"),
    "CH": ZoneInfo("Europe/Zurich"),
    "US": ZoneInfo("America/New_York"),
    "AU": ZoneInfo("Australia/Lord_Howe"),
    "LB": ZoneInfo("Asia/Beirut"),  # its clocks skip midnight
    "SA": ZoneInfo("Asia/Riyadh"),  # its weekend is Friday and Saturday
}
moments = st.datetimes(
    datetime(2023, 1, 1),  # noqa: DTZ001 (hypothesis adds the zone)
    datetime(2028, 12, 31),  # noqa: DTZ001 (as above)
    timezones=st.just(UTC),
)
countries = st.sampled_from(sorted(ZONES))


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN)  # type: ignore[arg-type,misc]  # year to minute


class TestAddBusinessDays:
    @pytest.mark.parametrize(
        ("start", "days", "end"),
        [
            ((2026, 3, 2, 15), 1, (2026, 3, 4)),
            ((2026, 3, 2, 0), 1, (2026, 3, 4)),
            ((2026, 3, 6, 23, 59), 1, (2026, 3, 10)),  # over a weekend
            ((2026, 3, 27, 12), 10, (2026, 4, 15)),  # summer time, Good Friday, Easter Monday
            ((2026, 10, 23, 12), 1, (2026, 10, 27)),  # back to winter time
            ((2026, 12, 23, 12), 3, (2026, 12, 30)),  # Christmas
            ((2026, 12, 30, 12), 2, (2027, 1, 5)),  # the year's end
        ],
    )
    def test_it_ends_at_the_local_midnight_after_the_nth_business_day(
        self,
        start: tuple[int, ...],
        days: int,
        end: tuple[int, ...],
    ) -> None:
        """Ending at the end of the day in the tenant's zone."""
        result = add_business_days(berlin(*start), days, "DE", BERLIN)
        assert result == berlin(*end)
        assert result.tzinfo is UTC

    def test_a_clock_change_inside_moves_the_utc_hour(self) -> None:
        before = add_business_days(berlin(2026, 3, 26), 1, "DE", BERLIN)
        after = add_business_days(berlin(2026, 3, 27), 1, "DE", BERLIN)
        assert (before.hour, after.hour) == (23, 22)

    def test_the_start_is_the_tenants_local_date(self) -> None:
        late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)  # already the 3rd in Berlin
        assert add_business_days(late, 1, "DE", BERLIN) == berlin(2026, 3, 5)

    def test_only_nationwide_holidays_count(self) -> None:
        """Business days are the tenant country's nationwide calendar."""
        corpus_christi = date(2026, 6, 4)
        assert is_business_day(corpus_christi, "DE")
        assert not is_business_day(corpus_christi, "AT")

    def test_a_swapped_saturday_is_worked_even_in_a_year_not_yet_read(self) -> None:
        assert is_business_day(date(2024, 8, 3), "HU")
        assert not is_business_day(date(2024, 8, 19), "HU")

    def test_a_weekend_is_the_countrys_own(self) -> None:
        sunday, friday = date(2026, 3, 8), date(2026, 3, 6)
        assert is_business_day(sunday, "SA")
        assert not is_business_day(friday, "SA")

    @pytest.mark.parametrize("days", [0, -1])
    def test_days_are_counted_from_one(self, days: int) -> None:
        with pytest.raises(ValueError, match="from one"):
            add_business_days(berlin(2026, 3, 2), days, "DE", BERLIN)

    def test_a_naive_start_is_refused(self) -> None:
        naive = datetime(2026, 3, 2)  # noqa: DTZ001 (the case)
        with pytest.raises(ValueError, match="aware"):
            add_business_days(naive, 1, "DE", BERLIN)

    @settings(deadline=None)  # the machine may be busy
    @given(moments, st.integers(1, 30), countries)
    def test_it_lands_on_business_days_and_only_moves_forward(
        self,
        start: datetime,
        days: int,
        country: str,
    ) -> None:
        zone = ZONES[country]
        end = add_business_days(start, days, country, zone)
        last = (end - timedelta(minutes=1)).astimezone(zone)
        assert is_business_day(last.date(), country)
        assert end.astimezone(zone).date() == last.date() + timedelta(days=1)
        assert end > start
        assert add_business_days(start, days + 1, country, zone) > end
        assert add_business_days(start + timedelta(hours=7), days, country, zone) >= end
        assert business_days_between(start, end - timedelta(minutes=1), country, zone) == days


class TestSubtractBusinessDays:
    def test_it_begins_with_the_nth_business_day_before(self) -> None:
        """'hunters may date a touch back at most 5 business days'."""
        monday = berlin(2026, 3, 9, 17)
        assert subtract_business_days(monday, 5, "DE", BERLIN) == berlin(2026, 3, 2)
        after_easter = berlin(2026, 4, 7, 8)
        assert subtract_business_days(after_easter, 1, "DE", BERLIN) == berlin(2026, 4, 2)

    @settings(deadline=None)  # the machine may be busy
    @given(moments, st.integers(1, 20), countries)
    def test_it_undoes_the_addition(self, end: datetime, days: int, country: str) -> None:
        zone = ZONES[country]
        begin = subtract_business_days(end, days, country, zone)
        first = begin.astimezone(zone).date()
        assert is_business_day(first, country)
        again = is_business_day(end.astimezone(zone).date(), country)
        assert business_days_between(begin, end, country, zone) == days - 1 + again


class TestBusinessDaysBetween:
    def test_it_counts_after_the_start_date_up_to_the_end_date(self) -> None:
        friday = berlin(2026, 3, 6, 9)
        assert business_days_between(friday, friday, "DE", BERLIN) == 0
        assert business_days_between(friday, berlin(2026, 3, 8), "DE", BERLIN) == 0
        assert business_days_between(friday, berlin(2026, 3, 10, 1), "DE", BERLIN) == 2

    def test_an_end_before_the_start_is_refused(self) -> None:
        with pytest.raises(ValueError, match="before"):
            business_days_between(berlin(2026, 3, 6), berlin(2026, 3, 5), "DE", BERLIN)


class TestEndOfDay:
    def test_it_is_the_next_local_midnight_in_utc(self) -> None:
        assert end_of_day(berlin(2026, 3, 29, 12), BERLIN) == berlin(2026, 3, 30)
        assert end_of_day(berlin(2026, 3, 29), BERLIN) - berlin(2026, 3, 29).astimezone(
            UTC,
        ) == timedelta(hours=23)

    def test_where_the_clocks_skip_midnight_it_is_the_jump(self) -> None:
        beirut = ZONES["LB"]
        evening = datetime(2026, 3, 28, 20, tzinfo=beirut)
        assert end_of_day(evening, beirut) == datetime(2026, 3, 28, 22, tzinfo=UTC)


class TestSupported:
    def test_the_dach_countries_are_supported_and_fantasy_is_not(self) -> None:
        assert all(supported(country) for country in ("DE", "AT", "CH", "US"))
        assert not any(supported(country) for country in ("XX", "de", "", "DEU"))

    def test_an_unsupported_country_is_an_error_not_weekends_only(self) -> None:
        with pytest.raises(UnsupportedCountryError):
            add_business_days(berlin(2026, 3, 2), 1, "XX", BERLIN)
