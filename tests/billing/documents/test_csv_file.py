"""Tables as CSV, read back by the csv module."""

import csv
import io

import pytest
from pydantic import BaseModel

from flatbed.billing.documents.csv_file import as_csv, cell


class Row(BaseModel):
    name: str
    amount: int
    late: bool


class TestAsCsv:
    def test_the_head_is_the_model_in_its_order(self) -> None:
        assert as_csv(Row, []) == "name,amount,late\r\n"

    def test_what_is_read_back_is_what_was_written(self) -> None:
        text = 'a,"b"\r\nc; é 東'
        table = as_csv(Row, [{"late": True, "amount": -5, "name": text, "more": 1}])
        (row,) = csv.DictReader(io.StringIO(table, newline=""))
        assert row == {"name": text, "amount": "-5", "late": "true"}


class TestCell:
    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
    def test_no_cell_is_a_formula(self, start: str) -> None:
        assert cell(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"

    def test_numbers_and_truths_stay_what_they_are(self) -> None:
        assert [cell(value) for value in (-5, True, False, None, "x")] == [
            "-5",
            "true",
            "false",
            "",
            "x",
        ]
