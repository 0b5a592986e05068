"""An invoice on paper, read back by pypdf and looked at by PDFium."""

import io
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from pypdf import PdfReader

from flatbed.billing.documents import typesetting
from flatbed.billing.documents.errors import TypesettingError
from flatbed.billing.documents.invoice_pdf import invoice_pdf
from flatbed.billing.documents.languages import Language
from flatbed.billing.documents.model import TaxCategory
from flatbed.billing.documents.parties import Address, Buyer, TaxId
from tests.billing.documents.reading import (
    font_files,
    letters,
    links,
    looks,
    page_texts,
    reader,
    words,
    xmp,
)
from tests.billing.documents.samples import (
    BUYER,
    HELD,
    SELLER,
    credit_note,
    document,
    line,
)

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
MARKUP = '#panic("x") [b] *c* _d_ $e$ "f" \'g\' `h` \\ <i> @j // /* k */ ~ = - + #sys.inputs'


def many(count: int) -> Any:
    return document(*(line(position, 350_000 + position) for position in range(1, count + 1)))


class TestWords:
    def test_german(self) -> None:
        text = words(
            invoice_pdf(
                document(line(1), line(2, 340_050), paid=100_000, held=HELD, payment_terms="Netto.")
            )
        )
        for expected in (
            "Rechnung R-1042",
            "Nummer R-1042",
            "Datum 05.04.2026",
            "Fällig am 19.04.2026",
            "Leistungszeitraum 01.03.2026 – 31.03.2026",
            "Zeitzone Europe/Berlin",
            "Ihre Bestellnummer PO-2026-0417",
            "Ihre USt-IdNr. DE987654321",
            "Pos. Leistung Erbracht Angenommen Betrag (EUR)",
            "Nordlicht Software AG Hafenweg 7 Gebäude C 20457 Hamburg",
            "DACH Systemhäuser · unit 1 of the campaign",
            "02.03.2026 04.03.2026 3.600,00",
            "Summe netto 7.000,50 EUR",
            "Umsatzsteuer 19 % 1.330,10 EUR",
            "Gesamtbetrag 8.330,60 EUR",
            "Bereits bezahlt -1.000,00 EUR",
            "Zu zahlen 7.330,60 EUR",
            "Bitte überweisen Sie 7.330,60 EUR bis 19.04.2026 unter Angabe von R-1042.",
            "Kontoinhaber Flatbed Partnerwerbung GmbH",
            "IBAN DE89 3704 0044 0532 0130 00",
            "BIC COBADEFFXXX",
            "Zahlungsbedingungen Netto.",
            "Auf eine Entscheidung warten 3 Einheiten über höchstens 10.800,00 EUR.",
            "Nachweis im Nutzungsbuch · Einträge nach 120 bis 184",
            "a1" * 32,
            "b2" * 32,
            "c3" * 32,
            "USt-IdNr. DE123456789 · Steuernummer 12/345/67890",
            "Seite 1/1",
        ):
            assert expected in text

    def test_english(self) -> None:
        irish = Buyer(
            "Fjord Systems Ltd",
            Address("IE", ("12 Harbour Rd",), "D02", "Dublin"),
            vat_id="IE1234567T",
            tax_ids=(TaxId("ie_vat2", "77-1"),),
        )
        text = words(
            invoice_pdf(
                document(
                    line(1, 123_456_789),
                    category=TaxCategory.REVERSE_CHARGE,
                    language=Language.EN,
                    buyer=irish,
                )
            )
        )
        for expected in (
            "Invoice R-1042",
            "Date 5 Apr 2026",
            "Due on 19 Apr 2026",
            "Service period 1 Mar 2026 – 31 Mar 2026",
            "Your VAT ID IE1234567T",
            "Your tax ID 77-1",
            "No. Service Performed Accepted Amount (EUR)",
            "D02 Dublin IRELAND",
            "10115 Berlin · GERMANY",
            "Net total EUR 1,234,567.89",
            "VAT EUR 0.00",
            "Total EUR 1,234,567.89",
            "Reverse charge Art. 196 Directive 2006/112/EC.",
            "Please transfer EUR 1,234,567.89 by 19 Apr 2026 and state R-1042.",
            "Page 1/1",
        ):
            assert expected in text
        assert "Your purchase order" not in text

    def test_a_credit_note_asks_for_nothing(self) -> None:
        text = words(invoice_pdf(credit_note(held=HELD)))
        for expected in (
            "Rechnungskorrektur R-1043",
            "Korrigiert Rechnung R-1017 (05.02.2026)",
            f"Korrigiert Position zu use_{'7' * 26}",
            "Korrekturbetrag 2.142,00 EUR",
        ):
            assert expected in text
        for absent in ("IBAN", "überweisen", "Fällig", "Entscheidung"):
            assert absent not in text

    def test_reverse_charge_is_said_in_the_words_of_the_law(self) -> None:
        text = words(invoice_pdf(document(category=TaxCategory.REVERSE_CHARGE)))
        assert "Steuerschuldnerschaft des Leistungsempfängers" in text

    def test_nothing_is_asked_for_when_all_is_paid(self) -> None:
        text = words(invoice_pdf(document(paid=428_400)))
        assert "Es ist nichts mehr zu zahlen." in text
        assert "IBAN" not in text

    @pytest.mark.parametrize(
        ("currency", "shown"),
        [("JPY", "428.400 JPY"), ("KWD", "428,400 KWD"), ("EUR", "4.284,00 EUR")],
    )
    def test_amounts_have_the_currencys_decimals(self, currency: str, shown: str) -> None:
        assert f"Gesamtbetrag {shown}" in words(invoice_pdf(document(currency=currency)))


