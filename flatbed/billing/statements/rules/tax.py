"""VAT of an invoice: which rule applies, and its tax to the cent. The rules are data (tax.toml)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from importlib.resources import files
from typing import Any, Final

_WHOLE: Final = Decimal(10_000)
"""Rates are hundredths of a percent."""


class UntaxableError(Exception):
    """No rate is known for the seller's country."""


@dataclass(frozen=True, slots=True)
class TaxRule:
    """How an invoice is taxed: an EN 16931 category, a rate in hundredths of a percent, why.

    ``name`` says which version of the data it came from, for the invoice's own record.
    """

    category: str
    rate: int
    name: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class TaxTable:
    """The data of one version."""

    version: str
    standard_rates: Mapping[str, int]
    unions: Mapping[str, frozenset[str]]
    reasons: Mapping[str, Mapping[str, str]]
    """By language, then by category."""

    def rule(self, *, seller: str, buyer: str, buyer_has_vat_id: bool) -> TaxRule:
        """The rule for a service from one business to another.

        Args:
            seller: ISO 3166-1 country.
            buyer: ISO 3166-1 country.
            buyer_has_vat_id: whether the buyer gave a VAT id of its country.

        Raises:
            UntaxableError: the seller's country has no rate here.
        """
        rate = self.standard_rates.get(seller)
        if rate is None:
            raise UntaxableError(seller)
        together = any(seller in union and buyer in union for union in self.unions.values())
        if seller == buyer or (together and (not buyer_has_vat_id or "EU" not in self._of(seller))):
            return self._made("S", rate)
        return self._made("AE" if together else "O", 0)

    def reason(self, category: str, language: str) -> str | None:
        """Why a category asks for no tax, None where it does."""
        return self.reasons[language].get(category)

    def _of(self, country: str) -> frozenset[str]:
        return frozenset(name for name, union in self.unions.items() if country in union)

    def _made(self, category: str, rate: int) -> TaxRule:
        return TaxRule(category, rate, f"{self.version}:{category}", self.reason(category, "en"))


def table_from(document: Mapping[str, Any]) -> TaxTable:
    """The table from its TOML document."""
    return TaxTable(
        document["version"],
        dict(document["standard_rates"]),
        {name: frozenset(union) for name, union in document["unions"].items()},
        {language: dict(texts) for language, texts in document["reasons"].items()},
    )


TABLE: Final = table_from(
    tomllib.loads(files(__package__).joinpath("tax.toml").read_text(encoding="utf-8"))
)


def tax_on(net: int, rate: int) -> int:
    """The tax on a net amount in minor units, rounded half up once, as EN 16931 checks it."""
    exact = Decimal(net) * Decimal(rate) / _WHOLE
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def tax_back(*, net: int, rate: int, open_net: int, open_tax: int) -> int:
    """The tax of a credit note: what is credited in all is what was asked for in all.

    Args:
        net: what is credited now.
        rate: the invoice's.
        open_net: what of the invoice's net amount was not credited before, at least ``net``.
        open_tax: what of its tax was not credited before.
    """
    return open_tax if net == open_net else min(tax_on(net, rate), open_tax)
