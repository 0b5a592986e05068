"""Pages of the program that serves."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser

from flatbed.tenants.pages.texts import Language
from tests.browser.desk import LOCALES, Desk
from tests.support.browser import browser, open_page, page
from tests.support.residents import Resident, settle
from tests.support.served import Served, served

__all__ = ["browser", "page", "served"]


@pytest_asyncio.fixture
async def desk(language: Language, browser: Browser, served: Served) -> AsyncIterator[Desk]:
    """A browser in the test's ``language``."""
    async with open_page(browser, locale=LOCALES[language]) as opened:
        yield Desk(opened, served, language)


@pytest_asyncio.fixture
async def resident(language: Language, served: Served) -> Resident:
    """Somebody who reads the test's ``language``."""
    return await settle(served.world, language)
