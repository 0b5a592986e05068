"""Reads of the largest tenant stay on its indexes, whatever the statement was planned for."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio

from flatbed.app.campaigns.exclusions.names import name_key
from flatbed.tenants.kit import deadlines, idempotency, sweep
from flatbed.tenants.kit.audit import DEADLINE, SEAL
from flatbed.tenants.kit.backlog import oldest_wakeup
from flatbed.tenants.kit.clock import Clock, system_now
from flatbed.tenants.kit.database.session import Caller
from flatbed.tenants.kit.database.urls import connect
from flatbed.tenants.kit.idempotency import Key
from flatbed.tenants.kit.ids import decode
from tests.api.support import Client, World
from tests.scale.estate import Estate
from tests.scale.plans import Asked, Asker, asking, recording
from tests.scale.reads import PAGE, READS, Read, known

MOST_ROWS = 2 * PAGE
MOST_BUFFERS = 10 * PAGE
"""Of one statement that reads a page: the same for every size of the realm."""
MOST_BUFFERS_OF_ONE = 60
"""Of one statement that reads a single thing."""
CALLER = Caller("system:test", "req_test")
TOPICS = (DEADLINE, SEAL)

pytestmark = pytest.mark.timeout(600)


@dataclass
class Scene:
    """The program on the estate, its clients signed in, and a connection to ask on.

    ``units`` is how many units the largest tenant has.
    """

    estate: Estate
    world: World
    asker: Asker
    clients: Mapping[str, Client]
    known: Mapping[str, str]
    units: int

    def client(self, name: str) -> Client:
        found = self.clients[name]
        return found.acting_for(self.known["largest"]) if name == "lead" else found

    async def asked(self, read: Read, client: str | None = None) -> list[Asked]:
        """The statements of the request itself, not of the way to its page."""
        ready = await read.prepare(self.client(client or read.client), self.known)
        with recording(self.world.program.database.engine) as found:
            await ready.send()
        return found

    async def faults(
        self, read: Read, asked: Sequence[Asked], warmed: Sequence[Asked] = ()
    ) -> list[str]:
        """What is wrong with the plans, warmed up by others' executions if given."""
        rows, buffers = MOST_ROWS, MOST_BUFFERS
        if read.single:
            buffers = MOST_BUFFERS_OF_ONE
        if read.units:
            rows, buffers = max(rows, 2 * self.units), max(buffers, 12 * self.units)
        found = []
        for one in dict.fromkeys(asked):
            plan = await self.asker.settled(one, warmed)
            told = list(plan.faults(rows))
            if plan.buffers > buffers:
                told.append(f"{plan.buffers} buffers")
            if told:
                found.append(f"{'; '.join(told)}\n    {one.sql}\n    {one.values}")
        return found


TOKENS: dict[tuple[int, str], tuple[float, str]] = {}
YOUNG = 240.0
"""Seconds in which a token is used again: the tests of one estate may take longer than it lives."""
KNOWN: dict[int, dict[str, str]] = {}
UNITS = "SELECT count(*) FROM usage_entry WHERE tenant_id = $1"


@asynccontextmanager
async def opened(estate: Estate) -> AsyncIterator[Scene]:
    async with estate.open() as world, asking(estate.database.app_url) as asker:
        clients = {name: estate.client(name, world.http) for name in estate.logins}
        for name, client in clients.items():
            at, client.token = TOKENS.get((estate.candidates, name), (0.0, ""))
            if time.monotonic() - at > YOUNG:
                TOKENS[estate.candidates, name] = (
                    time.monotonic(),
                    (await client.sign_in()).token,
                )
        if estate.candidates not in KNOWN:
            KNOWN[estate.candidates] = await known(clients["largest"], estate, clients["hunter"])
        connection = await connect(estate.database.admin_url)
        try:
            units = await connection.fetchval(UNITS, decode("org", estate.tenants[0]))
        finally:
            await connection.close()
        yield Scene(estate, world, asker, clients, KNOWN[estate.candidates], units)


@pytest_asyncio.fixture
async def scene(estate: Estate) -> AsyncIterator[Scene]:
    async with opened(estate) as found:
        yield found


@dataclass(frozen=True)
class Group:
    """Reads that share a warmed-up program."""

    name: str
    reads: list[Read]

    def __str__(self) -> str:
        return self.name


def groups() -> Iterator[Group]:
    for name, prefix in FAMILIES.items():
        yield Group(name, [one for one in READS if family(one) == prefix])


FAMILIES = {
    "one candidate": "/v1/candidates/",
    "candidates": "/v1/candidates",
    "a campaign's candidates": "/v1/campaigns/{campaign}/candidates",
    "usage": "/v1/usage",
    "everything else": "",
}


def family(read: Read) -> str:
    return next(prefix for prefix in FAMILIES.values() if read.path.startswith(prefix))


