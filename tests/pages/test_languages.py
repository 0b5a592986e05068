"""In which language a page is, and how it is changed."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest

from flatbed.tenants.pages.texts import accepted, chosen
from tests.api.support import World
from tests.people.pages.conftest import settle
from tests.people.pages.visitor import Visitor

_SWITCH = re.compile(r'<a href="([^"]+)" lang="(de|en)" hreflang="(de|en)">')


class TestAccepted:
    """`accepted`."""

    @pytest.mark.parametrize(
        ("header", "language"),
        [
            ("", "en"),
            ("de", "de"),
            ("DE", "de"),
            ("de-AT", "de"),
            ("fr", "en"),
            ("fr, de", "de"),
            ("en, de", "en"),
            ("de, en", "de"),
            ("en;q=0.5, de;q=0.9", "de"),
            ("en; q=0.5, de ; q=0.9", "de"),
            ("en;Q=0.5,de;Q=0.9", "de"),
            ("de;q=0.1, en;q=0.2", "en"),
            ("de;q=0", "en"),
            ("de;q=0, en;q=0", "en"),
            ("de;q=nan, en", "en"),
            ("en, de;q=nan", "en"),
            ("de;q=inf, en;q=1", "en"),
            ("de;q=2, en;q=0.1", "en"),
            ("de;q=-1, en;q=0.1", "en"),
            ("de;q=x", "en"),
            ("de;q=", "en"),
            ("*", "en"),
            ("deutsch", "en"),
            (";;;,,,q=", "en"),
        ],
    )
    def test_the_most_wanted_that_we_speak_else_english(self, header: str, language: str) -> None:
        assert accepted(header) == language


class TestChosen:
    """`chosen`."""

    @pytest.mark.parametrize(
        ("asked", "language"),
        [
            (None, None),
            ("", None),
            ("fr", None),
            ("de", "de"),
            ("fr de en", "de"),
            ("de-CH-1996 en", "de"),
            ("EN-gb", "en"),
            ("de,en", None),
        ],
    )
    def test_the_first_that_we_speak(self, asked: str | None, language: str | None) -> None:
        assert chosen(asked) == language


class TestPage:
    """What is shown."""

    @pytest.mark.parametrize(
        ("header", "query", "language", "title"),
        [
            ("en", "", "en", "Sign in"),
            ("de", "", "de", "Anmelden"),
            ("de", "?ui_locales=en", "en", "Sign in"),
            ("en", "?ui_locales=fr%20de", "de", "Anmelden"),
            ("de", "?ui_locales=fr", "de", "Anmelden"),
        ],
    )
    async def test_the_query_goes_before_the_browsers_wish(
        self, world: World, header: str, query: str, language: str, title: str
    ) -> None:
        page = await Visitor(world.http).get(f"/sign-in{query}", **{"Accept-Language": header})
        assert f'<html lang="{language}">' in page.text
        assert f"<h1>{title}</h1>" in page.text

    async def test_the_accounts_language_stands_between(self, world: World) -> None:
        resident = await settle(world, "de")
        visitor = await Visitor(world.http, sent={"Accept-Language": "en"}).enter(resident)
        assert '<html lang="de">' in (await visitor.get("/account")).text
        assert '<html lang="en">' in (await visitor.get("/account?ui_locales=en")).text

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "anew=1&continue=%2Foauth%2Fauthorize%3Fa%3Db%26c%3Dd%2525&login_hint=a%2Bb%40c.example",
            "anew=&continue=",
            "anew",
            "x=%22%3E%3Cb%3E",
            "ui_locales=fr&anew=1",
        ],
    )
    async def test_the_switch_keeps_the_page_and_its_query(self, world: World, query: str) -> None:
        visitor = Visitor(world.http)
        page = await visitor.get(f"/sign-in?{query}" if query else "/sign-in")
        found = _SWITCH.search(page.text)
        assert found is not None
        assert found[2] == found[3] == "de"
        link = urlsplit(unescape(found[1]))
        assert (link.scheme, link.netloc, link.path) == ("", "", "/sign-in")
        before = [
            pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "ui_locales"
        ]
        after = parse_qsl(link.query, keep_blank_values=True)
        assert after == [*before, ("ui_locales", "de")]
        assert "<b>" not in page.text
        german = await visitor.get(unescape(found[1]))
        assert '<html lang="de">' in german.text

    async def test_refusals_are_in_the_language_too(self, world: World) -> None:
        answer = await Visitor(world.http).get("/sign-in?a=1&a=1&ui_locales=de")
        assert answer.status_code == 400
        assert '<html lang="de">' in answer.text
