"""Recovery codes: ten, shown once, each good once, for one person."""

import asyncio
import re

import pytest
from structlog.testing import capture_logs

from flatbed.app.demo.browser import Browser, Page
from flatbed.tenants.kit.database.urls import Plain
from tests.api.support import BASE_URL, World
from tests.people.pages.conftest import Resident, sign_in
from tests.people.pages.others import at_home, browser_at, is_in, stranger

PLACE = "/account/second-factor"
_CODE = re.compile(r"<li><code>([^<]+)</code></li>")
_SECRET = re.compile(r"<code>([A-Z2-7]{32})</code>")

_HIS = (
    "SELECT a::text AS text FROM user_account a WHERE id = $1",
    "SELECT r::text AS text FROM recovery_code r WHERE user_id = $1",
    "SELECT s::text AS text FROM user_session s WHERE user_id = $1",
)


async def act(browser: Browser, page: Page, act: str, **values: str) -> Page:
    """Press one of the page's buttons."""
    [form] = [one for one in page.forms if ("act", act) in one.buttons]
    return await browser.send(page, form, values, ("act", act))


async def enrolled(home: Browser, person: Resident, query: str = "") -> list[str]:
    """Get a second factor. Returns the codes that are shown."""
    page = await home.visit(f"{PLACE}{query}")
    found = _SECRET.search(page.text)
    assert found is not None, page.text
    person.secret = found[1]
    shown = await act(home, page, "enrol", code=person.code())
    assert shown.status == 200
    return _CODE.findall(shown.text)


async def enters(world: World, person: Resident, code: str) -> bool:
    """Whether password and code sign the person in."""
    browser = browser_at(world)
    page = await sign_in(browser, person.email)
    await browser.send(page, page.form_with("code"), {"code": code})
    return await is_in(browser)


@pytest.fixture
async def home(world: World, resident: Resident) -> Browser:
    return await at_home(world, resident)


class TestShown:
    async def test_ten_different_ones_and_never_again(
        self, home: Browser, resident: Resident
    ) -> None:
        codes = await enrolled(home, resident)
        assert len(set(codes)) == 10
        for path in ("/account", PLACE, "/account/sessions", "/account/password"):
            page = await home.visit(path)
            assert page.status == 200
            assert not any(code in page.text for code in codes)

    async def test_no_log_and_no_row_of_his_holds_one(
        self, home: Browser, resident: Resident, admin_connection: Plain
    ) -> None:
        with capture_logs() as logs:
            codes = await enrolled(home, resident)
        rows = [
            row["text"]
            for sql in _HIS
            for row in await admin_connection.fetch(sql, resident.user_id)
        ]
        assert logs
        assert len(rows) >= 12
        written = f"{logs}{rows}"
        assert resident.secret is not None
        for secret in (*codes, resident.secret):
            bare = secret.replace("-", "")
            assert secret not in written
            assert bare not in written
            assert bare.encode().hex() not in written


class TestUsed:
    async def test_each_is_good_once(self, world: World, home: Browser, resident: Resident) -> None:
        codes = await enrolled(home, resident)
        assert await enters(world, resident, codes[0])
        assert not await enters(world, resident, codes[0])
        assert await enters(world, resident, codes[1].lower())

    async def test_of_eight_at_once_one_is_let_in(
        self, world: World, home: Browser, resident: Resident
    ) -> None:
        codes = await enrolled(home, resident)
        browsers = [browser_at(world) for _ in range(8)]
        pages = [await sign_in(one, resident.email) for one in browsers]
        done = await asyncio.gather(
            *(
                one.send(page, page.form_with("code"), {"code": codes[0]})
                for one, page in zip(browsers, pages, strict=True)
            )
        )
        assert [page.url for page in done].count(f"{BASE_URL}/account") == 1
        assert [await is_in(one) for one in browsers].count(True) == 1

    async def test_another_persons_is_not_taken(
        self, world: World, home: Browser, resident: Resident
    ) -> None:
        eve = await stranger(world)
        hers = await enrolled(await at_home(world, eve), eve)
        await enrolled(home, resident)
        assert not await enters(world, resident, hers[0])
        assert await enters(world, eve, hers[0])

    async def test_one_that_signed_in_makes_no_new_ones(
        self, home: Browser, resident: Resident
    ) -> None:
        codes = await enrolled(home, resident)
        page = await home.visit(PLACE)
        assert len(_CODE.findall((await act(home, page, "renew", code=codes[0])).text)) == 10
        again = await act(home, await home.visit(PLACE), "renew", code=codes[0])
        assert again.status == 422
        assert _CODE.findall(again.text) == []

    async def test_of_eight_that_renew_with_one_code_one_sees_new_ones(
        self, world: World, home: Browser, resident: Resident
    ) -> None:
        codes = await enrolled(home, resident)
        page = await home.visit(PLACE)
        done = await asyncio.gather(*(act(home, page, "renew", code=codes[0]) for _ in range(8)))
        shown = [found for one in done if (found := _CODE.findall(one.text))]
        assert len(shown) == 1
        assert await enters(world, resident, shown[0][9])
