"""Signing in at night, without a mouse and with long names, in Chromium."""

import pytest
from playwright.async_api import Browser, Page, expect

from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.pages.texts import LANGUAGES
from tests.browser.desk import Desk, join, register
from tests.support.browser import open_page
from tests.support.residents import PASSWORD, Resident, settle
from tests.support.served import Served

in_both = pytest.mark.parametrize("language", LANGUAGES)


@in_both
class TestSignIn:
    """/sign-in and /sign-in/code in dark colours."""

    async def test_its_pages_at_night(self, desk: Desk, resident: Resident) -> None:
        await resident.second_factor()
        await desk.visit("/sign-in")
        await desk.dark("sign-in")
        await desk.sign_in(resident, "not the password")
        await expect(desk.page.get_by_role("alert")).to_have_text(desk.said("sign_in.wrong"))
        await desk.dark("sign-in-wrong")
        await desk.sign_in(resident)
        await desk.sees("code.title")
        await desk.dark("second-factor")

    async def test_the_longest_names_are_broken_rather_than_scrolled(
        self, desk: Desk, resident: Resident
    ) -> None:
        isv = await desk.served.world.isv(name="Donaudampfschifffahrtsgesellschaft" * 3)
        await join(resident, isv)
        application = await register(desk.served.world, f"A{uuid7().hex}{uuid7().hex}", isv)
        await desk.visit(application.authorize())
        await desk.sign_in(resident)
        await expect(desk.button("consent.allow")).to_be_visible()
        await desk.fits("consent-long")


class TestWithoutAMouse:
    """By keyboard, and with scripts off."""

    async def test_tab_and_enter_are_enough(self, served: Served, browser: Browser) -> None:
        resident = await settle(served.world)
        await resident.second_factor()
        async with open_page(browser, scripts=False) as page:
            await page.goto(f"{served.url}/sign-in")
            keys = page.keyboard
            await expect(page.get_by_label("E-mail address")).to_be_focused()
            await keys.type(resident.email)
            await keys.press("Tab")
            await expect(page.get_by_label("Password")).to_be_focused()
            await keys.type(PASSWORD)
            await keys.press("Tab")
            await expect(page.get_by_role("button", name="Sign in")).to_be_focused()
            await keys.press("Enter")
            await expect(page.get_by_label("Code")).to_be_focused()
            await keys.type(resident.code())
            await keys.press("Enter")
            await expect(page).to_have_url(f"{served.url}/account")

    async def test_the_other_language_keeps_where_he_was_going(
        self, served: Served, page: Page
    ) -> None:
        resident = await settle(served.world, "en")
        await page.goto(f"{served.url}/sign-in?continue=%2Faccount%2Fsessions")
        await page.get_by_role("link", name="Deutsch").click()
        await Desk(page, served, "de").sign_in(resident)
        await expect(page).to_have_url(f"{served.url}/account/sessions")
