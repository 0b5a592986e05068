"""One head a ledger: writers of different campaigns wait for each other there, and nowhere else."""

import asyncio
from uuid import UUID

from flatbed.tenants.kit.ids import uuid7
from tests.billing.world import World

WRITERS = 20


class TestHead:
    async def test_units_of_many_campaigns_at_once_follow_each_other_without_a_gap(
        self, world: World, isv: UUID
    ) -> None:
        """No two campaigns share a cap's counter, so only the head orders them."""
        await world.meter(isv)
        made = await asyncio.gather(
            *(world.meter(isv, campaign_ref=uuid7()) for _ in range(WRITERS))
        )
        assert sorted(one.sequence for one in made) == list(range(2, WRITERS + 2))
        assert await world.count("usage_entry", isv) == WRITERS + 1
