"""The account's first page: who one is here, and where it leads."""

import pytest

from flatbed.app.demo.browser import Browser, Page
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import encode, uuid7
from tests.api.support import BASE_URL, World
from tests.people.pages.conftest import PASSWORD, Resident
from tests.people.pages.others import at_home, browser_at, is_in, stranger


@pytest.fixture
async def home(world: World, resident: Resident) -> Browser:
    return await at_home(world, resident)


async def change(home: Browser, **values: str) -> Page:
    page = await home.visit("/account")
    return await home.send(page, page.form_with("name"), {"locale": "en", **values})


class TestShow:
    async def test_it_leads_to_everything_of_the_account(
        self, home: Browser, resident: Resident
    ) -> None:
        page = await home.visit("/account")
        assert resident.email in page.text
        for path in ("sessions", "second-factor", "password", "applications"):
            assert f'href="/account/{path}"' in page.text
            assert (await home.visit(f"/account/{path}")).url == f"{BASE_URL}/account/{path}"
        assert any(form.action == "/sign-out" for form in page.forms)

    @pytest.mark.parametrize(
        "path", ["/account", "/account/sessions", "/account/second-factor", "/account/password"]
    )
    async def test_who_is_not_signed_in_signs_in_first_and_comes_back(
        self, world: World, resident: Resident, path: str
    ) -> None:
        browser = browser_at(world)
        page = await browser.visit(path)
        assert "/sign-in?continue=" in page.url
        assert resident.email not in page.text
        form = page.form_with("password")
        sent = {
            "email": resident.email,
            "password": PASSWORD,
        }
        assert (await browser.send(page, form, sent)).url == f"{BASE_URL}{path}"


class TestChange:
    async def test_name_and_language_are_kept(self, home: Browser) -> None:
        page = await change(home, name="  Ada Lovelace ", locale="de")
        assert page.status == 200
        assert 'value="Ada Lovelace"' in page.text
        assert '<html lang="de">' in page.text
        assert "Gespeichert" in page.text

    async def test_it_is_of_nobody_else(self, world: World, home: Browser) -> None:
        eve = await at_home(world, await stranger(world))
        await change(home, name="Ada Lovelace")
        assert 'value="Eve"' in (await eve.visit("/account")).text

    async def test_the_address_stays_whatever_the_form_says(
        self, home: Browser, resident: Resident
    ) -> None:
        page = await change(home, name="Ada", email="eve@people.example")
        assert resident.email in page.text
        assert "eve@people.example" not in page.text

    async def test_a_name_is_no_markup(self, home: Browser) -> None:
        page = await change(home, name='"><script>alert(1)</script>{{ 7 * 7 }}')
        assert "<script" not in page.text
        assert "&#34;&gt;&lt;script&gt;" in page.text
        assert "{{ 7 * 7 }}" in page.text

    @pytest.mark.parametrize(
        "values",
        [{"name": ""}, {"name": " "}, {"name": "x" * 201}, {"name": "Ada", "locale": "fr"}],
        ids=["empty", "blank", "long", "language"],
    )
    async def test_what_is_not_taken_changes_nothing(
        self, home: Browser, values: dict[str, str]
    ) -> None:
        page = await change(home, **values)
        assert page.status == 422
        assert 'role="alert"' in page.text
        assert 'value="Ada Person"' in (await home.visit("/account")).text


class TestSignOut:
    async def test_the_button_signs_this_browser_out(
        self, world: World, home: Browser, resident: Resident
    ) -> None:
        other = await at_home(world, resident)
        page = await home.visit("/account")
        [form] = [one for one in page.forms if one.action == "/sign-out"]
        assert (await home.send(page, form, {})).url == f"{BASE_URL}/sign-in"
        assert not await is_in(home)
        assert await is_in(other)


class TestEndSession:
    @pytest.mark.parametrize("which", ["another's", "nobody's", "malformed", "of another kind"])
    async def test_an_id_that_is_not_ones_own_signs_nobody_out(
        self,
        world: World,
        home: Browser,
        resident: Resident,
        admin_connection: Plain,
        which: str,
    ) -> None:
        # With a second browser the page has a form.
        second, eve = await at_home(world, resident), await stranger(world)
        hers = await at_home(world, eve)
        id_ = await admin_connection.fetchval(
            "SELECT id FROM user_session WHERE user_id = $1", eve.user_id
        )
        sent = {
            "another's": encode("ses", id_),
            "nobody's": encode("ses", uuid7()),
            "malformed": "ses_x",
            "of another kind": encode("usr", id_),
        }[which]
        page = await home.visit("/account/sessions")
        refused = await home.send(page, page.form_with("session"), {"session": sent})
        assert refused.status == 404
        assert [await is_in(one) for one in (hers, home, second)] == [True] * 3
