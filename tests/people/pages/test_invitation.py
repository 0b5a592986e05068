"""The page of an invitation: an account is made, or a place taken, once."""

import asyncio
from html import escape
from urllib.parse import urlencode, urlsplit

import pytest
from structlog.testing import capture_logs

from flatbed.app.demo.browser import Browser, Page
from flatbed.tenants.kit.database.urls import Plain
from tests.api.support import BASE_URL, Isv, World
from tests.people.door import Door, fresh_address
from tests.people.pages.conftest import PASSWORD, Resident, sign_in
from tests.people.pages.others import at_home, browser_at, is_in, stranger

MEMBERS = "SELECT count(*) FROM membership WHERE tenant_id = $1 AND user_id IS NOT NULL"


async def invited(door: Door, isv: Isv, role: str = "viewer", email: str | None = None) -> str:
    """Invite somebody. Returns the path of his link."""
    made = await door.invited(isv, role, email)
    return f"/invitations/{await door.token(made['email'])}"


async def join(browser: Browser, page: Page, **values: str) -> Page:
    """Make an account."""
    return await browser.send(
        page, page.form_with("new"), {"name": "Grace Newcomer", "new": PASSWORD, **values}
    )


async def accept(browser: Browser, page: Page) -> Page:
    """Press the one button."""
    return await browser.send(page, page.forms[0], {})


class TestOpen:
    async def test_it_says_who_invites_whom_as_what_in_both_languages(
        self, world: World, door: Door, browser: Browser
    ) -> None:
        email = fresh_address()
        path = await invited(door, await world.isv(name="Northwind"), "finance", email)
        english = await browser.visit(path)
        assert english.status == 200
        assert "“Northwind” invites you" in english.text
        assert email in english.text
        german = await browser.visit(f"{path}?ui_locales=de")
        assert '<html lang="de">' in german.text
        assert "Northwind" in german.text

    async def test_the_address_is_no_field_that_could_be_another(
        self, world: World, door: Door, browser: Browser, admin_connection: Plain
    ) -> None:
        isv, email = await world.isv(), fresh_address()
        page = await browser.visit(await invited(door, isv, email=email))
        done = await join(browser, page, username="eve@people.example", email="eve@people.example")
        assert done.status == 200
        assert email in done.text
        joined = "SELECT email FROM membership WHERE tenant_id = $1 AND user_id IS NOT NULL"
        assert await admin_connection.fetchval(joined, isv.tenant_id) == email

    async def test_names_are_no_markup(self, world: World, door: Door, browser: Browser) -> None:
        isv = await world.isv(name="<script>alert(1)</script>")
        page = await browser.visit(await invited(door, isv))
        assert "<script" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text
        home = await join(browser, page, name="<img src=x onerror=alert(1)>")
        assert "<img" not in home.text
        assert "&lt;img src=x" in home.text

    async def test_whatever_is_the_reason_that_it_is_gone_the_page_is_one(
        self, world: World, door: Door, browser: Browser, admin_connection: Plain
    ) -> None:
        isv = await world.isv()
        emails = {kind: fresh_address() for kind in ("used", "expired", "revoked")}
        links = {kind: await invited(door, isv, email=email) for kind, email in emails.items()}
        altered = await invited(door, isv)
        links["altered"] = f"{altered[:-1]}{'A' if altered[-1] != 'A' else 'E'}"
        links["unsealed"] = altered.partition(".")[0]
        links["never there"] = "/invitations/inv_00000000000000000000000000.x"
        used = browser_at(world)
        await join(used, await used.visit(links["used"]))
        for kind, change in (
            ("expired", "expires_at = now() - interval '1 second'"),
            ("revoked", "revoked_at = now()"),
        ):
            await admin_connection.execute(
                f"UPDATE invitation SET {change} WHERE realm_id = $1 AND email = $2",
                world.realm_id,
                emails[kind],
            )
        texts = set()
        for kind, path in links.items():
            page = await browser.visit(path)
            assert page.status == 404, kind
            texts.add(page.text.replace(urlsplit(path).path, ""))
        assert len(texts) == 1


