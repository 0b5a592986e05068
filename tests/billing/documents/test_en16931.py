"""EN 16931 data, read back by lxml and added up apart."""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import facturx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from flatbed.billing.documents import en16931
from flatbed.billing.documents.cii import invoice_tree
from flatbed.billing.documents.en16931 import broken_rules, invoice_xml
from flatbed.billing.documents.errors import NoElectronicInvoiceError
from flatbed.billing.documents.model import Document, TaxCategory
from flatbed.billing.documents.parties import Address, Buyer, Seller
from tests.billing.documents.samples import BUYER, IBAN, SELLER, credit_note, document, line

RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
CATEGORIES = list(TaxCategory)


class Read:
    """What a receiver finds: texts by the local names on the way."""

    def __init__(self, xml: bytes) -> None:
        self.root = etree.fromstring(xml)

    def all(self, *names: str) -> list[str]:
        path = "//" + "/".join(f"*[local-name()='{name}']" for name in names)
        return [node.text or "" for node in self.root.xpath(path)]

    def one(self, *names: str) -> str:
        (text,) = self.all(*names)
        return text

    def sum_of(self, name: str) -> Decimal:
        return Decimal(self.one("SpecifiedTradeSettlementHeaderMonetarySummation", name))

    def registrations(self, party: str) -> dict[str, str]:
        path = f"//*[local-name()='{party}TradeParty']//*[@schemeID]"
        return {node.get("schemeID"): node.text for node in self.root.xpath(path)}


def admitted(category: TaxCategory, **changes: Any) -> Document:
    return document(line(1), line(2, 12_345), category=category, **changes)


class TestInvoice:
    def test_everything_that_is_owed_is_said(self) -> None:
        read = Read(
            invoice_xml(document(line(1), line(2, 340_050), paid=100_000, payment_terms="Netto."))
        )
        settlement = "ApplicableHeaderTradeSettlement"
        for expected, *path in (
            ("urn:cen.eu:en16931:2017", "GuidelineSpecifiedDocumentContextParameter", "ID"),
            ("R-1042", "ExchangedDocument", "ID"),
            ("380", "ExchangedDocument", "TypeCode"),
            ("20260405", "IssueDateTime", "DateTimeString"),
            ("20260419", "DueDateDateTime", "DateTimeString"),
            ("PO-2026-0417", "BuyerOrderReferencedDocument", "IssuerAssignedID"),
            ("PO-2026-0417", "BuyerReference"),
            ("20260301", settlement, "BillingSpecifiedPeriod", "StartDateTime", "DateTimeString"),
            ("20260331", settlement, "BillingSpecifiedPeriod", "EndDateTime", "DateTimeString"),
            ("58", "SpecifiedTradeSettlementPaymentMeans", "TypeCode"),
            (IBAN, "PayeePartyCreditorFinancialAccount", "IBANID"),
            ("COBADEFFXXX", "PayeeSpecifiedCreditorFinancialInstitution", "BICID"),
            ("R-1042", settlement, "PaymentReference"),
            ("EUR", "InvoiceCurrencyCode"),
            ("Netto.", "SpecifiedTradePaymentTerms", "Description"),
            ("S", settlement, "ApplicableTradeTax", "CategoryCode"),
            ("19", settlement, "ApplicableTradeTax", "RateApplicablePercent"),
            ("7000.50", settlement, "ApplicableTradeTax", "BasisAmount"),
            ("1330.10", settlement, "ApplicableTradeTax", "CalculatedAmount"),
            ("7330.60", "DuePayableAmount"),
            ("1000.00", "TotalPrepaidAmount"),
        ):
            assert read.one(*path) == expected, path
        assert read.all("AssociatedDocumentLineDocument", "LineID") == ["1", "2"]
        assert read.all("NetPriceProductTradePrice", "ChargeAmount") == ["3600.00", "3400.50"]
        assert read.all("BilledQuantity") == ["1", "1"]
        assert read.all("AdditionalReferencedDocument", "IssuerAssignedID") == [
            line(1).entry_id,
            line(2).entry_id,
        ]
        values = read.all("ApplicableProductCharacteristic", "Value")
        assert {line(1).dossier_url, line(1).dossier_hash, "2026-03-04"} <= set(values)
        assert read.registrations("Seller") == {
            "VA": SELLER.vat_id,
            "FC": "12/345/67890",
            "EM": SELLER.email,
        }
        assert read.registrations("Buyer") == {"VA": BUYER.vat_id, "EM": BUYER.email}
        note = read.one("IncludedNote", "Content")
        assert all(hash_ * 32 in note for hash_ in ("a1", "b2", "c3"))

    def test_the_same_document_gives_the_same_bytes(self) -> None:
        assert invoice_xml(document()) == invoice_xml(document())

    def test_a_credit_note_names_the_invoice_and_no_account(self) -> None:
        read = Read(invoice_xml(credit_note()))
        assert read.one("ExchangedDocument", "TypeCode") == "381"
        assert read.one("InvoiceReferencedDocument", "IssuerAssignedID") == "R-1017"
        assert read.one("FormattedIssueDateTime", "DateTimeString") == "20260205"
        assert read.sum_of("GrandTotalAmount") == Decimal("2142.00")
        assert read.all("IBANID") == []
        assert "7" * 26 in read.one("AssociatedDocumentLineDocument", "IncludedNote", "Content")

    def test_only_euros_go_by_sepa(self) -> None:
        means = ("SpecifiedTradeSettlementPaymentMeans", "TypeCode")
        assert Read(invoice_xml(document(currency="CHF", rate="8.1"))).one(*means) == "30"
        no_bank = document(seller=replace(SELLER, bank=None))
        assert Read(invoice_xml(no_bank)).all(*means) == []

    def test_what_is_unknown_is_left_out(self) -> None:
        sparse = document(
            buyer=Buyer("X", Address("DE")),
            seller=Seller("S", Address("DE"), "a@b.example", tax_number="12/3"),
        )
        xml = invoice_xml(sparse)
        empty = [
            node.tag for node in etree.fromstring(xml).iter() if not len(node) and not node.text
        ]
        assert empty == []
        assert Read(xml).one("SellerTradeParty", "ID") == "12/3"

    def test_the_fourth_line_of_an_address_is_kept(self) -> None:
        read = Read(
            invoice_xml(document(buyer=replace(BUYER, address=Address("DE", tuple("abcd")))))
        )
        assert read.all("BuyerTradeParty", "PostalTradeAddress", "LineThree") == ["c, d"]

    @pytest.mark.parametrize("text", ["<a>&amp;\"']]>", "a\x00b\x0bc\ud800", "\u202e😀", "  "])
    def test_any_text_is_only_a_text(self, text: str) -> None:
        hostile = document(
            line(1, text=text, campaign=text, price_text=text),
            buyer=replace(BUYER, legal_name=f"x{text}", purchase_order=f"x{text}"),
        )
        read = Read(invoice_xml(hostile))
        allowed = "".join(c for c in f"x{text}" if c not in "\x00\x0b\ud800\u202e").strip()
        assert read.one("BuyerTradeParty", "Name") == allowed


