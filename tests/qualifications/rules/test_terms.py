"""The clocks over weekends, holidays and changes of the clock."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from flatbed.app.qualifications.rules.terms import (
    WITHDRAWN_DAYS,
    Calendar,
    acceptance_term,
    answer_by,
    decide_by,
    resumed_term,
)

BERLIN = Calendar("DE", ZoneInfo("Europe/Berlin"))
ZURICH = Calendar("CH", ZoneInfo("Europe/Zurich"))
INSTANTS = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive by hypothesis' rule


def berlin(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=BERLIN.zone).astimezone(UTC)


class TestAcceptanceTerm:
    def test_it_ends_with_the_tenth_business_day(self) -> None:
        """Acceptance 10 business days (the tenant's country calendar)."""
        term = acceptance_term(berlin(2026, 3, 2, 9), BERLIN)
        assert term.accept_by == berlin(2026, 3, 17)

    def test_easter_and_the_change_of_the_clock_are_counted_out(self) -> None:
        # Good Friday and Easter Monday 2026 are 3 and 6 April; summer time begins on 29 March.
        term = acceptance_term(berlin(2026, 3, 27, 9), BERLIN)
        assert term.accept_by == berlin(2026, 4, 15)

    def test_another_country_has_other_days(self) -> None:
        # 1 May is a holiday in Germany nationwide; Switzerland has no nationwide one then.
        """Business days are the tenant country's nationwide calendar."""
        start = berlin(2026, 4, 27, 9)
        assert acceptance_term(start, BERLIN).accept_by == berlin(2026, 5, 13)
        assert acceptance_term(start, ZURICH).accept_by == berlin(2026, 5, 12)

    def test_reminders_come_with_day_five_and_day_eight(self) -> None:
        """Reminders on day 5 and 8."""
        term = acceptance_term(berlin(2026, 3, 2, 9), BERLIN)
        assert dict(term.reminders) == {5: berlin(2026, 3, 9), 8: berlin(2026, 3, 12)}

    def test_a_night_in_the_zone_decides_which_day_it_is(self) -> None:
        # 23:30 UTC on Sunday is Monday in Berlin: Tuesday is the first day.
        """Ending at the end of the day in the tenant's zone."""
        start = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
        assert acceptance_term(start, BERLIN).accept_by == berlin(2026, 3, 17)

    @given(INSTANTS)
    def test_reminders_lie_inside_the_term_in_order(self, start: datetime) -> None:
        term = acceptance_term(start, BERLIN)
        assert start < term.reminders[5] < term.reminders[8] < term.accept_by


class TestResumedTerm:
    def test_what_was_left_runs_on_from_the_decision(self) -> None:
        opened, decided = berlin(2026, 3, 4, 9), berlin(2026, 3, 20, 9)
        term = resumed_term(opened, decided, berlin(2026, 3, 17), BERLIN)
        # Eight business days were left after Wednesday the 4th.
        assert term.accept_by == berlin(2026, 4, 2)
        assert dict(term.reminders) == {5: berlin(2026, 3, 25), 8: berlin(2026, 3, 30)}

    def test_on_the_last_day_one_day_is_given_back(self) -> None:
        opened, decided = berlin(2026, 3, 16, 22), berlin(2026, 3, 27, 9)
        term = resumed_term(opened, decided, berlin(2026, 3, 17), BERLIN)
        assert term.accept_by == berlin(2026, 3, 31)
        assert not term.reminders

    def test_of_a_withdrawn_dispute_at_least_two_days_are_given_back(self) -> None:
        opened, withdrawn = berlin(2026, 3, 16, 22), berlin(2026, 3, 27, 9)
        term = resumed_term(opened, withdrawn, berlin(2026, 3, 17), BERLIN, WITHDRAWN_DAYS)
        assert term.accept_by == berlin(2026, 4, 1)
        earlier = resumed_term(
            berlin(2026, 3, 4, 9), withdrawn, berlin(2026, 3, 17), BERLIN, WITHDRAWN_DAYS
        )
        assert earlier.accept_by == berlin(2026, 4, 11)

    @given(INSTANTS)
    def test_nobody_loses_a_day_by_a_review_that_is_decided_at_once(self, start: datetime) -> None:
        accept_by = acceptance_term(start, BERLIN).accept_by
        assert resumed_term(start, start, accept_by, BERLIN).accept_by == accept_by


class TestDisputeClocks:
    def test_the_agency_answers_within_five_business_days(self) -> None:
        """The agency answers within 5 business days."""
        assert answer_by(berlin(2026, 3, 5, 17), BERLIN) == berlin(2026, 3, 13)

    def test_a_lead_decides_within_five_more(self) -> None:
        # Over Easter.
        """Decides within 5 more."""
        assert decide_by(berlin(2026, 4, 1, 12), BERLIN) == berlin(2026, 4, 11)
