"""Signing in and letting an application in, as people see it: in Chromium, in both languages."""

import pytest
from playwright.async_api import Browser, Page, expect

from flatbed.tenants.pages.texts import LANGUAGES
from tests.browser.desk import STATE, Desk, join, register, usual
from tests.support.browser import open_page
from tests.support.residents import PASSWORD, Resident, settle
from tests.support.served import Served

ISV = "Nordwind Software GmbH"
APPLICATION = "Partner Desk"
DENIED = "access_denied"
in_both = pytest.mark.parametrize("language", LANGUAGES)


@in_both
class TestSignIn:
    """GET and POST /sign-in, /sign-in/code."""

    async def test_its_pages(self, desk: Desk, resident: Resident) -> None:
        await resident.second_factor()
        await desk.visit("/sign-in")
        await desk.sees("sign_in.title")
        await expect(desk.field("sign_in.email")).to_be_focused()
        await desk.look("sign-in")
        await desk.sign_in(resident, "not the password")
        await expect(desk.page.get_by_role("alert")).to_have_text(desk.said("sign_in.wrong"))
        await expect(desk.field("sign_in.password")).to_be_focused()
        await desk.look("sign-in-wrong")
        await desk.sign_in(resident)
        await desk.sees("code.title")
        await expect(desk.field("code.code")).to_be_focused()
        await desk.look("second-factor")
        await desk.field("code.code").fill("12345")
        await desk.button("code.go").click()
        await expect(desk.page.get_by_role("alert")).to_have_text(desk.said("code.wrong"))
        await desk.look("second-factor-wrong")
        await desk.field("code.code").fill(resident.code())
        await desk.button("code.go").click()
        await desk.sees("account.title")
        await desk.visit("/sign-in?anew=1&continue=/account/sessions")
        await expect(desk.page.get_by_text(desk.said("sign_in.anew"))).to_be_visible()
        await desk.look("sign-in-anew")


@in_both
class TestRefusals:
    """What leads nowhere: no page of ours, and no request that may be answered elsewhere."""

    async def test_its_pages(self, desk: Desk) -> None:
        await desk.visit("/invitations/no-such-link")
        await desk.sees("refused.title")
        await expect(desk.page.get_by_role("alert")).to_have_text(desk.said("refused.missing"))
        await desk.look("refused")
        application = await register(desk.served.world, APPLICATION)
        await desk.visit(application.authorize(redirect_uri="https://thief.example/"))
        await desk.sees("unanswerable.title")
        alarm = desk.page.get_by_role("alert")
        await expect(alarm).to_have_text(desk.said("unanswerable.redirect_uri"))
        await desk.look("authorize-error")


@in_both
class TestConsent:
    """GET and POST /oauth/authorize, /account/applications."""

    async def test_who_is_let_in_is_listed_and_loses_access_at_once_when_it_is_ended(
        self, desk: Desk, resident: Resident
    ) -> None:
        isv = await desk.served.world.isv(name=ISV)
        await join(resident, isv)
        application = await register(desk.served.world, APPLICATION, isv)
        await desk.visit(application.authorize())
        await desk.sign_in(resident)
        await desk.sees("consent.heading", name=APPLICATION)
        for words in (ISV, resident.email, desk.said("scope.orders:write"), "application.example"):
            await expect(desk.page.get_by_role("main")).to_contain_text(words)
        await desk.look("consent")
        await desk.dark("consent")
        await desk.fits("consent")
        told = await desk.handed_on(desk.button("consent.allow").click())
        token = await application.redeem(usual(told, desk.served.url))
        assert (await token.get("/v1/campaigns")).status_code == 200

        await desk.visit("/account/applications")
        await desk.sees("applications.title")
        await expect(desk.page.get_by_role("heading", name=APPLICATION)).to_be_visible()
        await desk.look("applications")
        await desk.dark("applications")
        await desk.button("applications.end", name=APPLICATION).click()
        await expect(desk.page.get_by_text(desk.said("applications.none"))).to_be_visible()
        assert (await token.get("/v1/campaigns")).status_code == 401
        await desk.look("applications-none")

    async def test_who_has_several_places_chooses_one(self, desk: Desk, resident: Resident) -> None:
        world = desk.served.world
        first, second = await world.isv(name=ISV), await world.isv(name="Südwind AG")
        await join(resident, first)
        await join(resident, second, "viewer")
        application = await register(world, APPLICATION)
        await desk.visit(application.authorize())
        await desk.sign_in(resident)
        await expect(
            desk.page.get_by_role("group", name=desk.said("consent.places"))
        ).to_be_visible()
        await desk.look("consent-places")
        await desk.dark("consent-places")
        await desk.fits("consent-places")
        await desk.button("consent.allow").click()
        await desk.sees("consent.heading", name=APPLICATION)
        await desk.page.get_by_label("Südwind AG").check()
        told = await desk.handed_on(desk.button("consent.allow").click())
        token = await application.redeem(usual(told, desk.served.url))
        # A viewer's: the owner's place would have brought the right to order as well.
        assert "orders:write" not in token.scopes
        assert (await token.get("/v1/campaigns")).status_code == 200


class TestKeyboard:
    """Without a mouse."""

    async def test_signing_in_and_letting_in(self, served: Served, page: Page) -> None:
        resident, isv = await settle(served.world), await served.world.isv(name=ISV)
        await join(resident, isv)
        application, desk = await register(served.world, APPLICATION, isv), Desk(page, served, "en")
        await desk.visit(application.authorize())
        # The first field gets the focus: nobody need look for it.
        await expect(desk.field("sign_in.email")).to_be_focused()
        await page.keyboard.type(resident.email)
        await page.keyboard.press("Tab")
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await desk.sees("consent.heading", name=APPLICATION)
        allow = desk.button("consent.allow")
        for _ in range(5):
            await page.keyboard.press("Tab")
            if await allow.evaluate("one => one === document.activeElement"):
                break
        await expect(allow).to_be_focused()
        outline = await allow.evaluate("one => getComputedStyle(one).outlineStyle")
        assert outline == "solid"
        assert usual(await desk.handed_on(page.keyboard.press("Enter")), served.url)


class TestWithoutScripts:
    """Where a browser runs none."""

    async def test_from_signing_in_to_the_application(
        self, served: Served, browser: Browser
    ) -> None:
        resident, isv = await settle(served.world), await served.world.isv(name=ISV)
        await join(resident, isv)
        application = await register(served.world, APPLICATION, isv)
        async with open_page(browser, scripts=False) as page:
            desk = Desk(page, served, "en")
            await desk.visit(application.authorize())
            await desk.sign_in(resident)
            await desk.sees("consent.heading", name=APPLICATION)
            told = await desk.handed_on(desk.button("consent.deny").click())
            assert (told["error"], told["state"], told["iss"]) == (DENIED, STATE, served.url)
            await desk.visit(application.authorize())
            told = await desk.handed_on(desk.button("consent.allow").click())
            token = await application.redeem(usual(told, served.url))
            assert (await token.get("/v1/campaigns")).status_code == 200
            await desk.visit("/account/applications")
            await desk.button("applications.end", name=APPLICATION).click()
            await expect(page.get_by_text(desk.said("applications.none"))).to_be_visible()
