"""A usage report as a workbook: its lines, groups and totals, one sheet each.

Amounts are number cells with the exact decimal text: XlsxWriter writes ``Decimal`` by the
``Decimal``'s own formatting with 16 digits, and never turns it into a binary fraction. A
spreadsheet computes with 15 digits, so a longer amount is refused rather than rounded.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from tempfile import TemporaryDirectory
from typing import Any, Final
from zoneinfo import ZoneInfo

import xlsxwriter

from flatbed.billing.documents.errors import AmountTooLargeError
from flatbed.billing.documents.labels import LABELS
from flatbed.billing.documents.money import exact, exponent
from flatbed.billing.documents.report import Group, ReportLine, Tally, Total, UsageReport
from flatbed.billing.documents.texts import last_part, no_formula, xml_text

MOST_DIGITS: Final = 15
LONGEST_CELL: Final = 32_767
_SHEET: Final = 31
# XlsxWriter takes a text between these for ready-made XML.
_RICH: Final = "<r>"


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its head and its width in characters."""

    head: str
    width: int


def usage_xlsx(report: UsageReport) -> bytes:
    """The report as XLSX: the same bytes for the same report.

    Rows go to a private temporary folder as they are written, so that 20,000 lines need little
    memory. Takes a whole core (measured: 1 s for 20,000 lines): call it in a thread.

    Raises:
        AmountTooLargeError: an amount of more than 15 digits.
    """
    out = io.BytesIO()
    with TemporaryDirectory() as folder:
        options = {
            "constant_memory": True,
            "tmpdir": folder,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        with xlsxwriter.Workbook(out, options) as book:
            # Without, the clock would be written.
            book.set_properties({"created": datetime.combine(report.made_on, time(), UTC)})
            _Sheets(book, report).write()
    return out.getvalue()


def cell_text(value: str) -> str:
    """A text as a cell keeps it: no formula, no markup, no control characters, not too long."""
    text = no_formula(xml_text(value))
    if text.startswith(_RICH):
        text = f"'{text}"
    return text[:LONGEST_CELL]


def number(minor: int, currency: str) -> Decimal:
    """The amount as a number cell keeps it.

    Raises:
        AmountTooLargeError: more than 15 digits.
    """
    if len(str(abs(minor))) > MOST_DIGITS:
        raise AmountTooLargeError("a spreadsheet keeps 15 digits")
    return exact(minor, currency)


class _Sheets:
    def __init__(self, book: Any, report: UsageReport) -> None:  # noqa: ANN401 - no types
        self._book = book
        self._of = report
        self._labels = LABELS[report.language]
        self._zone = ZoneInfo(report.period.time_zone)
        self._head = book.add_format({"bold": True, "bottom": 1, "bg_color": "#F1F5F6"})
        self._instant = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        self._link = book.add_format({"font_color": "#14505C", "underline": 1})
        self._money: dict[str, Any] = {}

    def write(self) -> None:
        if self._of.lines is not None:
            self._lines(self._of.lines)
        names = [self._labels[state] for state in self._of.states()]
        credited = _Column(self._labels["credited"], 18)
        group = [_Column(self._labels[self._of.grouping], 36), self._currency()]
        self._sums(self._labels["groups"], [*group, *self._pairs(names), credited], self._of.groups)
        forecast = self._pairs([self._labels["forecast"]])
        total = [self._currency(), *self._pairs(names), credited, *forecast]
        self._sums(self._labels["totals"], total, self._of.totals)

    def _currency(self) -> _Column:
        return _Column(self._labels["currency"], 10)

    def _pairs(self, names: Sequence[str]) -> list[_Column]:
        units = self._labels["units"]
        return [
            column
            for name in names
            for column in (_Column(f"{name}: {units}", 14), _Column(name, 18))
        ]

    def _sheet(self, name: str, columns: Sequence[_Column], rows: int) -> Any:  # noqa: ANN401 - no types
        sheet = self._book.add_worksheet(name[:_SHEET])
        for index, column in enumerate(columns):
            sheet.set_column(index, index, column.width)
            sheet.write_string(0, index, column.head, self._head)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(rows, 1), len(columns) - 1)
        return sheet

    def _sums(self, name: str, columns: Sequence[_Column], of: Sequence[Group | Total]) -> None:
        sheet = self._sheet(name, columns, len(of))
        for row, one in enumerate(of, start=1):
            texts = [one.name, one.currency] if isinstance(one, Group) else [one.currency]
            for column, text in enumerate(texts):
                sheet.write_string(row, column, cell_text(text))
            column = len(texts)
            for state in self._of.states():
                self._tally(sheet, row, column, one.of(state), one.currency)
                column += 2
            self._amount(sheet, row, column, one.credited, one.currency)
            if isinstance(one, Total) and one.forecast is not None:
                self._tally(sheet, row, column + 1, one.forecast, one.currency)

    def _lines(self, lines: Sequence[ReportLine]) -> None:
        labels = self._labels
        columns = [
            _Column(labels["entry"], 32),
            _Column(labels["occurred_on"], 17),
            _Column(labels["campaign"], 32),
            _Column(labels["state"], 14),
            _Column(labels["late"], 10),
            _Column(labels["currency"], 10),
            _Column(labels["amount"], 16),
            _Column(labels["minor_units"], 18),
            _Column(labels["dossier"], 34),
            _Column(labels["dossier_hash"], 66),
            _Column(labels["credited"], 16),
            _Column(labels["replaces"], 32),
        ]
        sheet = self._sheet(labels["lines"], columns, len(lines))
        for row, line in enumerate(lines, start=1):
            local = line.occurred_at.astimezone(self._zone).replace(tzinfo=None)
            sheet.write_string(row, 0, cell_text(line.entry_id))
            sheet.write_datetime(row, 1, local, self._instant)
            sheet.write_string(row, 2, cell_text(line.campaign))
            sheet.write_string(row, 3, labels[line.state])
            sheet.write_string(row, 4, labels["yes" if line.late else "no"])
            sheet.write_string(row, 5, line.currency)
            self._amount(sheet, row, 6, line.amount, line.currency)
            sheet.write_number(row, 7, line.amount)
            name = cell_text(last_part(line.dossier_url))
            sheet.write_url(row, 8, line.dossier_url, self._link, name)
            sheet.write_string(row, 9, cell_text(line.dossier_hash))
            self._amount(sheet, row, 10, line.credited, line.currency)
            if line.replaces is not None:
                sheet.write_string(row, 11, cell_text(line.replaces))

    def _tally(self, sheet: Any, row: int, column: int, tally: Tally, currency: str) -> None:  # noqa: ANN401 - no types
        sheet.write_number(row, column, tally.units)
        self._amount(sheet, row, column + 1, tally.amount, currency)

    def _amount(self, sheet: Any, row: int, column: int, minor: int, currency: str) -> None:  # noqa: ANN401 - no types
        sheet.write_number(row, column, number(minor, currency), self._format(currency))

    def _format(self, currency: str) -> Any:  # noqa: ANN401 - no types
        if currency not in self._money:
            decimals = exponent(currency)
            pattern = "#,##0." + "0" * decimals if decimals else "#,##0"
            # The code in quotes: a letter alone would be read as a part of a date.
            self._money[currency] = self._book.add_format({"num_format": f'{pattern} "{currency}"'})
        return self._money[currency]
