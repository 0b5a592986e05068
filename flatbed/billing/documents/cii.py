"""An invoice as EN 16931 data in the syntax CII (UN/CEFACT D16B, Factur-X profile "EN 16931").

The order of elements is the schema's. Texts are the document's own, without what XML forbids.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from lxml import etree

from flatbed.billing.documents.labels import LABELS
from flatbed.billing.documents.model import REASONED, Document, Kind, Line, Period, TaxCategory
from flatbed.billing.documents.money import exact
from flatbed.billing.documents.parties import Address, Bank, Buyer, Seller
from flatbed.billing.documents.texts import line_text, xml_text

_UNECE: Final = "urn:un:unece:uncefact:data:standard:"
NAMESPACES: Final = {
    "rsm": f"{_UNECE}CrossIndustryInvoice:100",
    "ram": f"{_UNECE}ReusableAggregateBusinessInformationEntity:100",
    "udt": f"{_UNECE}UnqualifiedDataType:100",
    "qdt": f"{_UNECE}QualifiedDataType:100",
}
PROFILE: Final = "urn:cen.eu:en16931:2017"
_TYPES: Final = {Kind.INVOICE: "380", Kind.CREDIT_NOTE: "381"}
_SEPA_TRANSFER: Final = "58"
_TRANSFER: Final = "30"
_PIECE: Final = "C62"
_OBJECT: Final = "130"
"""UNTDID 1001: the reference names the object that a line is about."""
# Code list VATEX; an exemption (E) has many reasons, which only the text can tell apart.
_REASON_CODES: Final = {
    TaxCategory.REVERSE_CHARGE: "VATEX-EU-AE",
    TaxCategory.OUT_OF_SCOPE: "VATEX-EU-O",
    TaxCategory.EXPORT: "VATEX-EU-G",
}

Node = Any  # lxml has no types


def invoice_tree(document: Document) -> Node:
    """The root element of the invoice or credit note."""
    return _Builder(document).root()


def _add(parent: Node, name: str, text: str | None = None, **attributes: str) -> Node:
    prefix, _, local = name.partition(":")
    node = etree.SubElement(parent, f"{{{NAMESPACES[prefix]}}}{local}", attributes)
    if text is not None:
        node.text = xml_text(text)
    return node


def _add_day(parent: Node, name: str, day: date, *, space: str = "udt") -> None:
    _add(_add(parent, name), f"{space}:DateTimeString", f"{day:%Y%m%d}", format="102")


class _Builder:
    def __init__(self, document: Document) -> None:
        self._of = document
        self._labels: Mapping[str, str] = LABELS[document.language]

    def root(self) -> Node:
        root = etree.Element(f"{{{NAMESPACES['rsm']}}}CrossIndustryInvoice", nsmap=NAMESPACES)
        context = _add(root, "rsm:ExchangedDocumentContext")
        profile = _add(context, "ram:GuidelineSpecifiedDocumentContextParameter")
        _add(profile, "ram:ID", PROFILE)
        self._head(_add(root, "rsm:ExchangedDocument"))
        trade = _add(root, "rsm:SupplyChainTradeTransaction")
        for line in self._of.lines:
            self._line(_add(trade, "ram:IncludedSupplyChainTradeLineItem"), line)
        self._agreement(_add(trade, "ram:ApplicableHeaderTradeAgreement"))
        delivery = _add(trade, "ram:ApplicableHeaderTradeDelivery")
        delivery = _add(delivery, "ram:ActualDeliverySupplyChainEvent")
        _add_day(delivery, "ram:OccurrenceDateTime", self._of.period.last_day)
        self._settlement(_add(trade, "ram:ApplicableHeaderTradeSettlement"))
        return root

    def _amount(self, parent: Node, name: str, minor: int, **attributes: str) -> None:
        _add(parent, name, f"{exact(minor, self._of.currency):f}", **attributes)

    def _head(self, node: Node) -> None:
        of, proof = self._of, self._of.proof
        _add(node, "ram:ID", line_text(of.number))
        _add(node, "ram:TypeCode", _TYPES[of.kind])
        _add_day(node, "ram:IssueDateTime", of.issued_on)
        entries = self._labels["proof_text"].format(
            first=proof.from_sequence, last=proof.to_sequence
        )
        note = (
            f"{self._labels['proof']}: {entries}; {proof.from_hash} – {proof.to_hash};"
            f" {self._labels['statement_hash']} {proof.statement_hash}"
        )
        _add(_add(node, "ram:IncludedNote"), "ram:Content", note)

    def _line(self, node: Node, line: Line) -> None:
        labels, of = self._labels, self._of
        about = _add(node, "ram:AssociatedDocumentLineDocument")
        _add(about, "ram:LineID", str(line.position))
        if line.corrects_entry_id is not None:
            note = f"{labels['correcting']} {line.corrects_entry_id}"
            _add(_add(about, "ram:IncludedNote"), "ram:Content", note)
        product = _add(node, "ram:SpecifiedTradeProduct")
        _add(product, "ram:Name", line_text(line.text) or labels["service"])
        if line_text(line.price_text):
            _add(product, "ram:Description", line_text(line.price_text))
        self._characteristics(product, line)
        price = _add(node, "ram:SpecifiedLineTradeAgreement")
        price = _add(price, "ram:NetPriceProductTradePrice")
        self._amount(price, "ram:ChargeAmount", line.net)
        delivery = _add(node, "ram:SpecifiedLineTradeDelivery")
        _add(delivery, "ram:BilledQuantity", "1", unitCode=_PIECE)
        settlement = _add(node, "ram:SpecifiedLineTradeSettlement")
        self._category(_add(settlement, "ram:ApplicableTradeTax"))
        days = Period(line.occurred_on, line.occurred_on, of.period.time_zone)
        self._period(settlement, days)
        sums = _add(settlement, "ram:SpecifiedTradeSettlementLineMonetarySummation")
        self._amount(sums, "ram:LineTotalAmount", line.net)
        reference = _add(settlement, "ram:AdditionalReferencedDocument")
        _add(reference, "ram:IssuerAssignedID", line_text(line.entry_id))
        _add(reference, "ram:TypeCode", _OBJECT)

    def _characteristics(self, product: Node, line: Line) -> None:
        accepted = line.accepted_on
        for name, value in (
            ("campaign", line.campaign),
            ("accepted_on", "" if accepted is None else accepted.isoformat()),
            ("dossier", line.dossier_url),
            ("dossier_hash", line.dossier_hash),
        ):
            if line_text(value):
                node = _add(product, "ram:ApplicableProductCharacteristic")
                _add(node, "ram:Description", self._labels[name])
                _add(node, "ram:Value", line_text(value))

    def _category(self, node: Node) -> None:
        _add(node, "ram:TypeCode", "VAT")
        _add(node, "ram:CategoryCode", self._of.tax.category)
        self._rate(node)

    def _rate(self, node: Node) -> None:
        # BR-O-05: what is not subject to VAT has no rate, not even zero.
        if self._of.tax.category is not TaxCategory.OUT_OF_SCOPE:
            _add(node, "ram:RateApplicablePercent", plain(self._of.tax.rate))

    def _period(self, node: Node, period: Period) -> None:
        span = _add(node, "ram:BillingSpecifiedPeriod")
        _add_day(span, "ram:StartDateTime", period.first_day)
        _add_day(span, "ram:EndDateTime", period.last_day)

    def _agreement(self, node: Node) -> None:
        of = self._of
        if of.buyer.purchase_order:
            _add(node, "ram:BuyerReference", line_text(of.buyer.purchase_order))
        self._seller(_add(node, "ram:SellerTradeParty"), of.seller)
        self._buyer(_add(node, "ram:BuyerTradeParty"), of.buyer)
        if of.buyer.purchase_order:
            order = _add(node, "ram:BuyerOrderReferencedDocument")
            _add(order, "ram:IssuerAssignedID", line_text(of.buyer.purchase_order))

    def _seller(self, node: Node, seller: Seller) -> None:
        named = self._of.tax.category is not TaxCategory.OUT_OF_SCOPE
        if not named or not seller.vat_id:
            # BR-CO-26 wants an identifier, and BR-O-02 forbids the VAT id as such (BT-31).
            identifier = seller.tax_number or seller.vat_id
            if identifier:
                _add(node, "ram:ID", line_text(identifier))
        _add(node, "ram:Name", line_text(seller.legal_name))
        _add_address(node, seller.address)
        _add_mail(node, seller.email)
        if named and seller.vat_id:
            _add_registration(node, seller.vat_id, "VA")
        if seller.tax_number:
            _add_registration(node, seller.tax_number, "FC")

    def _buyer(self, node: Node, buyer: Buyer) -> None:
        _add(node, "ram:Name", line_text(buyer.legal_name))
        _add_address(node, buyer.address)
        if buyer.email:
            _add_mail(node, buyer.email)
        if buyer.vat_id and self._of.tax.category is not TaxCategory.OUT_OF_SCOPE:
            _add_registration(node, buyer.vat_id, "VA")

    def _settlement(self, node: Node) -> None:
        of, bank = self._of, self._of.seller.bank
        credit = of.kind is Kind.CREDIT_NOTE
        if not credit:
            _add(node, "ram:PaymentReference", line_text(of.number))
        _add(node, "ram:InvoiceCurrencyCode", of.currency)
        if bank is not None and not credit:
            self._payment(_add(node, "ram:SpecifiedTradeSettlementPaymentMeans"), bank)
        self._tax(_add(node, "ram:ApplicableTradeTax"))
        self._period(node, of.period)
        terms = _add(node, "ram:SpecifiedTradePaymentTerms")
        if line_text(of.payment_terms):
            _add(terms, "ram:Description", line_text(of.payment_terms))
        _add_day(terms, "ram:DueDateDateTime", of.due_on)
        self._sums(_add(node, "ram:SpecifiedTradeSettlementHeaderMonetarySummation"))
        if of.corrects is not None:
            before = _add(node, "ram:InvoiceReferencedDocument")
            _add(before, "ram:IssuerAssignedID", line_text(of.corrects.number))
            if of.corrects.issued_on is not None:
                issued = of.corrects.issued_on
                _add_day(before, "ram:FormattedIssueDateTime", issued, space="qdt")

    def _payment(self, node: Node, bank: Bank) -> None:
        # SEPA moves euros only.
        _add(node, "ram:TypeCode", _SEPA_TRANSFER if self._of.currency == "EUR" else _TRANSFER)
        account = _add(node, "ram:PayeePartyCreditorFinancialAccount")
        _add(account, "ram:IBANID", bank.iban)
        _add(account, "ram:AccountName", line_text(bank.account_holder))
        if bank.bic:
            institution = _add(node, "ram:PayeeSpecifiedCreditorFinancialInstitution")
            _add(institution, "ram:BICID", bank.bic)

    def _tax(self, node: Node) -> None:
        tax = self._of.tax
        self._amount(node, "ram:CalculatedAmount", tax.amount)
        _add(node, "ram:TypeCode", "VAT")
        if tax.category in REASONED and tax.reason is not None:
            reason = f"{self._labels[f'tax_{tax.category.value}']}. {line_text(tax.reason)}"
            _add(node, "ram:ExemptionReason", reason)
        self._amount(node, "ram:BasisAmount", tax.taxable)
        _add(node, "ram:CategoryCode", tax.category)
        if (code := _REASON_CODES.get(tax.category)) is not None:
            _add(node, "ram:ExemptionReasonCode", code)
        self._rate(node)

    def _sums(self, node: Node) -> None:
        totals = self._of.totals
        self._amount(node, "ram:LineTotalAmount", totals.net)
        self._amount(node, "ram:TaxBasisTotalAmount", totals.net)
        self._amount(node, "ram:TaxTotalAmount", totals.tax, currencyID=self._of.currency)
        self._amount(node, "ram:GrandTotalAmount", totals.gross)
        if totals.paid:
            self._amount(node, "ram:TotalPrepaidAmount", totals.paid)
        self._amount(node, "ram:DuePayableAmount", totals.due)


def plain(number: Decimal) -> str:
    """A number without exponent and without needless zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _add_address(node: Node, address: Address) -> None:
    where = _add(node, "ram:PostalTradeAddress")
    if line_text(address.postal_code):
        _add(where, "ram:PostcodeCode", line_text(address.postal_code))
    lines = [line_text(one) for one in address.lines if line_text(one)]
    # The syntax has three lines; what is more is kept on the last.
    parts = [*lines[:2], *([", ".join(lines[2:])] if lines[2:] else [])]
    for name, text in zip(("LineOne", "LineTwo", "LineThree"), parts, strict=False):
        _add(where, f"ram:{name}", text)
    if line_text(address.city):
        _add(where, "ram:CityName", line_text(address.city))
    _add(where, "ram:CountryID", address.country)


def _add_mail(node: Node, email: str) -> None:
    way = _add(node, "ram:URIUniversalCommunication")
    _add(way, "ram:URIID", line_text(email), schemeID="EM")


def _add_registration(node: Node, value: str, scheme: str) -> None:
    registration = _add(node, "ram:SpecifiedTaxRegistration")
    _add(registration, "ram:ID", line_text(value), schemeID=scheme)
