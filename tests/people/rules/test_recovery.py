"""Recovery codes as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.tenants.people.rules.recovery import read, written


class TestWritten:
    def test_four_groups_of_four(self) -> None:
        assert written(bytes(10)) == "0000-0000-0000-0000"
        assert written(b"\xff" * 10) == "ZZZZ-ZZZZ-ZZZZ-ZZZZ"
        assert written(bytes(9) + b"\x21") == "0000-0000-0000-0011"

    @given(st.binary(min_size=10, max_size=10))
    def test_each_is_read_again_however_it_is_typed(self, code: bytes) -> None:
        text = written(code)
        assert not set(text) & set("ILOU")
        for typed in (
            text,
            text.lower(),
            text.replace("-", ""),
            f" {text.replace('-', ' ')}\n",
            text.replace("0", "O").replace("1", "l"),
            text.replace("0", "o").replace("1", "I"),
        ):
            assert read(typed) == code


class TestRead:
    @pytest.mark.parametrize(
        "typed",
        [
            "",
            "0000-0000-0000-000",
            "0000-0000-0000-00000",
            "0000-0000-0000-000U",
            "0000-0000-0000-000*",
            "0000–0000–0000–0000",
            "\u0660" * 16,
            "\ud800" * 16,
            pytest.param("0" * 16 + " " * 100_000, id="huge"),
        ],
    )
    def test_another_text_is_none(self, typed: str) -> None:
        assert read(typed) is None
