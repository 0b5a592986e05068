"""The places that a test of the gateway may stand at."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.billing.gateway.house import Place, in_process


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Place]:
    """The fake in process. Whoever sends what the document does not allow says so himself."""
    async with in_process() as made:
        yield made
