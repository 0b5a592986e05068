"""The pages about the API, and that the browser's own checks can fail."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import SCREENSHOTS, assert_accessible, open_page
from tests.support.served import Served

HOLES = "<!doctype html><html lang=en><title>Holes</title><main><h1>Holes</h1><img src=x></main>"

STRANGER = "document.body.append(Object.assign(new Image(), {src: 'https://x.example/'}))"


class TestReference:
    """GET /docs, GET /problems."""

    async def test_the_reference_shows_its_operations(self, served: Served, page: Page) -> None:
        await page.goto(f"{served.url}/docs")
        await expect(page).to_have_title("Flatbed API reference")
        await expect(page.get_by_role("heading", name="Flatbed", exact=False).first).to_be_visible()

    async def test_the_problem_types_are_accessible_and_need_no_script(
        self, served: Served, browser: Browser, page: Page
    ) -> None:
        await page.goto(f"{served.url}/problems")
        await assert_accessible(page, "problems")
        assert (SCREENSHOTS / "problems.png").stat().st_size > 10_000
        async with open_page(browser, scripts=False) as plain:
            await plain.goto(f"{served.url}/problems")
            await plain.get_by_role("link", name="404").first.click()
            await expect(plain.get_by_role("heading", level=1)).to_be_visible()


class TestChecks:
    """What `assert_accessible` and `open_page` must notice."""

    async def test_a_picture_without_a_text_is_found(self, page: Page) -> None:
        await page.set_content(HOLES)
        with pytest.raises(AssertionError, match="image-alt"):
            await assert_accessible(page, "holes")

    async def test_what_the_policy_blocked_is_found(self, served: Served, browser: Browser) -> None:
        async def blocked() -> None:
            async with open_page(browser) as page:
                await page.goto(f"{served.url}/docs")
                async with page.expect_console_message(lambda said: "directive" in said.text):
                    await page.evaluate(STRANGER)

        with pytest.raises(AssertionError, match="Content Security Policy"):
            await blocked()
