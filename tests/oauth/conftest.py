"""The application and a fresh realm for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.oauth.house import House, open_house
from tests.support.postgres import TestDatabase


@pytest_asyncio.fixture
async def house(database: TestDatabase) -> AsyncIterator[House]:
    _, house = await open_house(database.app_url)
    yield house
    await house.http.aclose()
    await house.database.close()
