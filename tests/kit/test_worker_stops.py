"""A worker that is told to stop finishes what it is at, and begins nothing more."""

import asyncio
from uuid import UUID

import pytest

from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.ids import uuid7
from tests.kit.test_worker import working
from tests.support.world import World


async def test_it_leaves_the_owners_that_wait_to_the_next_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of thousands that wait, each takes milliseconds: stopping must not take all of these."""
    for tenant_id in world.tenants:
        async with world.tenant(tenant_id) as session:
            mutation(session, "thing.made", "off", uuid7())
    sealed: list[UUID | None] = []

    async with working(world, {}) as stop:

        async def seal(_: object, __: UUID, tenant_id: UUID | None = None, **___: object) -> int:
            sealed.append(tenant_id)
            stop.set()
            return 1

        monkeypatch.setattr("flatbed.tenants.kit.sweep.seal_tenant", seal)
        monkeypatch.setattr("flatbed.tenants.kit.sweep.seal_agency", seal)
        await asyncio.wait_for(stop.wait(), 60)
    assert len(sealed) == 1
