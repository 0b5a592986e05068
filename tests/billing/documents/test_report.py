"""A usage report adds up, in each currency by itself."""

from dataclasses import replace
from datetime import datetime

import pytest

from flatbed.billing.documents.errors import DocumentError, TotalsError
from flatbed.billing.documents.report import Group, State, Tally, Total
from tests.billing.documents.samples import given_back, report, report_line

LINES = tuple(report_line(position) for position in range(1, 40))


class TestUsageReport:
    def test_totals_groups_and_lines_agree(self) -> None:
        made = report(*LINES)
        assert made.states() == list(State)
        assert {total.currency for total in made.totals} == {"EUR", "JPY", "KWD"}
        assert report(LINES[0]).states() == [LINES[0].state]

    def test_a_line_more_or_less_is_refused(self) -> None:
        made = report(*LINES)
        with pytest.raises(TotalsError):
            replace(made, lines=LINES[1:])
        with pytest.raises(TotalsError):
            replace(made, lines=())
        assert replace(made, lines=None).lines is None

    def test_money_of_another_currency_is_not_counted(self) -> None:
        made = report(*LINES)
        other = replace(LINES[0], currency="CHF")
        with pytest.raises(TotalsError):
            replace(made, lines=(other, *LINES[1:]))

    def test_groups_that_do_not_add_up_are_refused(self) -> None:
        made = report(*LINES)
        with pytest.raises(TotalsError):
            replace(made, groups=made.groups[1:])
        group = made.groups[0]
        off = {state: Tally(of.units, of.amount + 1) for state, of in group.tallies.items()}
        with pytest.raises(TotalsError):
            replace(made, groups=(Group(group.name, group.currency, off), *made.groups[1:]))

    def test_credits_that_do_not_add_up_are_refused(self) -> None:
        made = given_back()
        assert made.totals[0].credited == 180_001
        with pytest.raises(TotalsError):
            replace(made, totals=(replace(made.totals[0], credited=0),))
        with pytest.raises(TotalsError):
            replace(made, groups=(replace(made.groups[0], credited=1),))
        with pytest.raises(TotalsError):
            replace(made, lines=tuple(replace(one, credited=1) for one in made.lines or ()))

    def test_states_without_units_may_be_said_or_not(self) -> None:
        made = report(LINES[0])
        (total,) = made.totals
        zero = {**total.tallies, State.WRITTEN_OFF: Tally(0, 0), State.BILLED: Tally(0, 0)}
        assert replace(made, totals=(Total(total.currency, zero),)).states() == made.states()

    def test_a_currency_has_one_total(self) -> None:
        with pytest.raises(DocumentError):
            report(totals=(Total("EUR", {}), Total("EUR", {})))

    def test_an_instant_has_an_offset_and_a_dossier_an_address(self) -> None:
        with pytest.raises(DocumentError):
            report_line(1, occurred_at=datetime(2026, 3, 1))  # noqa: DTZ001 - what is refused
        with pytest.raises(DocumentError):
            report_line(1, dossier_url="/v1/qualifications/qual_1")