class TestJoin:
    async def test_a_new_person_is_signed_in_at_once_as_himself(
        self, world: World, door: Door, browser: Browser
    ) -> None:
        email = fresh_address()
        page = await browser.visit(await invited(door, await world.isv(), email=email))
        done = await join(browser, page)
        assert done.url == f"{BASE_URL}/account"
        assert email in done.text
        assert "Grace Newcomer" in done.text
        # And by the password from then on.
        assert await is_in(await at_home(world, Resident(world, world.realm_id, email)))

    async def test_the_account_speaks_the_pages_language(
        self, world: World, door: Door, browser: Browser
    ) -> None:
        path = await invited(door, await world.isv())
        done = await join(browser, await browser.visit(f"{path}?ui_locales=de"))
        assert '<html lang="de">' in done.text

    async def test_an_owner_of_whom_it_is_asked_gets_his_second_factor_first(
        self, world: World, door: Door, browser: Browser, admin_connection: Plain
    ) -> None:
        isv = await world.isv()
        await ask_owners(admin_connection, world, isv)
        done = await join(browser, await browser.visit(await invited(door, isv, "owner")))
        assert done.url == f"{BASE_URL}/account/second-factor?continue=%2Faccount"
        assert "needs a second factor" in done.text
        # His own pages stay open to him.
        assert await is_in(browser)

    async def test_a_link_is_good_once(
        self, world: World, door: Door, browser: Browser, admin_connection: Plain
    ) -> None:
        isv = await world.isv()
        second = browser_at(world)
        path = await invited(door, isv)
        page, late = await browser.visit(path), await second.visit(path)
        assert (await join(browser, page)).status == 200
        assert (await join(second, late)).status == 404
        assert not await is_in(second)
        assert await admin_connection.fetchval(MEMBERS, isv.tenant_id) == 1

    async def test_of_eight_at_once_one_joins(
        self, world: World, door: Door, admin_connection: Plain
    ) -> None:
        isv, email = await world.isv(), fresh_address()
        path = await invited(door, isv, email=email)
        browsers = [browser_at(world) for _ in range(8)]
        pages = [await one.visit(path) for one in browsers]
        done = await asyncio.gather(*(join(*each) for each in zip(browsers, pages, strict=True)))
        assert sorted(one.status for one in done) == [200, *[404] * 7]
        assert await admin_connection.fetchval(MEMBERS, isv.tenant_id) == 1
        accounts = "SELECT count(*) FROM user_account WHERE email = $1"
        assert await admin_connection.fetchval(accounts, email) == 1
        assert [await is_in(one) for one in browsers].count(True) == 1

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"new": "short"}, "at least 12 characters"),
            ({"new": "x" * 129}, "at most 128 characters"),
            ({"new": "password password"}, "Many would guess that"),
            ({"name": ""}, "Enter a name"),
            ({"name": "x" * 201}, "Enter a name"),
        ],
        ids=["short", "long", "common", "nameless", "name too long"],
    )
    async def test_what_is_not_taken_is_said_and_the_link_stays_good(
        self, world: World, door: Door, browser: Browser, values: dict[str, str], said: str
    ) -> None:
        page = await browser.visit(await invited(door, await world.isv()))
        refused = await join(browser, page, **values)
        assert refused.status == 422
        assert said in refused.text
        assert (await join(browser, refused)).url == f"{BASE_URL}/account"

    async def test_a_form_that_another_site_sends_makes_no_account(
        self, world: World, door: Door, browser: Browser
    ) -> None:
        page = await browser.visit(await invited(door, await world.isv()))
        form = page.form_with("new")
        form.fields["csrf"] = "x" * 43
        sent = {"name": "Grace", "new": PASSWORD}
        assert (await browser.send(page, form, sent)).status == 403
        assert (await join(browser, page)).status == 200

    async def test_no_log_holds_link_password_or_address(
        self, world: World, door: Door, browser: Browser
    ) -> None:
        email = fresh_address()
        path = await invited(door, await world.isv(), email=email)
        with capture_logs() as logs:
            await join(browser, await browser.visit(path))
        assert logs
        for secret in (path.rpartition("/")[2], PASSWORD, email):
            assert secret not in str(logs)


