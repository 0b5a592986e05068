"""What people are told."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.tenants.mail.port import Language, Message, Notice
from flatbed.tenants.mail.texts import (
    LONGEST_NAME,
    invitation,
    notice,
    one_line,
    password_reset,
)

LINK = "https://flatbed.example/invitations/inv_01h455vb4pex5vsknk084sn02q.abc"
LANGUAGES: tuple[Language, ...] = ("en", "de")


def every(language: Language) -> list[Message]:
    return [
        invitation("a@x.example", language, organization="Northwind", link=LINK, days=7),
        password_reset("a@x.example", language, link=LINK, minutes=30),
        *(notice(kind, "a@x.example", language, link=LINK) for kind in get_args(Notice)),
    ]


class TestTexts:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_a_link_stands_on_a_line_of_its_own(self, language: Language) -> None:
        for message in every(language):
            assert message.text.split("\n").count(LINK) == 1
            assert message.text.count("http") == 1

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_all_is_filled_in_and_nothing_is_markup(self, language: Language) -> None:
        for message in every(language):
            assert not set("{}<>") & set(message.subject + message.text)
            assert message.language == language

    def test_the_languages_differ(self) -> None:
        for english, german in zip(every("en"), every("de"), strict=True):
            assert english.subject != german.subject
            assert (english.text[:5], german.text[:5]) == ("Hello", "Guten")

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_no_two_say_the_same(self, language: Language) -> None:
        found = every(language)
        assert len({one.subject for one in found}) == len({one.text for one in found}) == 6

    @pytest.mark.parametrize(
        ("language", "days", "lasts"),
        [
            ("en", 7, "for 7 days."),
            ("en", 1, "for 1 day."),
            ("de", 7, "7 Tage lang."),
            ("de", 1, "1 Tag lang."),
        ],
    )
    def test_an_invitation_says_from_whom_how_long_and_what_else_to_do(
        self, language: Language, days: int, lasts: str
    ) -> None:
        found = invitation("a@x.example", language, organization="Nord", link=LINK, days=days)
        assert found.kind == "invitation"
        assert "Nord" in found.subject
        assert "Nord" in found.text
        assert lasts in found.text
        assert {"en": "do nothing", "de": "tun Sie nichts"}[language] in found.text

    @pytest.mark.parametrize(
        ("language", "lasts", "nothing"),
        [("en", "for 30 minutes.", "do nothing"), ("de", "30 Minuten lang.", "tun Sie nichts")],
    )
    def test_a_reset_says_how_long_and_what_else_to_do(
        self, language: Language, lasts: str, nothing: str
    ) -> None:
        found = password_reset("a@x.example", language, link=LINK, minutes=30)
        assert (found.kind, lasts in found.text) == ("password-reset", True)
        assert nothing in found.text


class TestNames:
    @pytest.mark.parametrize(
        ("name", "line"),
        [
            ("Nord & Söhne GmbH", "Nord & Söhne GmbH"),
            ("Evil\r\nBcc: eve@evil.example", "Evil Bcc: eve@evil.example"),
            ("a\u2028b\u2029c\x85d\x00e\x1bf", "a b c d e f"),
            ("\u202egro.live\u202c", "gro.live"),
            ("{link} {0}", "{link} {0}"),
            ("  a   b  ", "a b"),
            ("", ""),
            ("x" * 81, "x" * 79 + "…"),
        ],
    )
    def test_a_name_is_one_line(self, name: str, line: str) -> None:
        assert one_line(name) == line
        found = invitation("a@x.example", "en", organization=name, link=LINK, days=7)
        assert f'"{line}" invites you' in found.text

    @given(st.text(max_size=200))
    def test_whatever_it_holds(self, name: str) -> None:
        line = one_line(name)
        assert len(line) <= LONGEST_NAME
        assert len(f"a{line}b".splitlines()) == 1
        usual = invitation("a@x.example", "en", organization="N", link=LINK, days=7)
        found = invitation("a@x.example", "en", organization=name, link=LINK, days=7)
        assert found.text.count("\n") == usual.text.count("\n")
        assert "\n" not in found.subject
