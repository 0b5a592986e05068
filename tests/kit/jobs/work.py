"""Jobs that remember, and a worker that runs them until nothing waits."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from flatbed.tenants.kit.jobs import runner
from flatbed.tenants.kit.jobs.runner import JobHandler, run_jobs
from tests.support.world import World


class Runs:
    """A job that remembers its ids."""

    def __init__(self) -> None:
        self.ids: list[Mapping[str, UUID]] = []

    async def __call__(self, ids: Mapping[str, UUID]) -> None:
        self.ids.append(ids)


async def drain(
    world: World, job: str, handler: JobHandler, *, lease: timedelta = runner.LEASE
) -> None:
    # What a worker held is free when its lease is over; until then the queue looks empty.
    await asyncio.sleep(0 if lease is runner.LEASE else lease.total_seconds() * 1.5)
    running = run_jobs(world.url, {job: handler}, asyncio.Event(), drain=True, lease=lease)
    await asyncio.wait_for(running, 30)
