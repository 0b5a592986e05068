"""EN 16931: the XML of an invoice, held against the standard's rules and the schema.

The rules that are arithmetic, and those that tie a VAT category to the parties' ids, are checked
here on the finished XML; the official Schematron needs an XSLT 2 processor, which we do not ship.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import facturx
from lxml import etree

from flatbed.billing.documents.cii import NAMESPACES, invoice_tree
from flatbed.billing.documents.errors import NoElectronicInvoiceError
from flatbed.billing.documents.model import Document

MOST_DECIMALS: Final = 2
_ONE: Final = Decimal(1)
_HUNDRED: Final = Decimal(100)
_VAT_ID: Final = re.compile("[A-Z]{2}.+")
_TRADE: Final = "/rsm:CrossIndustryInvoice/rsm:SupplyChainTradeTransaction"
_LINE: Final = f"{_TRADE}/ram:IncludedSupplyChainTradeLineItem"
_SETTLED: Final = f"{_TRADE}/ram:ApplicableHeaderTradeSettlement"
_SUM: Final = f"{_SETTLED}/ram:SpecifiedTradeSettlementHeaderMonetarySummation"
_TAX: Final = f"{_SETTLED}/ram:ApplicableTradeTax"
_LINE_SUM: Final = (
    f"{_LINE}/ram:SpecifiedLineTradeSettlement"
    "/ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount"
)
_REASONED: Final = frozenset({"AE", "E", "G", "O"})

Node = Any  # lxml has no types


def invoice_xml(document: Document) -> bytes:
    """The document as EN 16931 data: UTF-8, the same bytes for the same document.

    Raises:
        NoElectronicInvoiceError: the standard does not admit it: a currency with more than two
            decimals (KWD; ``BR-DEC``), or ids missing that the VAT category wants.
    """
    if document.exponent > MOST_DECIMALS:
        raise NoElectronicInvoiceError(["BR-DEC"])
    root = invoice_tree(document)
    if broken := list(broken_rules(root)):
        raise NoElectronicInvoiceError(broken)
    xml: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    facturx.xml_check_xsd(xml, flavor="factur-x", level="en16931")
    return xml


def broken_rules(root: Node) -> Iterator[str]:
    """The names of the rules that the XML breaks."""
    found = _Found(root)
    yield from _sums(found)
    yield from _taxes(found)
    yield from _parties(found)


class _Found:
    """What stands in the XML."""

    def __init__(self, root: Node) -> None:
        self._root = root

    def texts(self, path: str) -> list[str]:
        """The texts of all elements at the path."""
        return [node.text or "" for node in self._root.xpath(path, namespaces=NAMESPACES)]

    def amounts(self, path: str) -> list[Decimal]:
        """The numbers of all elements at the path."""
        return [Decimal(text) for text in self.texts(path)]

    def amount(self, path: str) -> Decimal:
        """The number at the path, zero if there is none."""
        return sum(self.amounts(path), Decimal(0))

    def ids(self, party: str, *schemes: str) -> list[str]:
        """The party's tax registrations of these schemes."""
        path = (
            f"{_TRADE}/ram:ApplicableHeaderTradeAgreement/ram:{party}TradeParty"
            "/ram:SpecifiedTaxRegistration/ram:ID[@schemeID='{}']"
        )
        return [text for scheme in schemes for text in self.texts(path.format(scheme))]


def _sums(found: _Found) -> Iterator[str]:
    net = found.amount(f"{_SUM}/ram:LineTotalAmount")
    basis = found.amount(f"{_SUM}/ram:TaxBasisTotalAmount")
    tax = found.amount(f"{_SUM}/ram:TaxTotalAmount")
    gross = found.amount(f"{_SUM}/ram:GrandTotalAmount")
    paid = found.amount(f"{_SUM}/ram:TotalPrepaidAmount")
    if net != found.amount(_LINE_SUM):
        yield "BR-CO-10"
    if basis != net:
        yield "BR-CO-13"
    if tax != found.amount(f"{_TAX}/ram:CalculatedAmount"):
        yield "BR-CO-14"
    if gross != basis + tax:
        yield "BR-CO-15"
    if found.amount(f"{_SUM}/ram:DuePayableAmount") != gross - paid:
        yield "BR-CO-16"
    amounts = [
        *found.amounts(f"{_SUM}/*"),
        *found.amounts(_LINE_SUM),
        *found.amounts(f"{_TAX}/ram:CalculatedAmount"),
        *found.amounts(f"{_TAX}/ram:BasisAmount"),
    ]
    if any(_decimals(amount) > MOST_DECIMALS for amount in amounts):
        yield "BR-DEC"


def _decimals(number: Decimal) -> int:
    power = number.as_tuple().exponent
    return -power if isinstance(power, int) else 0


def _taxes(found: _Found) -> Iterator[str]:
    (category,) = found.texts(f"{_TAX}/ram:CategoryCode")
    taxable = found.amount(f"{_TAX}/ram:BasisAmount")
    amount = found.amount(f"{_TAX}/ram:CalculatedAmount")
    rates = found.amounts(f"{_TAX}/ram:RateApplicablePercent")
    calculated = taxable * sum(rates, Decimal(0)) / _HUNDRED
    # The standard says equal; its own Schematron lets less than one unit pass, for rounding.
    if abs(amount - calculated) >= _ONE:
        yield "BR-CO-17"
    line = f"{_LINE}/ram:SpecifiedLineTradeSettlement/ram:ApplicableTradeTax"
    if taxable != found.amount(_LINE_SUM) or {category} != set(
        found.texts(f"{line}/ram:CategoryCode")
    ):
        yield f"BR-{category}-08"
    if category != "S" and amount:
        yield f"BR-{category}-09"
    reasons = found.texts(f"{_TAX}/ram:ExemptionReason")
    if bool(reasons) != (category in _REASONED):
        yield f"BR-{category}-10"
    every = [*rates, *found.amounts(f"{line}/ram:RateApplicablePercent")]
    match category:
        case "S":
            right = bool(every) and all(rate > 0 for rate in every)
        case "O":
            right = not every
        case _:
            right = bool(every) and not any(every)
    if not right:
        yield f"BR-{category}-05"


def _parties(found: _Found) -> Iterator[str]:
    (category,) = found.texts(f"{_TAX}/ram:CategoryCode")
    seller, buyer = found.ids("Seller", "VA"), found.ids("Buyer", "VA")
    if any(_VAT_ID.fullmatch(one) is None for one in (*seller, *buyer)):
        yield "BR-CO-09"
    party = f"{_TRADE}/ram:ApplicableHeaderTradeAgreement/ram:SellerTradeParty"
    if not seller and not any(found.texts(f"{party}/ram:ID")):
        yield "BR-CO-26"
    match category:
        case "O":
            right = not seller and not buyer
        case "G":
            right = bool(seller)
        case "AE":
            right = bool(found.ids("Seller", "VA", "FC")) and bool(buyer)
        case _:
            right = bool(found.ids("Seller", "VA", "FC"))
    if not right:
        yield f"BR-{category}-02"
