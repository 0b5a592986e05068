"""Pages in Chromium: each test has a browser of its own, for half a second, on its own loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.support import chromium
from tests.support.tools import NODE, missing

SCREENSHOTS: Final = Path(__file__).resolve().parents[2] / "build/screenshots"
FLAGS: Final = (
    "--disable-gpu",
    "--disable-quic",
    # Nothing but this machine: a page that loads something from elsewhere shows a hole.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
"""Beside Playwright's own, which already are --headless, without a sandbox (a container allows
none, and only our own pages are opened), first run, sync and updates, and a fresh profile."""

# Milliseconds: what is waited for comes at once, but not on a busy machine.
expect.set_options(timeout=20_000)


@pytest_asyncio.fixture
async def browser(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Browser]:
    """A Chromium; the test is skipped, in CI failed, where there is none."""
    program = chromium.find()
    if program is None:
        missing("no Chromium: `make browser` gets one from Debian's packages")
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(NODE))
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=program, env=chromium.environment(program), args=FLAGS
        )
        yield launched
        await launched.close()


@asynccontextmanager
async def open_page(
    browser: Browser, *, locale: str = "en-GB", scripts: bool = True
) -> AsyncIterator[Page]:
    """A page with cookies of its own; what its content security policy blocked fails the test.

    Args:
        browser: the test's.
        locale: what the person prefers: `Accept-Language`.
        scripts: whether a page may run any; axe (`assert_accessible`) needs them.
    """
    said: list[str] = []
    async with await browser.new_context(locale=locale, java_script_enabled=scripts) as context:
        page = await context.new_page()
        page.on("console", lambda message: said.append(message.text))
        yield page
    blocked = [text for text in said if "Content Security Policy" in text]
    assert not blocked, blocked


@pytest_asyncio.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An English page."""
    async with open_page(browser) as opened:
        yield opened


async def assert_accessible(page: Page, name: str) -> None:
    """Keep a screenshot as build/screenshots/NAME.png, and have axe find nothing in the page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