class TestAccept:
    async def test_who_is_signed_in_as_it_presses_one_button(
        self, world: World, door: Door, resident: Resident, admin_connection: Plain
    ) -> None:
        isv, home = await world.isv(), await at_home(world, resident)
        page = await home.visit(await invited(door, isv, email=resident.email))
        done = await accept(home, page)
        assert done.url == f"{BASE_URL}/account"
        assert await admin_connection.fetchval(MEMBERS, isv.tenant_id) == 1
        assert (await home.visit(page.url)).status == 404

    async def test_a_place_that_asks_for_a_second_factor_leads_there(
        self, world: World, door: Door, resident: Resident, admin_connection: Plain
    ) -> None:
        isv, home = await world.isv(), await at_home(world, resident)
        await ask_owners(admin_connection, world, isv)
        page = await home.visit(await invited(door, isv, "owner", resident.email))
        done = await accept(home, page)
        assert done.url == f"{BASE_URL}/account/second-factor?continue=%2Faccount"

    async def test_who_is_not_signed_in_is_sent_to_and_comes_back(
        self, world: World, door: Door, browser: Browser, resident: Resident
    ) -> None:
        path = await invited(door, await world.isv(), email=resident.email)
        page = await browser.visit(path)
        assert "Sign in to accept" in page.text
        assert page.forms == []
        query = urlencode({"continue": path, "login_hint": resident.email})
        assert f'href="/sign-in?{escape(query)}"' in page.text
        back = await sign_in(browser, resident.email, query=f"?{query}")
        assert back.url == f"{BASE_URL}{path}"
        assert (await accept(browser, back)).url == f"{BASE_URL}/account"

    async def test_who_is_signed_in_as_another_is_told_so_and_takes_nothing(
        self, world: World, door: Door, resident: Resident, admin_connection: Plain
    ) -> None:
        isv, eve = await world.isv(), await stranger(world)
        home = await at_home(world, eve)
        page = await home.visit(await invited(door, isv, email=resident.email))
        assert f"You are signed in as {eve.email}" in page.text
        assert page.forms == []
        # He sends the button's form anyway, with his own session's field.
        sessions = await home.visit("/account")
        forged = sessions.forms[0]
        forged.action = urlsplit(page.url).path
        assert (await home.send(sessions, forged, {})).status == 403
        assert await admin_connection.fetchval(MEMBERS, isv.tenant_id) == 0

    async def test_of_eight_presses_one_counts(
        self, world: World, door: Door, resident: Resident, admin_connection: Plain
    ) -> None:
        isv, home = await world.isv(), await at_home(world, resident)
        page = await home.visit(await invited(door, isv, email=resident.email))
        done = await asyncio.gather(*(accept(home, page) for _ in range(8)))
        assert sorted(one.status for one in done) == [200, *[404] * 7]
        assert await admin_connection.fetchval(MEMBERS, isv.tenant_id) == 1

    async def test_the_field_of_another_invitation_accepts_nothing(
        self, world: World, door: Door, resident: Resident, admin_connection: Plain
    ) -> None:
        mine, other = await world.isv(), await world.isv()
        home = await at_home(world, resident)
        page = await home.visit(await invited(door, mine, email=resident.email))
        form = page.forms[0]
        form.action = await invited(door, other, email=resident.email)
        assert (await home.send(page, form, {})).status == 403
        assert await admin_connection.fetchval(MEMBERS, other.tenant_id) == 0


async def ask_owners(admin: Plain, world: World, isv: Isv) -> None:
    """The ISV asks its owners for a second factor."""
    await admin.execute(
        "INSERT INTO sign_in_policy"
        " (realm_id, tenant_id, owners_need_totp, created_at, updated_at)"
        " VALUES ($1, $2, true, now(), now())",
        world.realm_id,
        isv.tenant_id,
    )