CORE = ("one candidate", "candidates", "a campaign's candidates")


async def assert_on_indexes(scene: Scene, group: Group) -> None:
    """Every read of the group keeps the bounds, which are the same for every size."""
    found = {}
    assert group.reads
    for read in group.reads:
        asked = await scene.asked(read)
        assert asked, f"{read} asked nothing"
        found[str(read)] = await scene.faults(read, asked)
    assert [(read, told) for read, told in found.items() if told] == []


class TestPlans:
    @pytest.mark.parametrize("group", list(groups()), ids=str)
    async def test_reads_of_the_largest_stay_on_its_indexes(
        self, scene: Scene, group: Group
    ) -> None:
        await assert_on_indexes(scene, group)

    @pytest.mark.long
    @pytest.mark.timeout(7_200)
    @pytest.mark.parametrize("group", list(groups()), ids=str)
    async def test_reads_of_ten_times_as_many_stay_on_the_indexes(
        self, tenfold: Estate, group: Group
    ) -> None:
        async with opened(tenfold) as scene:
            await assert_on_indexes(scene, group)

    @pytest.mark.parametrize(
        ("read", "other"),
        [
            (Read("largest", "/v1/candidates"), "smallest"),
            (Read("largest", "/v1/qualifications"), "smallest"),
            (Read("largest", "/v1/usage", units=True), "smallest"),
            (Read("largest", "/v1/audit"), "smallest"),
            (Read("hunter", "/v1/me/queue"), "idle"),
        ],
        ids=str,
    )
    async def test_a_plan_that_one_owner_warmed_serves_the_other(
        self, scene: Scene, read: Read, other: str
    ) -> None:
        asked, warming = await scene.asked(read), await scene.asked(read, other)
        assert {one.sql for one in asked} & {one.sql for one in warming}
        assert await scene.faults(read, asked, warming) == []
        assert await scene.faults(read, warming, asked) == []

    @pytest.mark.parametrize("group", [one for one in groups() if one.name in CORE], ids=str)
    async def test_a_tenth_as_many_are_held_to_the_same_bounds(
        self, tenth: Estate, group: Group
    ) -> None:
        async with opened(tenth) as scene:
            await assert_on_indexes(scene, group)

    @pytest.mark.parametrize("group", [one for one in groups() if one.name in CORE], ids=str)
    async def test_the_plan_for_everybody_serves_the_largest_even_where_it_is_not_preferred(
        self, scene: Scene, group: Group
    ) -> None:
        for read in group.reads:
            asked = await scene.asked(read)
            assert asked
            plans = [await scene.asker.for_everybody(one) for one in asked if one.values]
            assert any(one.generic for one in plans)
            for plan in plans:
                assert list(plan.faults(MOST_ROWS)) == [], str(read)
                assert plan.buffers <= MOST_BUFFERS, str(read)

    async def test_a_plan_that_a_hunter_warmed_serves_the_tenant(self, scene: Scene) -> None:
        for name in ("", "/touchpoints", "/contacts", "/transitions"):
            read = Read("largest", f"/v1/candidates/{{candidate}}{name}")
            hunted = Read("hunter", f"/v1/candidates/{{own}}{name}")
            asked, warming = await scene.asked(read), await scene.asked(hunted)
            assert {one.sql for one in asked} & {one.sql for one in warming}
            assert await scene.faults(read, asked, warming) == []

    async def test_what_the_worker_and_a_repeated_request_ask_stays_on_indexes(
        self, scene: Scene
    ) -> None:
        program, realm_id = scene.world.program, scene.world.realm_id
        tenant_id = decode("org", scene.known["largest"])
        key = Key(realm_id, "key-17", "f")
        # What the seeding left to be sealed; nothing of what is due later.
        await sweep.Poller(program.database, {}).poll(realm_id)
        with recording(program.database.engine) as asked:
            async with program.database.worker(caller=CALLER) as worker:
                assert await oldest_wakeup(worker) == timedelta()
                assert await sweep._read(worker, realm_id, TOPICS) == []
                assert await sweep._read(worker, None, TOPICS) == []
            swept = deadlines.sweep_tenant(program.database, {}, realm_id, tenant_id, system_now())
            assert (await swept).handled == 0
            async with program.database.tenant(
                realm_id=realm_id, tenant_id=tenant_id, caller=CALLER, clock=Clock()
            ) as session:
                assert await idempotency.find(session, key) is not None
                worked = await program.worked_candidates.furthest(
                    session,
                    domain=scene.known["domain"],
                    name_key=name_key(scene.known["company"]),
                )
                assert worked is not None
        tables = {"wakeup", "deadline", "idempotency_key", "tenant_company", "candidate"}
        assert all(any(f"FROM {table}" in one.sql for one in asked) for table in tables)
        assert await scene.faults(Read("largest", ""), asked) == []
