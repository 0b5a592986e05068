"""What the worker does, one kind of job at a time."""

import asyncio

from flatbed.tenants.kit.database.urls import connect
from flatbed.tenants.kit.jobs.runner import run_jobs
from tests.api.support import World

FOREIGN = (
    "DELETE FROM pgqueuer WHERE entrypoint = ANY($2)"
    " AND strpos(convert_from(payload, 'UTF8'), $1) = 0"
)
"""The same jobs of other realms: what earlier tests left in the same database."""


async def work_off(world: World, *names: str) -> None:
    """Do the realm's jobs of these names until none waits; those of other realms are dropped."""
    connection = await connect(world.program.database_url)
    await connection.execute(FOREIGN, str(world.realm_id), names)
    await connection.close()
    jobs = {name: world.program.jobs[name] for name in names}
    await run_jobs(world.program.database_url, jobs, asyncio.Event(), drain=True)
