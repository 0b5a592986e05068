"""An ISV whose agency may bill."""

from uuid import UUID

import pytest_asyncio

from tests.billing.statements.books import Books, fill_in_seller
from tests.billing.world import World


@pytest_asyncio.fixture
async def books(world: World, isv: UUID) -> Books:
    """The books of an ISV in Berlin."""
    await fill_in_seller(world)
    return Books(world, isv)
