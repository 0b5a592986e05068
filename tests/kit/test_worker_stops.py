"""A worker that is told to stop finishes what it is at, and begins nothing more."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from flatbed.app import worker
from flatbed.tenants.kit import sweep
from flatbed.tenants.kit.audit import mutation
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.sealing import seal_agency, seal_tenant
from flatbed.tenants.kit.sweep import Poller
from tests.kit.test_worker import working
from tests.support.deadlines import Journal, set_deadline, wakeups
from tests.support.world import World


async def test_it_leaves_the_owners_that_wait_to_the_next_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of thousands that wait, each takes milliseconds: stopping must not take all of these."""
    for tenant_id in world.tenants:
        async with world.tenant(tenant_id) as session:
            mutation(session, "thing.made", "off", uuid7())
    sealed: list[tuple[Any, ...]] = []

    async with working(world, {}) as stop:

        def stopping(seal: Callable[..., Awaitable[int]]) -> Callable[..., Awaitable[int]]:
            async def sealing(*owner: Any, **more: Any) -> int:
                sealed.append(owner[1:])
                stop.set()
                return await seal(*owner, **more)

            return sealing

        monkeypatch.setattr(sweep, "seal_tenant", stopping(seal_tenant))
        monkeypatch.setattr(sweep, "seal_agency", stopping(seal_agency))
        await asyncio.wait_for(stop.wait(), 60)
    assert len(sealed) == 1
    assert await wakeups(world) >= 1
    monkeypatch.undo()
    await Poller(world.database, {}).poll(world.realm_id)
    assert await wakeups(world) == 0


async def test_a_sweep_that_was_begun_leaves_them_too(world: World) -> None:
    journal = Journal()
    await set_deadline(world, system_now())
    for is_over, handled in ((True, 0), (False, 1)):
        job = worker._sweeping(world.database, {"note": journal}, partial(bool, is_over))
        await job({"realm_id": world.realm_id})
        assert len(journal.lines) == handled
