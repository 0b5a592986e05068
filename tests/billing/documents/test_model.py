"""What contradicts itself is not made."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.documents.errors import DocumentError, TotalsError, UnknownCurrencyError
from flatbed.billing.documents.model import (
    Period,
    Preceding,
    Proof,
    Tax,
    TaxCategory,
    Totals,
    check_link,
)
from flatbed.billing.documents.parties import Address
from tests.billing.documents.samples import credit_note, document, line


class TestSums:
    @given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20), st.integers(-5, 5))
    def test_net_is_the_sum_of_the_lines(self, nets: list[int], off: int) -> None:
        lines = tuple(line(index, net) for index, net in enumerate(nets, start=1))
        made = document(*lines)
        assert made.totals.net == sum(nets)
        wrong = replace(lines[0], net=lines[0].net + abs(off) + 1)
        with pytest.raises(TotalsError):
            replace(made, lines=(wrong, *lines[1:]))

    @pytest.mark.parametrize(
        "totals",
        [(100, 19, 118, 0, 118), (100, 19, 119, 0, 118), (100, 19, 119, 200, -81)],
    )
    def test_gross_and_due_follow(self, totals: tuple[int, int, int, int, int]) -> None:
        with pytest.raises(TotalsError):
            Totals(*totals)

    def test_the_tax_is_the_rates_share(self) -> None:
        made = document(line(1, 1050), rate="5")
        assert made.tax.amount == 53
        with pytest.raises(TotalsError):
            replace(
                made,
                tax=replace(made.tax, amount=52),
                totals=Totals(1050, 52, 1102, 0, 1102),
            )

    def test_the_last_of_many_credits_gives_back_what_is_left_of_the_tax(self) -> None:
        made = credit_note()
        totals = Totals(180_000, 34_199, 214_199, 0, 214_199)
        last = replace(made, tax=replace(made.tax, amount=34_199), totals=totals)
        assert last.tax.calculated() == 34_200

    def test_all_of_net_is_taxed(self) -> None:
        made = document()
        with pytest.raises(TotalsError):
            replace(made, tax=replace(made.tax, taxable=1))


class TestTax:
    @pytest.mark.parametrize(
        ("category", "rate", "amount", "reason"),
        [
            (TaxCategory.STANDARD, "0", 0, None),
            (TaxCategory.STANDARD, "19", 19, "why"),
            (TaxCategory.ZERO, "0", 0, "why"),
            (TaxCategory.REVERSE_CHARGE, "0", 0, None),
            (TaxCategory.OUT_OF_SCOPE, "19", 0, "why"),
            (TaxCategory.EXEMPT, "0", 1, "why"),
        ],
    )
    def test_each_category_has_its_own_shape(
        self, category: TaxCategory, rate: str, amount: int, reason: str | None
    ) -> None:
        with pytest.raises(DocumentError):
            Tax(category, Decimal(rate), 100, amount, reason)


class TestDocument:
    @pytest.mark.parametrize(
        "changes",
        [
            {"number": ""},
            {"due_on": date(2026, 4, 4)},
            {"lines": ()},
            {"lines": (line(2, 1), line(1, 359_999))},
            {"lines": (line(0),)},
            {"corrects": Preceding("R-1")},
            {"lines": (line(1, corrects_entry_id="use_1"),)},
        ],
    )
    def test_a_contradiction_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(DocumentError):
            replace(document(), **changes)

    @pytest.mark.parametrize("changes", [{"corrects": None}, {"lines": (line(1, 180_000),)}])
    def test_a_credit_note_names_what_it_corrects(self, changes: dict[str, Any]) -> None:
        with pytest.raises(DocumentError):
            replace(credit_note(), **changes)

    def test_a_currency_is_a_code(self) -> None:
        with pytest.raises(UnknownCurrencyError):
            document(currency="euro")

    def test_a_line_is_not_negative(self) -> None:
        with pytest.raises(DocumentError):
            line(1, -1)

    def test_time_and_the_ledger_run_forward(self) -> None:
        with pytest.raises(DocumentError):
            Period(date(2026, 3, 2), date(2026, 3, 1), "UTC")
        with pytest.raises(DocumentError):
            Proof(2, "", 1, "", "")

    @pytest.mark.parametrize("country", ["", "de", "DEU", "D1"])
    def test_a_country_is_two_letters(self, country: str) -> None:
        with pytest.raises(DocumentError):
            Address(country)


class TestLinks:
    @pytest.mark.parametrize(
        "url",
        [
            "javascript:alert(1)",
            "/v1/qualifications/qual_1",
            "https://",
            "file:///etc/passwd",
            "data:text/html,x",
            "https://a.example/" + "x" * 2000,
        ],
    )
    def test_only_the_web_is_linked(self, url: str) -> None:
        with pytest.raises(DocumentError):
            check_link(url)
        with pytest.raises(DocumentError):
            line(1, dossier_url=url)
