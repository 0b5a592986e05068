"""A process that meters units for its ISVs, one unit a commit: one of those that serve the API.

Reads a line of JSON, prepares, answers with a line, waits for another one, meters, and answers
with the seconds of the processor that a unit took.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from uuid import UUID

from flatbed.tenants.kit.database.engine import Database, create_engine
from flatbed.tenants.kit.database.urls import connect
from flatbed.tenants.kit.ids import uuid7
from tests.billing.world import World

WARM = 12
"""Units of each ISV before it counts: they prepare statements and make counters."""
CAMPAIGNS = 4


@dataclass(frozen=True)
class Task:
    """Meter so many units for each of these ISVs at once."""

    app_url: str
    admin_url: str
    realm: str
    isvs: list[str]
    times: int


async def work(task: Task) -> None:
    """Do it."""
    database = Database(create_engine(task.app_url, pool_size=len(task.isvs)))
    world = World(database, await connect(task.admin_url), UUID(task.realm))

    async def meter(isv: UUID, campaigns: list[UUID], times: int) -> None:
        for n in range(times):
            await world.meter(isv, campaign_ref=campaigns[n % CAMPAIGNS])

    async def meter_all(times: int) -> None:
        await asyncio.gather(*(meter(isv, own, times) for isv, own in campaigns.items()))

    campaigns = {UUID(isv): [uuid7() for _ in range(CAMPAIGNS)] for isv in task.isvs}
    await meter_all(WARM)
    tell("ready")
    await asyncio.to_thread(sys.stdin.readline)
    began = time.process_time()
    await meter_all(task.times)
    tell(str((time.process_time() - began) / (task.times * len(task.isvs))))
    await database.close()
    await world.admin.close()


def tell(line: str) -> None:
    """A line for whoever started it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def rate(tasks: list[Task]) -> float:
    """Units a second of so many processes together, from the start until the last has ended."""
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.billing.proof.recorder"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in tasks
    ]

    async def ask(number: int, line: str) -> str:
        process = running[number]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{line}\n".encode())
        await process.stdin.drain()
        answer = (await process.stdout.readline()).decode().strip()
        assert answer, "the process has died"
        return answer

    orders = [json.dumps(asdict(task)) for task in tasks]
    await asyncio.gather(*(ask(number, order) for number, order in enumerate(orders)))
    began = time.perf_counter()
    costs = await asyncio.gather(*(ask(number, "go") for number in range(len(tasks))))
    seconds = time.perf_counter() - began
    for process in running:
        await process.wait()
    found = sum(task.times * len(task.isvs) for task in tasks) / seconds
    told = ", ".join(f"{float(cost) * 1e3:.2f}" for cost in costs)
    print(f"{len(tasks)} processes: {found:.0f} units a second, {told} ms of a processor each")  # noqa: T201 - the measure
    return found


if __name__ == "__main__":
    asyncio.run(work(Task(**json.loads(sys.stdin.readline()))))
