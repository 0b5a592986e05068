"""Which passwords are taken."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.tenants.people.rules.passwords import (
    LONGEST,
    LONGEST_RAW,
    Weakness,
    judge,
    normal,
)

EMAIL = "kim.doerfler@nordwind.example"
GOOD = "correct horse battery"


def wide(text: str) -> str:
    """The same as full-width characters, which an input method may type."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


def weakness(password: str, email: str = EMAIL) -> Weakness | None:
    return judge(password, email=email)


class TestLength:
    @pytest.mark.parametrize(
        ("password", "found"),
        [
            ("", Weakness.SHORT),
            ("kR7#tq2!mZp", Weakness.SHORT),
            ("kR7#tq2!mZpw", None),
            ("Käsebrötchen", None),
            (GOOD + "§" * 107, None),
            (GOOD + "§" * 108, Weakness.LONG),
            pytest.param("x" * 100_000, Weakness.LONG, id="huge"),
        ],
    )
    def test_twelve_to_128_characters(self, password: str, found: Weakness | None) -> None:
        assert weakness(password) == found

    def test_characters_are_counted_after_normalisation(self) -> None:
        # Eleven characters, typed as twelve; six ligatures that are eighteen letters.
        assert weakness(unicodedata.normalize("NFD", "Käsebrotkru")) is Weakness.SHORT
        assert len("ﬃ" * 4) < 12 <= len(unicodedata.normalize("NFKC", "ﬃ" * 4))
        assert weakness("kRtqmZp" + "ﬃ" * 3) is None


class TestReadable:
    @pytest.mark.parametrize("letter", ["\ud800", "\u0378"])
    def test_what_has_no_bytes_or_no_lasting_spelling_is_not_taken(self, letter: str) -> None:
        assert weakness(f"correct horse{letter} battery") is Weakness.UNREADABLE


class TestNormal:
    def test_one_password_however_it_is_typed(self) -> None:
        composed = "Käsebrötchen Å ﬁ"
        assert normal(unicodedata.normalize("NFD", composed)) == normal(composed)
        assert normal(wide("FLAT") + " bed") == "FLAT bed"

    def test_case_and_spaces_count(self) -> None:
        assert normal("Aa bB ") == "Aa bB "

    @pytest.mark.parametrize("password", ["a\ud800b" * 6, "a\u0378b" * 6, "x" * (LONGEST_RAW + 1)])
    def test_what_can_be_nobodys_has_none(self, password: str) -> None:
        assert normal(password) is None

    @given(st.text(max_size=600))
    def test_whatever_is_taken_has_bytes_and_is_its_own_normal_form(self, password: str) -> None:
        if judge(password) is None:
            spelt = normal(password)
            assert spelt is not None
            assert normal(spelt) == spelt
            assert 12 <= len(spelt) <= LONGEST
            assert spelt.encode()


class TestCommon:
    @pytest.mark.parametrize(
        "password",
        [
            "aaaaaaaaaaaa",
            "abababababab",
            "abcabcabcabc",
            "Sommer1!Sommer1!",
            "kR7#tq2!kR7#tq2!",
            "123456789012",
            "098765432109",
            "abcdefghijkl",
            "qwertzuiopü+",
            "qwertyuiop[]",
            "QWERTZqwertz1",
            "asdfghjkl123",
            "yxcvbnm12345",
            "1q2w3e4r5t6z",
            "1qay2wsx3edc",
            "1qaz2wsx3edc",
            "qwerty123456",
            "passwort123456",
            "Passwort2026!",
            "P@ssw0rd1234",
            "pa$$word12345",
            "Willkommen2026",
            "Sommer2026!!",
            "iloveyou1234",
            "administrator",
            "flatbedflatbed1",
            "Flatbed2026!!",
            "fl4tb3d-2026-",
            "kim.doerfler1",
            "doerfler2026!",
            "nordwind12345",
            "Nordwind-Flatbed",
            EMAIL,
            EMAIL.upper(),
            wide("passwort123456"),
        ],
    )
    def test_the_first_guesses_are_not_taken(self, password: str) -> None:
        assert weakness(password) is Weakness.COMMON

    @pytest.mark.parametrize(
        "password",
        [
            GOOD,
            "Das Passwort ist lang",
            "drei Hasen im Keller",
            "kR7#tq2!mZpw",
            "482915730266",
            "tr0ub4dor&3x",
            "мой любимый пароль",
            "一二三四五六七八九十百千",
            "flatbed ist mein Lkw",
        ],
    )
    def test_others_are(self, password: str) -> None:
        assert weakness(password) is None

    def test_an_address_says_nothing_of_another_person(self) -> None:
        assert weakness("doerfler2026!", "a@b.example") is None

    def test_short_parts_of_an_address_forbid_nothing(self) -> None:
        assert weakness("kRtqmZpwvbnj", "k@t.example") is None
