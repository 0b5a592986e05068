"""The catalogues hold the same texts, and every text that a page asks for."""

import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from flatbed.tenants.access.scopes import IDENTITY_SCOPES, SCOPES
from flatbed.tenants.organizations.schemas import StaffRole
from flatbed.tenants.pages.pages import FOLDER
from flatbed.tenants.pages.texts import LANGUAGES, TEXTS, accepted, chosen, text
from flatbed.tenants.people.members.schemas import MemberRole
from flatbed.tenants.people.rules.passwords import Weakness

SOURCES = Path(__file__).parents[2] / "flatbed" / "tenants"
ASKED = re.compile(r"""\bt\(\s*"([a-z_]+\.[\w:.-]+)"(?! ~)""")
GROUPS = "|".join({key.partition(".")[0] for key in TEXTS["en"]})
NAMED = re.compile(rf'"((?:{GROUPS})\.[a-z_]+)"')
PREFIXES = {"role", "staff", "scope", "weak", "unanswerable"}
"""Their keys are made of a word that comes from elsewhere."""


def used() -> Iterator[str]:
    for file in (FOLDER / "templates").iterdir():
        yield from NAMED.findall(file.read_text(encoding="utf-8"))
        yield from ASKED.findall(file.read_text(encoding="utf-8"))
    for folder in ("pages", "people/pages"):
        for file in (SOURCES / folder).glob("*.py"):
            found = NAMED.findall(file.read_text(encoding="utf-8"))
            yield from (name for name in found if not name.endswith(".html"))


def made() -> Iterator[str]:
    yield from (f"weak.{weakness}" for weakness in Weakness)
    yield from (f"role.{role}" for role in get_args(MemberRole))
    yield from (f"staff.{role}" for role in get_args(StaffRole))
    yield from (f"scope.{scope}" for scope in {*SCOPES, *IDENTITY_SCOPES})


class TestCatalogues:
    def test_both_have_the_same_keys(self) -> None:
        assert set(TEXTS["en"]) == set(TEXTS["de"])
        assert len(TEXTS["en"]) > 100

    def test_no_text_is_empty_or_the_same_places_short(self) -> None:
        for key in TEXTS["en"]:
            places = [
                {name for _, name, _, _ in string.Formatter().parse(TEXTS[language][key]) if name}
                for language in LANGUAGES
            ]
            assert places[0] == places[1], key
            assert all(TEXTS[language][key].strip() for language in LANGUAGES), key

    def test_every_key_that_is_used_is_there(self) -> None:
        found = {*used(), *made()}
        assert len(found) > 100
        assert found - set(TEXTS["en"]) == set()

    def test_every_key_that_is_there_is_used(self) -> None:
        found = {*used(), *made()}
        unused = {key for key in TEXTS["en"] if key.partition(".")[0] not in PREFIXES} - found
        assert unused == set()


class TestLanguage:
    @pytest.mark.parametrize(
        ("asked", "language"),
        [("de", "de"), ("fr de-AT en", "de"), ("en-GB", "en"), ("fr", None), ("", None)],
    )
    def test_ui_locales_names_the_first_that_we_speak(
        self, asked: str, language: str | None
    ) -> None:
        assert chosen(asked) == language

    @pytest.mark.parametrize(
        ("header", "language"),
        [
            ("de", "de"),
            ("fr, de;q=0.8, en;q=0.9", "en"),
            ("en;q=0, de;q=0.1", "de"),
            ("de;q=x", "en"),
            ("de;q=nan", "en"),
            ("*", "en"),
            ("", "en"),
        ],
    )
    def test_accept_language_names_the_one_that_is_wanted_most(
        self, header: str, language: str
    ) -> None:
        assert accepted(header) == language

    def test_a_value_is_text_and_no_format(self) -> None:
        found = text("en", "consent.heading", name="{0.__class__} %s")
        assert "{0.__class__} %s" in found