class TestSums:
    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.integers(0, 10**10), min_size=1, max_size=12),
        st.sampled_from(["EUR", "JPY", "CHF"]),
        st.decimals("0.1", 30, places=2),
        st.integers(0, 10**9),
    )
    def test_they_add_up_apart_from_the_model(
        self, nets: list[int], currency: str, rate: Decimal, paid: int
    ) -> None:
        lines = [line(index, net) for index, net in enumerate(nets, start=1)]
        unpaid = document(*lines, currency=currency, rate=str(rate))
        made = document(
            *lines, currency=currency, rate=str(rate), paid=min(paid, unpaid.totals.gross)
        )
        read = Read(invoice_xml(made))
        unit = Decimal(1) if currency == "JPY" else Decimal(100)
        listed = read.all("SpecifiedTradeSettlementLineMonetarySummation", "LineTotalAmount")
        net = sum(map(Decimal, listed), Decimal(0))
        tax = (net * unit * rate / 100).quantize(Decimal(1), ROUND_HALF_UP) / unit
        assert net == sum(nets) / unit
        assert read.sum_of("LineTotalAmount") == read.sum_of("TaxBasisTotalAmount") == net
        assert read.sum_of("TaxTotalAmount") == tax
        assert read.sum_of("GrandTotalAmount") == net + tax
        paid_amount = Decimal(made.totals.paid) / unit
        assert read.sum_of("DuePayableAmount") == net + tax - paid_amount
        places = {len(text.partition(".")[2]) for text in listed}
        assert places == ({0} if currency == "JPY" else {2})


