"""The world that every test of this room starts from."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.campaigns.world import World, new_world
from tests.support.postgres import TestDatabase


@pytest_asyncio.fixture
async def world(database: TestDatabase) -> AsyncIterator[World]:
    """A fresh realm with one ISV and a lead."""
    async with new_world(database) as made:
        yield made
