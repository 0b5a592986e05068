"""The file for people and machines: what is attached, and that it says so."""

from dataclasses import replace

import facturx
import pytest
from lxml import etree

from flatbed.billing.documents.en16931 import invoice_xml
from flatbed.billing.documents.hybrid import invoice_file
from flatbed.billing.documents.invoice_pdf import invoice_pdf
from flatbed.billing.documents.model import Document, TaxCategory
from tests.billing.documents.reading import catalogue, looks, reader, words, xmp
from tests.billing.documents.samples import BUYER, credit_note, document, line

FX = "{urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#}"


class TestInvoiceFile:
    @pytest.mark.parametrize("made", [document(), credit_note(), document(line(1), currency="JPY")])
    def test_the_attached_data_are_the_invoice(self, made: Document) -> None:
        file = invoice_file(made)
        name, by_library = facturx.get_facturx_xml_from_pdf(file.pdf)
        (attached,) = reader(file.pdf).attachment_list
        assert (name, attached.name) == ("factur-x.xml", "factur-x.xml")
        assert file.xml == by_library == attached.content == invoice_xml(made)

    def test_pages_and_data_say_the_same_total(self) -> None:
        file = invoice_file(document(line(1), line(2, 12_345)))
        root = etree.fromstring(file.xml)
        (gross,) = root.xpath("//*[local-name()='GrandTotalAmount']/text()")
        assert gross == "4430.91"
        assert "Gesamtbetrag 4.430,91 EUR" in words(file.pdf)

    def test_it_is_an_alternative_that_the_catalogue_names(self) -> None:
        root = catalogue(invoice_file(document()).pdf)
        (filespec,) = root["/AF"].get_object()
        assert filespec.get_object()["/AFRelationship"] == "/Alternative"
        assert filespec.get_object()["/EF"]["/F"].get_object()["/Subtype"] == "/text/xml"
        assert root["/OutputIntents"]

    def test_its_xmp_says_which_profile_and_declares_the_words(self) -> None:
        said = xmp(invoice_file(document()).pdf)
        root = etree.fromstring(said)
        found = {node.tag: node.text for node in root.iter() if str(node.tag).startswith(FX)}
        assert found == {
            f"{FX}DocumentType": "INVOICE",
            f"{FX}DocumentFileName": "factur-x.xml",
            f"{FX}Version": "1.0",
            f"{FX}ConformanceLevel": "EN 16931",
        }
        text = said.decode()
        assert text.count("<pdfaExtension:schemas>") == 1
        assert text.count("<pdfaSchema:prefix>fx</pdfaSchema:prefix>") == 1
        assert "<pdfaid:part>3</pdfaid:part><pdfaid:conformance>B<" in text
        assert "Rechnung R-1042" in text
        assert text.startswith("<?xpacket begin")
        assert text.endswith('<?xpacket end="r"?>')

    def test_the_note_is_added_behind_what_typst_wrote(self) -> None:
        made = document()
        pages = invoice_pdf(made, xml=invoice_xml(made))
        file = invoice_file(made)
        assert file.pdf.startswith(pages)
        old, new = reader(pages), reader(file.pdf)
        assert new.metadata == old.metadata
        assert new.trailer["/ID"] == old.trailer["/ID"]
        assert [page.extract_text() for page in new.pages] == [
            page.extract_text() for page in old.pages
        ]
        assert looks(file.pdf) == looks(pages)

    def test_the_same_document_gives_the_same_bytes(self) -> None:
        assert invoice_file(document()) == invoice_file(document())

    def test_without_admission_there_are_pages_and_the_reason(self) -> None:
        file = invoice_file(document(currency="KWD"))
        assert (file.xml, file.broken_rules) == (None, ("BR-DEC",))
        assert "Gesamtbetrag 428,400 KWD" in words(file.pdf)
        assert list(reader(file.pdf).attachment_list) == []
        assert b"factur-x" not in file.pdf
        no_id = document(category=TaxCategory.REVERSE_CHARGE, buyer=replace(BUYER, vat_id=None))
        assert invoice_file(no_id).broken_rules == ("BR-AE-02",)

    def test_a_name_cannot_break_the_note(self) -> None:
        made = document(number="R-<&>\"'\u00e4")
        file = invoice_file(made)
        metadata = reader(file.pdf).metadata
        assert metadata is not None
        assert metadata.title == "Rechnung R-<&>\"'ä"
        assert facturx.get_facturx_xml_from_pdf(file.pdf)[0] == "factur-x.xml"