class TestCategories:
    @pytest.mark.parametrize("category", CATEGORIES)
    def test_each_is_admitted_and_reasoned(self, category: TaxCategory) -> None:
        read = Read(invoice_xml(admitted(category)))
        assert set(read.all("ApplicableTradeTax", "CategoryCode")) == {category.value}
        reasons = read.all("ExemptionReason")
        assert bool(reasons) == (category.value in {"AE", "O", "G", "E"})
        codes = {"AE": ["VATEX-EU-AE"], "O": ["VATEX-EU-O"], "G": ["VATEX-EU-G"]}
        assert read.all("ExemptionReasonCode") == codes.get(category.value, [])

    def test_out_of_scope_has_no_vat_id_and_no_rate(self) -> None:
        """BR-O-02, BR-O-05; and BR-CO-26 wants another identifier of the seller."""
        read = Read(invoice_xml(admitted(TaxCategory.OUT_OF_SCOPE)))
        assert "VA" not in read.registrations("Seller")
        assert "VA" not in read.registrations("Buyer")
        assert read.all("RateApplicablePercent") == []
        assert read.one("SellerTradeParty", "ID") == "12/345/67890"
        seller = replace(SELLER, tax_number=None)
        read = Read(invoice_xml(admitted(TaxCategory.OUT_OF_SCOPE, seller=seller)))
        assert read.one("SellerTradeParty", "ID") == SELLER.vat_id

    def test_reverse_charge_is_a_rate_of_zero(self) -> None:
        read = Read(invoice_xml(admitted(TaxCategory.REVERSE_CHARGE)))
        assert set(read.all("RateApplicablePercent")) == {"0"}
        assert read.sum_of("TaxTotalAmount") == 0

    @pytest.mark.parametrize(
        ("category", "seller", "buyer", "rule"),
        [
            (TaxCategory.REVERSE_CHARGE, {}, {"vat_id": None}, "BR-AE-02"),
            (TaxCategory.REVERSE_CHARGE, {"vat_id": None, "tax_number": None}, {}, "BR-AE-02"),
            (TaxCategory.EXPORT, {"vat_id": None}, {}, "BR-G-02"),
            (TaxCategory.STANDARD, {"vat_id": None, "tax_number": None}, {}, "BR-S-02"),
            (TaxCategory.STANDARD, {"vat_id": "123456789"}, {}, "BR-CO-09"),
            (TaxCategory.STANDARD, {}, {"vat_id": "9"}, "BR-CO-09"),
            (TaxCategory.OUT_OF_SCOPE, {"vat_id": None, "tax_number": None}, {}, "BR-CO-26"),
        ],
    )
    def test_what_the_standard_does_not_admit_is_named(
        self,
        category: TaxCategory,
        seller: dict[str, Any],
        buyer: dict[str, Any],
        rule: str,
    ) -> None:
        made = admitted(category, seller=replace(SELLER, **seller), buyer=replace(BUYER, **buyer))
        with pytest.raises(NoElectronicInvoiceError) as refusal:
            invoice_xml(made)
        assert rule in refusal.value.rules

    @pytest.mark.parametrize("currency", ["KWD", "BHD", "CLF"])
    def test_more_than_two_decimals_are_not_admitted(self, currency: str) -> None:
        with pytest.raises(NoElectronicInvoiceError) as refusal:
            invoice_xml(document(currency=currency))
        assert refusal.value.rules == ("BR-DEC",)


class TestRules:
    """Each of our own checks finds what it is for, on XML that was changed behind the model."""

    @pytest.mark.parametrize(
        ("path", "text", "rule"),
        [
            (".//{r}IncludedSupplyChainTradeLineItem//{r}LineTotalAmount", "1.00", "BR-CO-10"),
            (".//{r}TaxBasisTotalAmount", "1.00", "BR-CO-13"),
            (".//{r}TaxTotalAmount", "1.00", "BR-CO-14"),
            (".//{r}GrandTotalAmount", "1.00", "BR-CO-15"),
            (".//{r}TotalPrepaidAmount", "2.00", "BR-CO-16"),
            (".//{r}DuePayableAmount", "1.00", "BR-CO-16"),
            (".//{r}CalculatedAmount", "683.00", "BR-CO-17"),
            (".//{r}BasisAmount", "3599.00", "BR-S-08"),
            (".//{r}LineTotalAmount", "3600.001", "BR-DEC"),
            (".//{r}ApplicableHeaderTradeSettlement//{r}RateApplicablePercent", "0", "BR-S-05"),
            (".//{r}SpecifiedTaxRegistration/{r}ID", "49", "BR-CO-09"),
            (".//{r}SpecifiedLineTradeSettlement//{r}CategoryCode", "AE", "BR-S-08"),
        ],
    )
    def test_a_changed_value_is_found(self, path: str, text: str, rule: str) -> None:
        root = invoice_tree(document(paid=100))
        assert list(broken_rules(root)) == []
        root.find(path.format(r=RAM)).text = text
        assert rule in list(broken_rules(root))

    @pytest.mark.parametrize(
        ("category", "names", "rule"),
        [
            (TaxCategory.REVERSE_CHARGE, ("CalculatedAmount",), "BR-AE-09"),
            (TaxCategory.EXEMPT, ("RateApplicablePercent",), "BR-E-05"),
        ],
    )
    def test_no_tax_is_zero(self, category: TaxCategory, names: tuple[str, ...], rule: str) -> None:
        root = invoice_tree(document(category=category))
        for name in names:
            root.find(f".//{RAM}ApplicableHeaderTradeSettlement//{RAM}{name}").text = "0.50"
        assert rule in list(broken_rules(root))

    def test_a_reason_is_wanted(self) -> None:
        root = invoice_tree(document(category=TaxCategory.EXEMPT))
        reason = root.find(f".//{RAM}ExemptionReason")
        reason.getparent().remove(reason)
        assert list(broken_rules(root)) == ["BR-E-10"]

    def test_the_schema_is_really_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def shuffled(made: Document) -> Any:
            root = invoice_tree(made)
            number = root.find(f".//{RAM}TypeCode")
            number.getparent().append(number)
            return root

        monkeypatch.setattr(en16931, "invoice_tree", shuffled)
        with pytest.raises(Exception, match="not valid against"):
            invoice_xml(document())

    def test_the_level_is_what_it_claims(self) -> None:
        root = etree.fromstring(invoice_xml(document()))
        assert (facturx.get_flavor(root), facturx.get_level(root)) == ("factur-x", "en16931")
