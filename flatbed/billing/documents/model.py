"""An invoice or a credit note as plain values. Money is whole minor units of one currency."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from flatbed.billing.documents.errors import DocumentError, TotalsError
from flatbed.billing.documents.languages import Language
from flatbed.billing.documents.money import exponent
from flatbed.billing.documents.parties import Buyer, Seller

LONGEST_LINK: Final = 2000
_HUNDRED: Final = Decimal(100)


class Kind(StrEnum):
    """An invoice asks for money, a credit note gives back money of an earlier invoice."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class TaxCategory(StrEnum):
    """The VAT categories of EN 16931 (UNTDID 5305) that a service can have."""

    STANDARD = "S"
    REVERSE_CHARGE = "AE"
    OUT_OF_SCOPE = "O"
    EXPORT = "G"
    EXEMPT = "E"
    ZERO = "Z"


REASONED: Final = frozenset(
    {
        TaxCategory.REVERSE_CHARGE,
        TaxCategory.OUT_OF_SCOPE,
        TaxCategory.EXPORT,
        TaxCategory.EXEMPT,
    }
)
"""Categories that must say why there is no tax; the others must not."""


@dataclass(frozen=True, slots=True)
class Period:
    """Local days, both inside, in the ISV's IANA time zone."""

    first_day: date
    last_day: date
    time_zone: str

    def __post_init__(self) -> None:
        if self.last_day < self.first_day:
            raise DocumentError("a period does not end before it starts")


def check_link(url: str) -> None:
    """Let a reader follow nothing but the web.

    Raises:
        DocumentError: not an absolute http or https address, or longer than a cell keeps.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or len(url) > LONGEST_LINK:
        raise DocumentError("a dossier link is an absolute http(s) address of at most 2000 chars")


@dataclass(frozen=True, slots=True)
class Line:
    """A qualified partner, or on a credit note the money of one that goes back.

    ``net`` is not negative on either. ``corrects_entry_id`` names the original line's entry, on
    credit notes only. ``dossier_url`` is absolute. Days are local to the period's zone.
    """

    position: int
    text: str
    campaign: str
    entry_id: str
    dossier_url: str
    dossier_hash: str
    occurred_on: date
    accepted_on: date | None
    price_text: str
    net: int
    corrects_entry_id: str | None = None

    def __post_init__(self) -> None:
        check_link(self.dossier_url)
        if self.net < 0:
            raise DocumentError("a line is not negative: what goes back is on a credit note")


@dataclass(frozen=True, slots=True)
class Tax:
    """The one VAT breakdown. ``rate`` in percent; ``reason`` for why there is no tax."""

    category: TaxCategory
    rate: Decimal
    taxable: int
    amount: int
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.category is TaxCategory.STANDARD) != (self.rate > 0):
            raise DocumentError("the standard rate is above zero, every other is zero")
        if self.category is not TaxCategory.STANDARD and self.amount:
            raise TotalsError("only the standard rate makes tax")
        if (self.category in REASONED) != bool(self.reason):
            raise DocumentError("a category without tax says why, the others must not")

    def calculated(self) -> int:
        """The tax on the taxable amount, rounded half up once."""
        exact = Decimal(self.taxable) * self.rate / _HUNDRED
        return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


@dataclass(frozen=True, slots=True)
class Totals:
    """``gross = net + tax`` and ``due = gross - paid``."""

    net: int
    tax: int
    gross: int
    paid: int
    due: int

    def __post_init__(self) -> None:
        if self.gross != self.net + self.tax:
            raise TotalsError("gross is net and tax")
        if self.due != self.gross - self.paid or self.paid < 0 or self.due < 0:
            raise TotalsError("due is gross less what was paid, neither below zero")


@dataclass(frozen=True, slots=True)
class Preceding:
    """The invoice that a credit note corrects."""

    number: str
    issued_on: date | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """The ledger behind the statement: after entry ``from_sequence``, up to ``to_sequence``.

    The hashes are the chain's at both ends; ``statement_hash`` covers the statement's content.
    """

    from_sequence: int
    from_hash: str
    to_sequence: int
    to_hash: str
    statement_hash: str

    def __post_init__(self) -> None:
        if not 0 <= self.from_sequence <= self.to_sequence:
            raise DocumentError("the ledger runs forward")


@dataclass(frozen=True, slots=True)
class Held:
    """Units that wait for a decision: told, not asked for. ``amount`` is at most."""

    units: int
    amount: int


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice or a credit note, whole.

    ``corrects`` is there on a credit note and only there. ``payment_terms`` is free text.

    Raises:
        TotalsError: a sum is not that of its parts.
        DocumentError: any other contradiction.
    """

    kind: Kind
    number: str
    issued_on: date
    due_on: date
    period: Period
    currency: str
    language: Language
    seller: Seller
    buyer: Buyer
    lines: tuple[Line, ...]
    tax: Tax
    totals: Totals
    proof: Proof
    payment_terms: str = ""
    held: Held = Held(0, 0)
    corrects: Preceding | None = None

    def __post_init__(self) -> None:
        if not self.number or self.due_on < self.issued_on:
            raise DocumentError("a document has a number and is not due before it is issued")
        exponent(self.currency)
        self._check_kind()
        self._check_lines()
        self._check_tax()

    @property
    def exponent(self) -> int:
        """The decimals of the currency."""
        return exponent(self.currency)

    def _check_kind(self) -> None:
        credit = self.kind is Kind.CREDIT_NOTE
        if credit != (self.corrects is not None):
            raise DocumentError("a credit note, and nothing else, corrects an invoice")
        if any(credit != (line.corrects_entry_id is not None) for line in self.lines):
            raise DocumentError("a credit note's lines name the lines that they correct")

    def _check_lines(self) -> None:
        positions = [line.position for line in self.lines]
        if not positions or not _ascending(positions):
            raise DocumentError("there are lines, and their positions ascend")
        if sum(line.net for line in self.lines) != self.totals.net:
            raise TotalsError("net is the sum of the lines")

    def _check_tax(self) -> None:
        if (self.tax.taxable, self.tax.amount) != (self.totals.net, self.totals.tax):
            raise TotalsError("all of net is taxed, and the tax is in the totals")
        # Partial credits of one invoice together give back its tax, rounded once: the last one may
        # be off its own rate. How far EN 16931 lets it be off, its own check says.
        if self.kind is Kind.INVOICE and self.tax.amount != self.tax.calculated():
            raise TotalsError("the tax is the rate's share of net")


def _ascending(numbers: Iterable[int]) -> bool:
    last = 0
    for number in numbers:
        if number <= last:
            return False
        last = number
    return True
