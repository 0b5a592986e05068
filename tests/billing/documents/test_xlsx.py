"""A usage report as a workbook, read back by openpyxl."""

import io
import zipfile
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape
from openpyxl.worksheet.worksheet import Worksheet

from flatbed.billing.documents.errors import AmountTooLargeError
from flatbed.billing.documents.languages import Language
from flatbed.billing.documents.money import exact
from flatbed.billing.documents.report import ReportLine, Tally, UsageReport
from flatbed.billing.documents.xlsx import LONGEST_CELL, cell_text, number, usage_xlsx
from tests.billing.documents.samples import given_back, report, report_line

MOST = 10**15 // 21
"""The sum of twenty amounts has fifteen digits, too."""
LINES = tuple(report_line(position) for position in range(1, 40))


def opened(made: UsageReport) -> Any:
    return openpyxl.load_workbook(io.BytesIO(usage_xlsx(made)))


def rows(sheet: Worksheet) -> list[tuple[Any, ...]]:
    return list(sheet.iter_rows(values_only=True))


class TestLines:
    def test_every_line_is_a_row_of_real_values(self) -> None:
        book = opened(report(*LINES))
        assert book.sheetnames == ["Einzelposten", "Gruppen", "Summen"]
        head, *found = rows(book["Einzelposten"])
        assert head == (
            "Eintrag",
            "Erbracht",
            "Kampagne",
            "Stand",
            "Nachtrag",
            "Währung",
            "Betrag",
            "Kleinste Einheiten",
            "Nachweis",
            "Hash des Nachweises",
            "Gutgeschrieben",
            "Ersetzt",
        )
        assert len(found) == len(LINES)
        for row, one in zip(found, LINES, strict=True):
            assert (row[0], row[2], row[5], row[9]) == (
                one.entry_id,
                one.campaign,
                one.currency,
                one.dossier_hash,
            )
            assert Decimal(repr(row[6])) == exact(one.amount, one.currency)
            assert row[7] == one.amount
            assert isinstance(row[1], datetime)
        # 23:30 in UTC on 2 March, in Berlin.
        assert found[0][1] == datetime(2026, 3, 3, 0, 30)  # noqa: DTZ001 - a cell has no zone
        assert [row[4] for row in found[:6]] == ["nein", "nein", "nein", "nein", "ja", "nein"]

    def test_cells_are_formatted_and_linked(self) -> None:
        sheet = opened(report(*LINES))["Einzelposten"]
        assert sheet["G2"].number_format == '#,##0 "JPY"'
        assert sheet["G3"].number_format == '#,##0.000 "KWD"'
        assert sheet["G4"].number_format == '#,##0.00 "EUR"'
        assert sheet["B2"].number_format == "yyyy-mm-dd hh:mm"
        assert sheet["I2"].hyperlink.target == LINES[0].dossier_url
        assert sheet["I2"].value == LINES[0].dossier_url.rpartition("/")[2]
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref == "A1:L40"
        assert sheet.column_dimensions["J"].width > 60
        assert sheet["A1"].font.bold

    def test_credits_and_replacements_stand_beside_their_units(self) -> None:
        sheets = opened(given_back())
        _, *found = rows(sheets["Einzelposten"])
        assert [row[10:] for row in found] == [(1800.01, None), (0, LINES[0].entry_id)]
        for name, before in (("Gruppen", 2), ("Summen", 1)):
            head, row = rows(sheets[name])
            assert head[before + 2 : before + 3] == ("Gutgeschrieben",)
            assert row[before + 2] == 1800.01

    def test_a_report_without_lines_has_no_sheet_of_them(self) -> None:
        made = report(*LINES, lines=None, language=Language.EN)
        assert opened(made).sheetnames == ["Groups", "Totals"]


class TestSums:
    def test_totals_stand_by_currency_and_state(self) -> None:
        made = report(*LINES)
        totals = tuple(replace(one, forecast=Tally(70, 9_000_001)) for one in made.totals[:1])
        sheet = opened(replace(made, totals=(*totals, *made.totals[1:])))["Summen"]
        head, *found = rows(sheet)
        assert head[:3] == ("Währung", "Offen: Einheiten", "Offen")
        assert head[-2:] == ("Erwartet bis Ende: Einheiten", "Erwartet bis Ende")
        for row, total in zip(found, made.totals, strict=True):
            assert row[0] == total.currency
            for index, state in enumerate(made.states()):
                tally = total.of(state)
                assert row[1 + 2 * index] == tally.units
                amount = Decimal(repr(row[2 + 2 * index]))
                assert amount == exact(tally.amount, total.currency)
        assert [row[-2:] for row in found] == [(70, 90000.01), (None, None), (None, None)]

    def test_groups_too(self) -> None:
        made = report(*LINES)
        head, *found = rows(opened(made)["Gruppen"])
        assert head[:3] == ("Kampagne", "Währung", "Offen: Einheiten")
        assert [row[:2] for row in found] == [(one.name, one.currency) for one in made.groups]

    def test_nothing_is_a_workbook_too(self) -> None:
        assert [len(rows(sheet)) for sheet in opened(report())] == [1, 1, 1]


