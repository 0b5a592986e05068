"""Signing in by the pages, as a browser does."""

from datetime import timedelta

import pytest

from flatbed.app.demo.browser import Browser
from flatbed.tenants.kit.clock import system_now
from tests.people.pages.conftest import Resident, sign_in


class TestPassword:
    async def test_the_right_password_leads_to_the_account(
        self, browser: Browser, resident: Resident
    ) -> None:
        page = await sign_in(browser, resident.email)
        assert page.url.endswith("/account")
        again = await browser.visit("/sign-in")
        assert again.url.endswith("/account")

    async def test_a_wrong_one_and_an_unknown_address_get_the_same_page(
        self, browser: Browser, resident: Resident
    ) -> None:
        wrong = await sign_in(browser, resident.email, "not the password")
        unknown = await sign_in(browser, "nobody@people.example", "not the password")
        assert wrong.status == unknown.status == 422
        assert wrong.text.replace(resident.email, "") == unknown.text.replace(
            "nobody@people.example", ""
        )
        assert "is wrong" in wrong.text

    async def test_the_eleventh_failure_within_a_minute_is_refused(
        self, browser: Browser, resident: Resident
    ) -> None:
        for _ in range(10):
            assert (await sign_in(browser, resident.email, "not the password")).status == 422
        assert (await sign_in(browser, resident.email)).status == 429


class TestSignedIn:
    """The page in a browser in which somebody is signed in."""

    async def test_it_leads_on_at_once(self, browser: Browser, resident: Resident) -> None:
        await sign_in(browser, resident.email)
        page = await browser.visit("/sign-in?continue=/account/password")
        assert page.url.endswith("/account/password")

    async def test_who_must_prove_it_anew_need_not_type_his_address(
        self, browser: Browser, resident: Resident
    ) -> None:
        await sign_in(browser, resident.email)
        page = await browser.visit("/sign-in?anew=1")
        assert f'value="{resident.email}"' in page.text
        assert "confirm that it is you" in page.text

    async def test_who_is_somebody_else_types_his_own(
        self, browser: Browser, resident: Resident
    ) -> None:
        await sign_in(browser, resident.email)
        page = await browser.visit("/sign-in?anew=other")
        assert resident.email not in page.text
        assert "confirm that it is you" not in page.text


class TestCode:
    async def test_a_second_factor_is_asked_for_and_good_once(
        self, browser: Browser, resident: Resident
    ) -> None:
        await resident.second_factor()
        page = await sign_in(browser, resident.email)
        assert "/sign-in/code" in page.url
        code = resident.code()
        done = await browser.send(page, page.form_with("code"), {"code": code})
        assert done.url.endswith("/account")
        page = await sign_in(browser, resident.email, query="?anew=1")
        again = await browser.send(page, page.form_with("code"), {"code": code})
        assert again.status == 422

    @pytest.mark.parametrize("steps", [-3, 3])
    async def test_a_code_of_another_time_is_not_taken(
        self, browser: Browser, resident: Resident, steps: int
    ) -> None:
        await resident.second_factor()
        page = await sign_in(browser, resident.email)
        code = resident.code(system_now() + timedelta(seconds=30 * steps))
        assert (await browser.send(page, page.form_with("code"), {"code": code})).status == 422


class TestForms:
    async def test_a_form_of_another_query_is_refused(
        self, browser: Browser, resident: Resident
    ) -> None:
        page = await browser.visit("/sign-in")
        form = page.form_with("password")
        form.action = "/sign-in?continue=/account/sessions"
        sent = {"email": resident.email, "password": "x"}
        assert (await browser.send(page, form, sent)).status == 403
