"""How an e-mail address is spelt where it is stored and compared."""

import pytest

from flatbed.tenants.people.addresses import normal


class TestNormal:
    @pytest.mark.parametrize(
        ("text", "stored"),
        [
            ("Kim.Doe@Isv.Example", "kim.doe@isv.example"),
            ("kim@XN--BCHER-KVA.example", "kim@bücher.example"),
            ("\uff2bim@isv.example", "\uff4bim@isv.example"),
            ("jose\u0301@isv.example", "jos\u00e9@isv.example"),
            ("kim+tag@isv.example", "kim+tag@isv.example"),
        ],
    )
    def test_it_is_one(self, text: str, stored: str) -> None:
        assert normal(text) == stored
        assert normal(stored) == stored

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "kim",
            "kim@",
            "@isv.example",
            "kim@isv",
            "kim@isv.example\r\nBcc: x@y.example",
            "a@b.example,c@d.example",
            "kim@isv.example\x00",
            "\ud800@isv.example",
            "x" * 300 + "@isv.example",
        ],
    )
    def test_other_texts_are_none(self, text: str) -> None:
        assert normal(text) is None
