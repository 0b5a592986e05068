"""Price lists: numbers under a name, and the price that an order freezes."""

import asyncio

import pytest

from flatbed.billing.facade import NoPriceError, price_of
from flatbed.billing.pricing import service
from flatbed.billing.pricing.schemas import PriceListCreate, PriceListRead, PriceListUpdate
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.problems import PreconditionFailedError
from tests.billing.world import World


async def make(world: World, name: str = "standard", price: int = 100) -> PriceListRead:
    async with world.agency() as session:
        made, _ = await service.create(
            session, PriceListCreate(name=name, currency="EUR", unit_price=price)
        )
    return made


class TestCreate:
    async def test_the_same_name_makes_the_next_number(self, world: World) -> None:
        first, second = await make(world), await make(world, price=120)
        other = await make(world, name="enterprise")
        assert (first.number, second.number, other.number) == (1, 2, 1)
        async with world.agency() as session:
            again, _ = await service.get(session, first.id)
        assert again.unit_price == 100

    async def test_numbers_stay_gapless_when_made_at_once(self, world: World) -> None:
        made = await asyncio.gather(*(make(world) for _ in range(10)))
        assert sorted(one.number for one in made) == list(range(1, 11))


class TestPriceOf:
    async def test_the_newest_active_list_of_the_currency_holds(self, world: World) -> None:
        await make(world)
        newest = await make(world, price=120)
        async with world.agency() as session:
            price = await price_of(session, currency="EUR")
        assert (price.price_list_id, price.unit_price, price.number) == (newest.id, 120, 2)

    async def test_a_named_list_holds_even_if_it_is_older(self, world: World) -> None:
        first = await make(world)
        await make(world, price=120)
        async with world.agency() as session:
            price = await price_of(session, currency="EUR", price_list_id=first.id)
        assert price.unit_price == 100

    async def test_inactive_foreign_missing_and_other_currency_answer_alike(
        self, world: World
    ) -> None:
        made = await make(world)
        other = World(world.database, world.admin)
        await other.begin()
        foreign = await make(other)
        async with world.agency() as session:
            for currency, price_list_id in (
                ("CHF", None),
                ("CHF", made.id),
                ("EUR", foreign.id),
                ("EUR", uuid7()),
            ):
                with pytest.raises(NoPriceError):
                    await price_of(session, currency=currency, price_list_id=price_list_id)
            await service.update(session, made.id, 1, PriceListUpdate(active=False))
            for price_list_id in (None, made.id):
                with pytest.raises(NoPriceError):
                    await price_of(session, currency="EUR", price_list_id=price_list_id)


class TestUpdate:
    async def test_a_stale_version_is_refused(self, world: World) -> None:
        made = await make(world)
        async with world.agency() as session:
            changed, version = await service.update(
                session, made.id, 1, PriceListUpdate(active=False)
            )
        assert not changed.active
        assert version == 2
        with pytest.raises(PreconditionFailedError):
            async with world.agency() as session:
                await service.update(session, made.id, 1, PriceListUpdate(active=True))
