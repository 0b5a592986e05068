"""The pages of an account, and the two links that mails bring, in Chromium and both languages."""

import re

import pytest
from playwright.async_api import Browser, expect
from pyotp import TOTP

from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.pages.texts import LANGUAGES, NAMES
from flatbed.tenants.people.links import INVITATION, PASSWORD_RESET, link
from tests.browser.desk import Desk
from tests.people.door import Door, fresh_address
from tests.support.browser import open_page
from tests.support.residents import PASSWORD, Resident, settle

pytestmark = pytest.mark.parametrize("language", LANGUAGES)

NEW = "a bicycle under seven lemons"  # pragma: allowlist secret - made up
SHORT = "lemons"
SINCE = {
    "en": re.compile(r"Signed in \d{1,2} [A-Z][a-z]{2,3} \d{4}, "),
    "de": re.compile(r"Angemeldet \d{1,2}\. [A-Z]"),
}
_RESET = "SELECT id FROM password_reset WHERE user_id = $1"


async def alarmed(desk: Desk, key: str) -> None:
    """The page says loudly what is wrong."""
    await expect(desk.page.get_by_role("alert")).to_have_text(desk.said(key))


async def informed(desk: Desk, key: str) -> None:
    """The page says what was done."""
    await expect(desk.page.get_by_role("status")).to_have_text(desk.said(key))


class TestAccount:
    """GET and POST /account, /account/sessions, /account/password."""

    async def test_its_pages(self, desk: Desk, resident: Resident, browser: Browser) -> None:
        async with open_page(browser) as elsewhere:
            other = Desk(elsewhere, desk.served, "en")
            await other.visit("/sign-in")
            await other.sign_in(resident)
            await expect(elsewhere.get_by_role("navigation")).to_be_visible()

            await desk.visit("/account")
            await desk.sign_in(resident)
            await desk.sees("account.title")
            await desk.look("account")
            await desk.field("account.name").fill("Ada Other")
            await desk.button("account.save").click()
            await informed(desk, "account.saved")
            await expect(desk.field("account.name")).to_have_value("Ada Other")
            await desk.look("account-saved")
            (name,) = set(LANGUAGES) - {desk.language}
            changed = Desk(desk.page, desk.served, name)
            await desk.field("account.language").select_option(NAMES[name])
            await desk.button("account.save").click()
            await changed.sees("account.title")
            await changed.field("account.language").select_option(NAMES[desk.language])
            await changed.button("account.save").click()

            await desk.page.get_by_role("link", name=desk.said("sessions.title")).click()
            await desk.sees("sessions.title")
            await expect(desk.page.get_by_role("listitem").first).to_contain_text(
                SINCE[desk.language]
            )
            await desk.look("sessions")
            await desk.button("sessions.end_others").click()
            await expect(desk.page.get_by_role("listitem")).to_have_count(1)
            await elsewhere.reload()
            await other.sees("sign_in.title")

        await desk.page.get_by_role("link", name=desk.said("password.title")).click()
        await desk.sees("password.title")
        await desk.look("password")
        await self.change(desk, PASSWORD, SHORT)
        await alarmed(desk, "password.not_taken")
        await expect(desk.field("password.new")).to_have_accessible_description(
            f"{desk.said('password.hint')} {desk.said('weak.too-short')}"
        )
        # In lines of their own, whole: one over the other cannot be read.
        hint, wrong, field = [
            await desk.page.locator(place).bounding_box()
            for place in ("#new-hint", "#new-error", "#new")
        ]
        assert hint is not None
        assert wrong is not None
        assert field is not None
        assert hint["y"] + hint["height"] <= wrong["y"]
        assert wrong["y"] + wrong["height"] <= field["y"]
        await desk.look("password-weak")
        await self.change(desk, PASSWORD, NEW)
        await informed(desk, "password.changed")
        await desk.look("password-changed")
        await desk.button("nav.sign_out").click()
        await desk.sees("sign_in.title")

    async def change(self, desk: Desk, current: str, new: str) -> None:
        """Fill the form in."""
        await desk.field("password.current").fill(current)
        await desk.field("password.new").fill(new)
        await desk.button("password.change").click()