class TestExactness:
    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(-MOST, MOST),
                st.sampled_from(["EUR", "JPY", "KWD", "CLF"]),
            ),
            min_size=1,
            max_size=20,
        )
    )
    def test_what_is_read_back_is_the_amount(self, amounts: list[tuple[int, str]]) -> None:
        lines = tuple(
            report_line(3, amount=minor, currency=currency) for minor, currency in amounts
        )
        made = report(*lines)
        book = opened(made)
        _, *found = rows(book["Einzelposten"])
        assert [Decimal(repr(row[6])) for row in found] == [exact(*one) for one in amounts]
        assert [row[7] for row in found] == [minor for minor, _ in amounts]
        _, *sums = rows(book["Summen"])
        assert [Decimal(repr(row[2])) for row in sums] == [
            exact(sum(minor for minor, code in amounts if code == total.currency), total.currency)
            for total in made.totals
        ]

    @pytest.mark.parametrize("minor", [10**15 - 1, -(10**15) + 1, 995, 1, 0])
    def test_fifteen_digits_are_kept(self, minor: int) -> None:
        sheet = opened(report(report_line(3, amount=minor)))["Einzelposten"]
        assert Decimal(repr(sheet["G2"].value)) == exact(minor, "EUR")

    def test_a_sixteenth_digit_is_refused(self) -> None:
        assert number(-(10**15) + 1, "EUR") == Decimal("-9999999999999.99")
        with pytest.raises(AmountTooLargeError):
            number(10**15, "EUR")
        with pytest.raises(AmountTooLargeError):
            usage_xlsx(report(report_line(1, amount=10**15)))


class TestTexts:
    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
    def test_no_cell_is_a_formula(self, start: str) -> None:
        text = f"{start}HYPERLINK(1)"
        book = opened(report(report_line(1, campaign=text, dossier_hash=text)))
        found = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
        assert {cell.data_type for cell in found} <= {"s", "inlineStr", "n", "d"}
        texts = [unescape(str(cell.value)) for cell in found]
        assert [one for one in texts if "HYPERLINK" in one] == [f"'{text}"] * 3

    @pytest.mark.parametrize(
        ("text", "kept"),
        [
            ("a\x00\x0bb\ud800c\ufffe", "abc"),
            ("<r><t>x</t></r>", "'<r><t>x</t></r>"),
            ("<r>=1+1</r>", "'<r>=1+1</r>"),
            ("_x0041_", "_x0041_"),
            ("https://evil.example", "https://evil.example"),
            ("12", "12"),
            ("😀 東京 <&>", "😀 東京 <&>"),
        ],
    )
    def test_any_text_is_only_a_text(self, text: str, kept: str) -> None:
        sheet = opened(report(report_line(1, campaign=text)))["Einzelposten"]
        assert sheet["C2"].hyperlink is None
        assert unescape(sheet["C2"].value) == kept

    def test_a_cell_has_a_bound(self) -> None:
        assert len(cell_text("x" * 40_000)) == LONGEST_CELL
        sheet = opened(report(report_line(1, campaign="x" * 40_000)))["Einzelposten"]
        assert len(sheet["C2"].value) == LONGEST_CELL


class TestFile:
    def test_the_same_report_gives_the_same_bytes(self) -> None:
        assert usage_xlsx(report(*LINES)) == usage_xlsx(report(*LINES))

    def test_rows_are_written_as_they_come(self) -> None:
        """Constant memory: texts stand in their rows, and none is collected beside them."""
        with zipfile.ZipFile(io.BytesIO(usage_xlsx(report(*LINES)))) as file:
            assert "inlineStr" in file.read("xl/worksheets/sheet1.xml").decode()
            assert "xl/sharedStrings.xml" not in file.namelist()

    def test_it_is_read_whole(self) -> None:
        many: tuple[ReportLine, ...] = tuple(report_line(position) for position in range(2_000))
        assert opened(report(*many))["Einzelposten"].max_row == 2_001
