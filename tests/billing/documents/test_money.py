"""Minor units as texts."""

from decimal import Decimal

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.documents.errors import UnknownCurrencyError
from flatbed.billing.documents.languages import Language
from flatbed.billing.documents.money import (
    exact,
    exponent,
    money_text,
    number_text,
    percent_text,
)

CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "CLF", "CHF"])
LANGUAGES = st.sampled_from(list(Language))
# Farther than any column of the database, and than the 28 digits of a default context.
AMOUNTS = st.integers(-(10**40), 10**40)


class TestExponent:
    def test_every_currency_of_iso_4217_has_its_own(self) -> None:
        known = {one.code: one.exponent for one in iso4217.Currency if one.exponent is not None}
        assert {code: exponent(code) for code in known} == known
        assert len(known) > 150

    def test_euro_yen_and_dinar(self) -> None:
        assert [exponent(code) for code in ("EUR", "JPY", "KWD")] == [2, 0, 3]

    @pytest.mark.parametrize("code", ["", "eur", "EU", "EURO", "E1R", "EUR\n"])
    def test_what_is_no_code_is_refused(self, code: str) -> None:
        with pytest.raises(UnknownCurrencyError):
            exponent(code)


class TestExact:
    @given(AMOUNTS, CURRENCIES)
    def test_it_is_the_amount_and_nothing_else(self, minor: int, currency: str) -> None:
        made = exact(minor, currency)
        assert made.as_tuple().exponent == -exponent(currency)
        assert int(f"{made:f}".replace(".", "")) == minor


class TestText:
    @given(AMOUNTS, CURRENCIES, LANGUAGES)
    def test_its_digits_are_the_amount(self, minor: int, currency: str, language: Language) -> None:
        text = number_text(minor, currency, language)
        point, comma = (",", ".") if language is Language.DE else (".", ",")
        assert int(text.replace(point, "").replace(comma, "")) == minor
        decimals = text.partition(point)[2]
        assert len(decimals) == exponent(currency)
        groups = text.partition(point)[0].lstrip("-").split(comma)
        assert all(len(group) == 3 for group in groups[1:])
        assert 1 <= len(groups[0]) <= 3

    @pytest.mark.parametrize(
        ("minor", "currency", "german", "english"),
        [
            (360000, "EUR", "3.600,00\u00a0EUR", "EUR\u00a03,600.00"),
            (5, "EUR", "0,05\u00a0EUR", "EUR\u00a00.05"),
            (-5, "EUR", "-0,05\u00a0EUR", "EUR\u00a0-0.05"),
            (1234567, "JPY", "1.234.567\u00a0JPY", "JPY\u00a01,234,567"),
            (1234567, "KWD", "1.234,567\u00a0KWD", "KWD\u00a01,234.567"),
        ],
    )
    def test_golden(self, minor: int, currency: str, german: str, english: str) -> None:
        assert money_text(minor, currency, Language.DE) == german
        assert money_text(minor, currency, Language.EN) == english

    def test_rates(self) -> None:
        assert percent_text(Decimal(19), Language.DE) == "19\u00a0%"
        assert percent_text(Decimal("8.10"), Language.DE) == "8,1\u00a0%"
        assert percent_text(Decimal("25.5"), Language.EN) == "25.5%"
