"""A realm of the whole program with two ISVs, one of which manages its own clients."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.api.support import new_world
from tests.oauth.clients.own import Own, settled
from tests.support.postgres import TestDatabase


@pytest_asyncio.fixture
async def own(database: TestDatabase) -> AsyncIterator[Own]:
    async with new_world(database) as world:
        yield await settled(world)
