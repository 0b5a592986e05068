"""The scripted operation, for the tests of this folder."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.kit.edge.scripted import Script, playing
from tests.support.kernel_app import KernelApp
from tests.support.world import World


@pytest.fixture
def script() -> Script:
    return Script()


@pytest_asyncio.fixture
async def app(world: World, script: Script) -> AsyncIterator[KernelApp]:
    async with playing(world, script) as made:
        yield made


@pytest_asyncio.fixture
async def client(app: KernelApp, world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with app.client(world.tenants[0]) as made:
        yield made
