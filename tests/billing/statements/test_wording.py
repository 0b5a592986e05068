"""What is frozen in one wording is read in the reader's language."""

import pytest

from flatbed.billing.documents.languages import Language
from flatbed.billing.pricing.rules.tiers import Price, Tier
from flatbed.billing.statements.rules.rating import price_text
from flatbed.billing.statements.rules.tax import TABLE
from flatbed.billing.statements.rules.wording import price_words

PRICE = Price(420_000, (Tier(5, 390_000), Tier(12, 350_000)))


class TestPriceWords:
    @pytest.mark.parametrize(
        ("rank", "german"),
        [
            (1, "Einheit 1 der Kampagne"),
            (4, "Einheit 4 der Kampagne"),
            (5, "Einheit 5 der Kampagne, Preis ab Einheit 5"),
            (13, "Einheit 13 der Kampagne, Preis ab Einheit 12"),
            (None, "Ersatz, kostenlos"),
        ],
    )
    def test_every_frozen_price_has_its_german(self, rank: int | None, german: str) -> None:
        frozen = price_text(PRICE, rank)
        assert price_words(frozen, Language.DE) == german
        assert price_words(frozen, Language.EN) == frozen

    @pytest.mark.parametrize("kind", ["reversal", "credit"])
    def test_what_is_given_back_says_why_in_each_language(self, kind: str) -> None:
        german, english = (price_words(kind, one) for one in (Language.DE, Language.EN))
        assert german != english
        assert german != kind

    def test_what_it_does_not_know_stays(self) -> None:
        for language in Language:
            assert price_words("unit x of the campaign", language) == "unit x of the campaign"


class TestReason:
    def test_each_category_without_tax_has_its_reason_in_every_language(self) -> None:
        assert set(TABLE.reasons) == set(Language)
        told = [set(TABLE.reasons[language]) for language in Language]
        assert told[0] == told[1] == {"AE", "O"}
        assert TABLE.reason("S", "de") is None