class TestPages:
    def test_every_page_has_its_number_and_the_tables_head(self) -> None:
        texts = page_texts(invoice_pdf(many(60)))
        assert len(texts) > 3
        for number, text in enumerate(texts, start=1):
            assert f"Seite {number}/{len(texts)}" in text
            assert "Betrag (EUR)" in text
            assert "Rechnung R-1042" in text

    def test_every_line_is_there_once_with_its_link_and_hash(self) -> None:
        pdf = invoice_pdf(many(60))
        text = words(pdf)
        for position in range(1, 61):
            assert text.count(f"{position:064x}") == 1
            assert f"3.500,{position:02d}" in text
        assert links(pdf) == [line(position).dossier_url for position in range(1, 61)]

    def test_the_last_page_is_never_a_rest(self) -> None:
        for count in range(1, 20):
            last = page_texts(invoice_pdf(many(count)))[-1]
            assert "Gesamtbetrag" in last
            assert "IBAN" in last
            assert "c3" * 32 in last

    @pytest.mark.parametrize("count", [1, 8, 9, 60])
    def test_nothing_is_blank_and_nothing_leaves_the_page(self, count: int) -> None:
        for look in looks(invoice_pdf(many(count))):
            assert look.outside == []
            assert 20 < look.inked < 300

    def test_the_same_document_gives_the_same_bytes(self) -> None:
        made = document(held=HELD)
        assert invoice_pdf(made) == invoice_pdf(made)
        assert invoice_pdf(made) != invoice_pdf(replace(made, number="R-1044"))

    def test_threads_do_not_disturb_each_other(self) -> None:
        made = [document(number=f"R-{number}") for number in range(6)]
        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(invoice_pdf, made)) == [invoice_pdf(one) for one in made]

    def test_it_is_dated_by_its_issue(self) -> None:
        metadata = reader(invoice_pdf(document())).metadata
        assert metadata is not None
        assert metadata.creation_date_raw == "D:20260405000000Z"
        assert (metadata.title, metadata.author) == ("Rechnung R-1042", SELLER.legal_name)

    def test_it_says_pdf_a_3b_and_holds_its_fonts(self) -> None:
        pdf = invoice_pdf(document())
        assert b"<pdfaid:part>3</pdfaid:part><pdfaid:conformance>B<" in xmp(pdf)
        fonts = font_files(pdf)
        assert len(fonts) > 2
        assert all(fonts)

    def test_python_opens_nothing_and_the_fonts_are_typsts_own(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any, **__: Any) -> Any:
            raise AssertionError("outside")

        invoice_pdf(document())
        monkeypatch.setattr(socket, "socket", refuse)
        monkeypatch.setattr(io, "open", refuse)
        monkeypatch.setattr("builtins.open", refuse)
        fonts = {font.path for font in typesetting._fonts().fonts()}
        assert fonts == {None}
        assert invoice_pdf(document())


class TestHostileTexts:
    @pytest.mark.parametrize("text", [MARKUP, LONG, "a\x00b\x07c\ud800", "x " * 500, "שלום مرحبا"])
    def test_any_text_is_only_a_text(self, text: str) -> None:
        hostile = document(
            line(1, text=text, campaign=text, price_text=text),
            line(2),
            number="R-[1]",
            buyer=replace(
                BUYER,
                legal_name=text,
                purchase_order=text,
                address=Address("CH", (text, text), text, text),
            ),
            seller=replace(SELLER, legal_name=text),
            category=TaxCategory.OUT_OF_SCOPE,
            payment_terms=text,
        )
        pdf = invoice_pdf(hostile)
        assert f"Seite 1/{len(page_texts(pdf))}" in words(pdf)
        assert "Rechnung R-[1]" in words(pdf)
        assert "Gesamtbetrag 7.200,00 EUR" in words(pdf)
        for look in looks(pdf):
            assert look.outside == []

    def test_markup_is_printed(self) -> None:
        text = letters(invoice_pdf(document(line(1, text=MARKUP))))
        assert "".join(MARKUP.split()) in text

    def test_a_long_word_is_whole_in_its_letters(self) -> None:
        assert LONG in letters(invoice_pdf(document(line(1, text=LONG))))

    def test_no_name_turns_the_amount_beside_it(self) -> None:
        turned = document(line(1, text="a\u202eb", campaign="\u202ec"))
        assert invoice_pdf(turned) == invoice_pdf(document(line(1, text="ab", campaign="c")))

    def test_a_character_without_a_font_is_shown_as_missing(self) -> None:
        pdf = invoice_pdf(document(line(1, text="Tokyo 東京 🚀 GmbH")))
        assert "Tokyo \ufffd\ufffd \ufffd GmbH" in words(pdf)
        assert invoice_pdf(document(line(1, text="Tokyo 東京 🚀 GmbH"))) == pdf

    def test_greek_cyrillic_and_turkish_have_one(self) -> None:
        assert "Ωμέγα Союз Şişli đ" in words(
            invoice_pdf(document(line(1, text="Ωμέγα Союз Şişli đ")))
        )

    def test_a_mistake_in_a_template_is_no_missing_font(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(typesetting, "_template", lambda _: b"#panic(1)\n")
        with pytest.raises(TypesettingError):
            invoice_pdf(document())

    def test_a_link_is_never_more_than_an_address(self) -> None:
        url = 'https://a.example/v1/q"])#panic(1)[('
        pdf = invoice_pdf(document(line(1, dossier_url=url)))
        assert links(pdf) == [url]


def test_pypdf_reads_without_forgiving() -> None:
    """A broken file must fail here, or the tests above prove nothing."""
    pdf = invoice_pdf(document())
    with pytest.raises(Exception, match=r"startxref|EOF|xref|[Ss]tream"):
        assert PdfReader(io.BytesIO(pdf[:2000]), strict=True).pages[0].extract_text()
