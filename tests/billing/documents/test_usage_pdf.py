"""A usage report on paper."""

from dataclasses import replace

import pytest

from flatbed.billing.documents import usage_pdf as module
from flatbed.billing.documents.errors import TooManyLinesError
from flatbed.billing.documents.languages import Language
from flatbed.billing.documents.report import Grouping, Tally
from flatbed.billing.documents.usage_pdf import usage_pdf
from tests.billing.documents.reading import letters, links, looks, page_texts, reader, words
from tests.billing.documents.samples import given_back, report, report_line

LINES = tuple(report_line(position) for position in range(1, 61))
HOSTILE = '#panic("x") [b] *c* $d$ 東京 \u202eturned \x07' + "y" * 300


class TestUsagePdf:
    def test_german(self) -> None:
        text = words(usage_pdf(report(*LINES[:7])))
        for expected in (
            "Nutzungsbericht",
            "Nordlicht Software AG",
            "Leistungszeitraum 01.03.2026 – 31.03.2026",
            "Erstellt 02.04.2026",
            "Summen Währung Offen Bestritten Angenommen Abgerechnet Rückgängig Entfallen",
            "Nach Kampagne Kampagne Währung",
            "Einzelposten Erbracht Kampagne Stand Eintrag Nachweis Betrag",
            "360.004 JPY",
            "360,005 KWD",
            "3.600,06 EUR 1 Einheit",
            "Entfallen (Nachtrag)",
            "Seite 1/2",
        ):
            assert expected in text

    def test_english_with_a_forecast(self) -> None:
        made = report(*LINES, language=Language.EN)
        totals = tuple(replace(one, forecast=Tally(70, 9_000_000)) for one in made.totals[:1])
        text = words(usage_pdf(replace(made, totals=(*totals, *made.totals[1:]))))
        for expected in (
            "Usage report",
            "Service period 1 Mar 2026 – 31 Mar 2026",
            "Totals Currency Pending Disputed Accepted Billed Reversed Cancelled",
            "Expected by the end",
            "By campaign Campaign Currency",
            "Lines Performed Campaign State Entry Evidence Amount",
            "EUR 90,000.00 70 units",
        ):
            assert expected in text

    def test_what_was_given_back_and_what_replaces_another(self) -> None:
        text = words(usage_pdf(given_back(language=Language.EN)))
        for expected in (
            "Totals Currency Billed Credited EUR",
            "Billed (replacement)",
            "Credited EUR -1,800.01",
        ):
            assert expected in text
        assert "Credited" not in words(usage_pdf(report(*LINES, language=Language.EN)))

    @pytest.mark.parametrize("grouping", list(Grouping))
    def test_each_grouping_has_its_heading(self, grouping: Grouping) -> None:
        text = words(usage_pdf(report(LINES[0], grouping=grouping, language=Language.EN)))
        assert f"By {grouping.value}" in text

    def test_every_line_has_its_link_hash_and_local_day(self) -> None:
        pdf = usage_pdf(report(*LINES))
        assert links(pdf) == [one.dossier_url for one in LINES]
        text = words(pdf)
        assert all(text.count(one.dossier_hash) == 1 for one in LINES)
        # 23:30 in UTC on 2 March is the third in Berlin.
        assert f"03.03.2026 {LINES[0].campaign}" in text

    def test_pages_repeat_the_head_and_nothing_leaves_them(self) -> None:
        pdf = usage_pdf(report(*LINES))
        texts = page_texts(pdf)
        assert len(texts) > 2
        for number, text in enumerate(texts, start=1):
            assert f"Seite {number}/{len(texts)}" in text
            assert "Nachweis" in text
        for look in looks(pdf):
            assert look.outside == []
            assert 20 < look.inked < 300

    def test_without_units_it_says_so(self) -> None:
        assert "Keine Einheiten in diesem Zeitraum." in words(usage_pdf(report()))

    def test_lines_may_be_left_out(self) -> None:
        text = words(usage_pdf(report(*LINES, lines=None)))
        assert "Einzelposten" not in text
        assert "Summen" in text

    def test_any_text_is_only_a_text(self) -> None:
        made = report(report_line(3, campaign=HOSTILE), customer=HOSTILE, seller=HOSTILE)
        pdf = usage_pdf(made)
        assert '#panic("x")[b]*c*$d$\ufffd\ufffdturned' + "y" * 300 in letters(pdf)
        for look in looks(pdf):
            assert look.outside == []

    def test_the_same_report_gives_the_same_bytes(self) -> None:
        assert usage_pdf(report(*LINES)) == usage_pdf(report(*LINES))
        metadata = reader(usage_pdf(report(*LINES))).metadata
        assert metadata is not None
        assert metadata.creation_date_raw == "D:20260402000000Z"

    def test_paper_has_a_bound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MOST_LINES", 2)
        assert usage_pdf(report(*LINES[:2]))
        with pytest.raises(TooManyLinesError):
            usage_pdf(report(*LINES[:3]))
