"""A database with a realm for the tests of billing."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest_asyncio

from flatbed.tenants.kit.database.urls import Plain
from tests.billing.world import World
from tests.support.engines import opened
from tests.support.postgres import TestDatabase


@pytest_asyncio.fixture
async def world(database: TestDatabase, admin_connection: Plain) -> AsyncIterator[World]:
    """A realm of its own for each test, on the real role."""
    async with opened(database.app_url, pool_size=20) as found:
        made = World(found, admin_connection)
        await made.begin()
        yield made


@pytest_asyncio.fixture
async def isv(world: World) -> UUID:
    """An ISV in Berlin."""
    return await world.isv()
