"""A person with a password, and his browser."""

import pytest
import pytest_asyncio

from flatbed.app.demo.browser import Browser, Page
from tests.api.support import BASE_URL, World
from tests.support.residents import CALLER, PASSWORD, Resident, settle

__all__ = ["CALLER", "PASSWORD", "Resident", "settle"]


@pytest.fixture
def browser(world: World) -> Browser:
    return Browser(world.http, BASE_URL)


@pytest_asyncio.fixture
async def resident(world: World) -> Resident:
    return await settle(world)


async def sign_in(browser: Browser, email: str, password: str = PASSWORD, query: str = "") -> Page:
    """Fill the sign-in page in."""
    page = await browser.visit(f"/sign-in{query}")
    form = page.form_with("password")
    return await browser.send(page, form, {"email": email, "password": password})
