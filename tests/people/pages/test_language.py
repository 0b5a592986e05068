"""The language that a person is answered in, and the style sheet."""

import pytest

from flatbed.tenants.pages.pages import STYLE_PATH
from tests.api.support import World
from tests.people.pages.visitor import Visitor, enter
from tests.support.residents import Resident

PLACE = "/account"


@pytest.fixture
def visitor(world: World) -> Visitor:
    return Visitor(world.http)


class TestLanguage:
    async def test_the_accounts_own_comes_before_the_browsers_and_after_what_is_asked(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await enter(visitor, resident.email)
        german = {"Accept-Language": "de"}
        assert '<html lang="en">' in (await visitor.get(PLACE, **german)).text
        await visitor.fill(PLACE, {"name": "Ada", "locale": "de"})
        assert '<html lang="de">' in (await visitor.get(PLACE)).text
        assert '<html lang="en">' in (await visitor.get("/account?ui_locales=en")).text

    async def test_no_other_is_taken(self, visitor: Visitor, resident: Resident) -> None:
        await enter(visitor, resident.email)
        assert (await visitor.fill(PLACE, {"name": "Ada", "locale": "fr"})).status_code == 422


class TestStyle:
    async def test_it_is_kept_for_ever_under_a_name_of_its_content(self, visitor: Visitor) -> None:
        answer = await visitor.get(STYLE_PATH)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/css")
        assert "immutable" in answer.headers["cache-control"]
        assert STYLE_PATH in (await visitor.get("/sign-in")).text
        for other in ("flatbed.css", "flatbed-0000000000000000.css", "..%2Fpages.py"):
            assert (await visitor.get(f"/assets/{other}")).status_code == 404