class TestSecondFactor:
    """GET and POST /account/second-factor."""

    async def test_its_pages(self, desk: Desk, resident: Resident) -> None:
        await desk.visit("/account/second-factor")
        await desk.sign_in(resident)
        await desk.sees("second_factor.title")
        picture = desk.page.get_by_role("img", name=desk.said("second_factor.picture"))
        box = await picture.locator("svg").bounding_box()
        assert box is not None
        # Smaller than that, no telephone reads it.
        assert min(box["width"], box["height"]) >= 200
        await desk.look("enrol")
        await desk.dark("enrol")
        await desk.fits("enrol")
        secret = await desk.page.locator("main code").inner_text()
        await self.enrol(desk, "000000")
        await alarmed(desk, "code.wrong")
        await desk.look("enrol-wrong")
        await self.enrol(desk, TOTP(secret).now())
        await desk.sees("recovery.title")
        await informed(desk, "recovery.done")
        await desk.look("recovery-codes")
        await desk.fits("recovery-codes")
        await desk.page.get_by_role("link", name=desk.said("recovery.onward")).click()
        await desk.sees("account.title")
        await desk.visit("/account/second-factor")
        await expect(desk.page.get_by_text(desk.said("second_factor.on"))).to_be_visible()
        await desk.look("second-factor-on")

    async def enrol(self, desk: Desk, code: str) -> None:
        """Fill the form in."""
        await desk.field("code.code").fill(code)
        await desk.button("second_factor.enrol").click()


class TestReset:
    """GET and POST /password-reset, /password-reset/{token}."""

    async def test_its_pages(self, desk: Desk, resident: Resident, admin_connection: Plain) -> None:
        await desk.visit("/sign-in")
        await desk.page.get_by_role("link", name=desk.said("sign_in.forgotten")).click()
        await desk.sees("reset.title")
        await desk.look("reset")
        await desk.field("sign_in.email").fill(resident.email)
        await desk.button("reset.go").click()
        await informed(desk, "reset.sent")
        await desk.look("reset-sent")
        id_ = await admin_connection.fetchval(_RESET, resident.user_id)
        keyring = desk.served.world.program.keyring
        await desk.page.goto(link(keyring, PASSWORD_RESET, id_, desk.served.url))
        await desk.sees("reset.choose")
        await desk.look("reset-choose")
        await self.choose(desk, SHORT)
        await alarmed(desk, "password.not_taken")
        await desk.look("reset-weak")
        await self.choose(desk, NEW)
        await informed(desk, "reset.done")
        await desk.look("reset-done")
        await desk.page.get_by_role("link", name=desk.said("sign_in.title")).click()
        await expect(desk.field("sign_in.email")).to_have_value(resident.email)
        await desk.sign_in(resident, NEW)
        await desk.sees("account.title")

    async def choose(self, desk: Desk, password: str) -> None:
        """Fill the form in."""
        await desk.field("password.new").fill(password)
        await desk.button("reset.set").click()


class TestInvitation:
    """GET and POST /invitations/{token}."""

    async def test_somebody_new(self, desk: Desk, admin_connection: Plain) -> None:
        await self.open(desk, admin_connection, fresh_address())
        await desk.look("invitation-new")
        await self.join(desk, SHORT)
        await alarmed(desk, "password.not_taken")
        await expect(desk.field("account.name")).to_have_value("Ada Person")
        await desk.look("invitation-weak")
        await self.join(desk, NEW)
        await desk.sees("account.title")

    async def test_who_has_an_account(
        self, desk: Desk, resident: Resident, admin_connection: Plain
    ) -> None:
        await self.open(desk, admin_connection, resident.email)
        await desk.look("invitation-known")
        await desk.page.get_by_role("link", name=desk.said("sign_in.title")).click()
        await expect(desk.field("sign_in.email")).to_have_value(resident.email)
        await desk.sign_in(resident)
        await desk.sees("invitation.title")
        await desk.look("invitation-his")
        url = desk.page.url
        await desk.button("invitation.accept").click()
        await desk.sees("account.title")
        await desk.page.goto(url)
        await alarmed(desk, "refused.missing")
        somebody = await settle(desk.served.world)
        await self.open(desk, admin_connection, somebody.email)
        other = desk.said("invitation.other", email=resident.email)
        await expect(desk.page.get_by_text(other)).to_be_visible()
        await desk.look("invitation-other")

    async def open(self, desk: Desk, rows: Plain, email: str) -> None:
        """Follow the link of the mail."""
        door, isv = Door(desk.served.world, rows), await desk.served.world.isv()
        await door.invited(isv, "manager", email)
        await desk.visit(f"{INVITATION.path}/{await door.token(email)}")
        await desk.sees("invitation.title")

    async def join(self, desk: Desk, password: str) -> None:
        """Fill the form in."""
        await desk.field("account.name").fill("Ada Person")
        await desk.field("invitation.password").fill(password)
        await desk.button("invitation.join").click()
