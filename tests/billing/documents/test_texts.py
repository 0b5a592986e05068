"""Texts of others on their way into a file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from flatbed.billing.documents.texts import (
    LONGEST_WORD,
    breakable,
    last_part,
    line_text,
    no_formula,
    xml_text,
)

ANYTHING = st.text(alphabet=st.characters(codec=None, categories=None))


class TestXmlText:
    @given(ANYTHING)
    def test_xml_takes_what_is_left(self, text: str) -> None:
        node = etree.Element("a")
        node.text = xml_text(text)
        assert (etree.fromstring(etree.tostring(node)).text or "") == xml_text(text)

    def test_only_what_xml_forbids_goes(self) -> None:
        assert xml_text("a\x00\x1f\ud800\ufffe\tb😀<&>\u202e") == "a\tb😀<&>\u202e"


class TestLineText:
    def test_it_is_one_line_that_turns_nothing(self) -> None:
        assert line_text(" a\r\n\tb \u202ec\u2067d ") == "a b cd"


class TestBreakable:
    @given(ANYTHING)
    def test_it_changes_nothing_but_where_lines_may_break(self, text: str) -> None:
        plain = line_text(text).replace("\u200b", "")
        made = breakable(text)
        assert made.replace("\u200b", "") == plain
        longest = max((len(word) for word in made.replace("\u200b", " ").split()), default=0)
        assert longest <= LONGEST_WORD

    def test_words_stay_whole(self) -> None:
        assert breakable("Donaudampfschifffahrt use_01h455vb4pex5vsknk084sn02q") == (
            "Donaudampfschifffahrt use_01h455vb4pex5vsknk084sn02q"
        )


class TestNoFormula:
    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
    def test_what_starts_a_formula_gets_an_apostrophe(self, start: str) -> None:
        assert no_formula(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"
        assert no_formula(f"a{start}b") == f"a{start}b"


class TestLastPart:
    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("https://a.example/v1/qualifications/qual_1", "qual_1"),
            ("https://a.example/v1/qual_1/?x=/y", "qual_1"),
            ("https://a.example", "a.example"),
        ],
    )
    def test_it_names_the_dossier(self, url: str, name: str) -> None:
        assert last_part(url) == name
