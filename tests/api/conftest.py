"""A second realm, for what must not cross."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.api.support import World, new_world
from tests.support.postgres import TestDatabase


@pytest_asyncio.fixture
async def second(database: TestDatabase) -> AsyncIterator[World]:
    """Another agency's realm, on the same database."""
    async with new_world(database) as made:
        yield made
