"""Books with Stripe behind them."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest_asyncio

from tests.billing.collection.stripe import Shop, shop
from tests.billing.statements.books import Books, fill_in_seller
from tests.billing.world import World


@pytest_asyncio.fixture
async def store(world: World, isv: UUID) -> AsyncIterator[Shop]:
    """The books of an ISV in Berlin, collected at the fake Stripe."""
    await fill_in_seller(world)
    async with shop(Books(world, isv)) as made:
        yield made
