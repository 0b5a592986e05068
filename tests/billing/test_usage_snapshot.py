"""One answer is of one moment, whatever is metered while it is put together."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncSession

from flatbed.billing.facade import record_usage
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import TenantReadSession
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import Isv, World, new_world
from tests.billing.world import CALLER, NOON, request
from tests.support.postgres import TestDatabase

STATEMENTS = ("execute", "scalar", "scalars")


@pytest_asyncio.fixture
async def world(database: TestDatabase) -> AsyncIterator[World]:
    async with new_world(database) as made:
        yield made


@pytest_asyncio.fixture
async def isv(world: World) -> Isv:
    made = await world.isv()
    await meter(world, made)
    return made


@pytest.fixture
def metered(world: World, isv: Isv, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Before each statement of a read another unit is metered; a number for each of them."""
    numbers: list[int] = []

    def interrupted(name: str) -> Callable[..., Awaitable[Any]]:
        plain = getattr(AsyncSession, name)

        async def work(self: TenantReadSession, *args: Any, **more: Any) -> Any:
            if type(self) is TenantReadSession:
                numbers.append(len(numbers))
                await meter(world, isv)
            return await plain(self, *args, **more)

        return work

    for name in STATEMENTS:
        monkeypatch.setattr(TenantReadSession, name, interrupted(name), raising=False)
    return numbers


async def meter(world: World, isv: Isv) -> None:
    """A unit that waits for the ISV, in a campaign of its own."""
    async with world.program.database.tenant(
        realm_id=world.realm_id,
        tenant_id=isv.tenant_id,
        caller=CALLER,
        clock=Clock(instant=NOON),
    ) as session:
        await record_usage(session, request(campaign_ref=uuid7()))


class TestUsage:
    async def test_lines_sums_groups_and_forecast_tell_the_same_units(
        self, isv: Isv, metered: list[int]
    ) -> None:
        body = await isv.client.read("/v1/usage", params={"limit": 100})
        assert len(metered) > 5
        [total], [currency] = body["totals"], body["forecast"]["currencies"]
        told = {
            "lines": len(body["data"]),
            "totals": total["pending"]["units"],
            "groups": sum(one["pending"]["units"] for one in body["groups"]),
            "forecast": currency["pending"]["units"],
        }
        assert len(set(told.values())) == 1, told


class TestPreview:
    async def test_its_campaigns_units_and_prices_are_of_one_moment(
        self, isv: Isv, metered: list[int]
    ) -> None:
        found = (await isv.client.read("/v1/usage/preview"))["campaigns"]
        assert len(metered) > 2
        assert [one["pending"]["units"] for one in found] == [1, 1]
