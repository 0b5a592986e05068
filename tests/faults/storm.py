"""A storm of cancellations on a pool behind a slow network, and what must hold in it.

Every answer is checked against what was asked: a number that nobody else asks for comes back, and
every row carries the mark of the tenant that reads it.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import event, func, literal, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from flatbed.app.campaigns.models import Offering
from flatbed.app.wiring import Program
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.database.session import Caller, TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.failures import sqlstate_of
from flatbed.tenants.kit.ids import decode, uuid7
from tests.api.support import Client, World
from tests.faults.proxy import Proxy

CALLER = Caller("system:storm", "req_storm")
WORKERS = 24
PATIENCE = 0.04
"""Seconds at most until a cancellation; a request needs longer on the slow network."""
BUSY = {409, 503}
LOCKED_TOO_LONG = "55P03"
OF_STORM = """
SELECT count(*) AS all, count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle,
       (SELECT count(*) FROM pg_locks WHERE pid = ANY (array_agg(a.pid))) AS locks
FROM pg_stat_activity a WHERE application_name = $1
"""


@dataclass
class Tenant:
    """An ISV, its mark, and the row of it that each worker alone writes."""

    id: UUID
    client: Client
    mark: str
    rows: list[UUID]
    acknowledged: dict[int, list[str | None]] = field(default_factory=dict)
    """By worker: what its row may hold. First what was committed, then what may have been."""


@dataclass
class Storm:
    """The pool under test, and what was seen of it."""

    seed: int
    world: World
    program: Program
    proxy: Proxy
    pools: dict[str, AsyncEngine]
    """By the application name of its connections; that of the program comes first."""
    tenants: list[Tenant] = field(default_factory=list)
    http: list[httpx.AsyncClient] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    settled: float = 10.0
    """Seconds until everything must have come back."""
    _numbers: Any = field(default_factory=lambda: count(1_000_000))

    @property
    def engine(self) -> AsyncEngine:
        """The engine under test."""
        return self.program.database.engine

    async def populate(self, tenants: int = 3) -> None:
        """Make the tenants, each with marked rows, without the slow network."""
        for number in range(tenants):
            isv = await self.world.isv()
            mark = f"mark-{number}-{uuid7().hex[-10:]}"
            rows = []
            for _ in range(WORKERS):
                body = {"name": mark, "programmes": [{"code": "dach", "countries": ["DE"]}]}
                made = await isv.client.made("/v1/offerings", body)
                rows.append(decode("off", made["id"]))
            self.tenants.append(Tenant(isv.tenant_id, isv.client, mark, rows))

    async def rage(self, seconds: float, cancelled: int = 0) -> None:
        """Work and cancel for so long, and on a busy machine until so many were cancelled.

        Ends when all of it has ended, and after four times as long at the latest.
        """
        start = time.monotonic()

        def is_over() -> bool:
            enough = seconds if self.counts["cancelled"] >= cancelled else 4 * seconds
            return time.monotonic() - start > enough

        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(self._worker(number, is_over))

    async def _worker(self, number: int, is_over: Callable[[], bool]) -> None:
        rng = random.Random(f"{self.seed} {number}")
        works = [
            self._read,
            self._write,
            self._inner,
            *([self._get, self._post] if self.http else []),
        ]
        while not is_over():
            (work,) = rng.choices(works, [4, 3, 2, 2, 1][: len(works)])
            tenant = rng.choice(self.tenants)
            await self._disturb(rng, lambda w=work, t=tenant: w(t, rng, number))  # type: ignore[misc] # mypy cannot infer a lambda's defaults

    async def _disturb(self, rng: random.Random, work: Callable[[], Awaitable[None]]) -> None:
        """Let it work, and take its time away in one of the ways in which that happens."""
        way = rng.choice(["calm", "cancel", "cancel", "cancel", "twice", "twice", "timeout"])
        patience = rng.uniform(0, PATIENCE)
        self.counts[way] += 1
        task = asyncio.ensure_future(_within(work, patience if way == "timeout" else None))
        if way in {"cancel", "twice"}:
            await asyncio.wait({task}, timeout=patience)
            task.cancel()
            if way == "twice":
                await asyncio.wait({task}, timeout=rng.uniform(0, 0.01))
                task.cancel()
        try:
            await task
            self.counts["finished"] += 1
        except (asyncio.CancelledError, TimeoutError):
            self.counts["cancelled"] += 1
        except PoolTimeoutError:
            self.counts["pool timeouts"] += 1
        except Exception as error:  # noqa: BLE001 - any other one is a finding
            if isinstance(error, SQLAlchemyError) and sqlstate_of(error) == LOCKED_TOO_LONG:
                self.counts["waited too long for a lock"] += 1
                return
            self.faults.append(f"{way}: {type(error).__name__}: {error}"[:300])

    def _open(self, tenant: Tenant) -> Any:
        return self.program.database.tenant(
            realm_id=self.world.realm_id, tenant_id=tenant.id, caller=CALLER, clock=Clock()
        )

    async def ask(self, session: TenantSession, tenant: Tenant) -> None:
        """A number and the rows that are seen: back comes this number, and rows of this tenant."""
        number = next(self._numbers)
        asked = select(literal(number), func.current_setting("flatbed.tenant_id"))
        answer = (await session.execute(asked)).one()
        if tuple(answer) != (number, str(tenant.id)):
            self.faults.append(f"asked {number} of {tenant.id}: {tuple(answer)}")
        marked = func.bool_and(func.starts_with(Offering.name, tenant.mark))
        seen = select(Offering.tenant_id, marked, func.count()).group_by(Offering.tenant_id)
        rows = [tuple(row) for row in (await session.execute(seen)).all()]
        if len(rows) != 1 or rows[0][:2] != (tenant.id, True) or rows[0][2] < WORKERS:
            self.faults.append(f"rows that {tenant.id} sees, whether marked, and number: {rows}")
        else:
            self.counts["rows"] += rows[0][2]

    async def _read(self, tenant: Tenant, rng: random.Random, _: int) -> None:
        async with self._open(tenant) as session:
            for _again in range(rng.randint(1, 3)):
                await self.ask(session, tenant)

    async def _write(self, tenant: Tenant, rng: random.Random, worker: int) -> None:
        """Write the worker's own row under locks; what was acknowledged must be found again."""
        value = f"{tenant.mark} {next(self._numbers)}"
        may_hold = tenant.acknowledged.setdefault(worker, [None])
        async with self._open(tenant) as session:
            await session.execute(select(func.pg_advisory_xact_lock(rng.randint(1, 32))))
            mine = (Offering.tenant_id == tenant.id) & (Offering.id == tenant.rows[worker])
            held = await session.scalar(select(Offering.description).where(mine).with_for_update())
            if held not in may_hold:
                self.faults.append(f"worker {worker} finds {held}, not one of {may_hold[-3:]}")
            await session.execute(update(Offering).where(mine).values(description=value))
            may_hold.append(value)
            await self.ask(session, tenant)
        may_hold[:] = [value]
        self.counts["acknowledged"] += 1

    async def _inner(self, tenant: Tenant, rng: random.Random, worker: int) -> None:
        """Give up on one statement and go on: nothing may then be acknowledged that was lost."""
        value = f"{tenant.mark} {next(self._numbers)}"
        may_hold = tenant.acknowledged.setdefault(worker, [None])
        given_up = False
        try:
            async with self._open(tenant) as session:
                mine = (Offering.tenant_id == tenant.id) & (Offering.id == tenant.rows[worker])
                await session.execute(update(Offering).where(mine).values(description=value))
                may_hold.append(value)
                try:
                    async with asyncio.timeout(rng.uniform(0, 0.02)):
                        await session.execute(text("SELECT pg_sleep(0.005)"))
                except TimeoutError:
                    given_up = True
                if rng.random() < 0.5:
                    await self.ask(session, tenant)
        except SQLAlchemyError:
            if not given_up:
                raise
            self.counts["refused after giving up"] += 1
            return
        may_hold[:] = [value]
        self.counts["acknowledged"] += 1

    async def _get(self, tenant: Tenant, rng: random.Random, _: int) -> None:
        answer = await self._client(tenant, rng).get("/v1/offerings", params={"limit": 40})
        if self._answered(answer, 200):
            names = [row["name"] for row in answer.json()["data"]]
            if not names or not all(name.startswith(tenant.mark) for name in names):
                self.faults.append(f"a list of {tenant.mark}: {names[:5]}")

    async def _post(self, tenant: Tenant, rng: random.Random, _: int) -> None:
        name = f"{tenant.mark} {next(self._numbers)}"
        body = {"name": name, "programmes": [{"code": "dach", "countries": ["DE"]}]}
        answer = await self._client(tenant, rng).post("/v1/offerings", body, key=str(uuid7()))
        if self._answered(answer, 201) and answer.json()["name"] != name:
            self.faults.append(f"made {name}, answered {answer.json()['name']}")

    def _client(self, tenant: Tenant, rng: random.Random) -> Client:
        one = tenant.client
        return Client(rng.choice(self.http), one.client_id, one.secret, one.scopes, one.token)

    def _answered(self, answer: httpx.Response, status: int) -> bool:
        self.counts[f"HTTP {answer.status_code}"] += 1
        if answer.status_code not in {status, *BUSY}:
            self.faults.append(f"HTTP {answer.status_code}: {answer.text[:200]}")
        return answer.status_code == status

    async def watch(self, plain: Plain, stop: asyncio.Event) -> None:
        """Look at the server and at the pools all the time."""
        while not stop.is_set():
            self.counts["looks"] += 1
            for name, engine in self.pools.items():
                size, held = _size(engine), _held(engine)
                found = await plain.fetchrow(OF_STORM, name)
                assert found is not None
                self.counts["most connections"] = max(self.counts["most connections"], found["all"])
                self.counts["most held"] = max(self.counts["most held"], held)
                if engine is not self.engine:
                    self.counts["held by the other"] += held
                if max(held, found["all"]) > size:
                    self.faults.append(f"{held} of {size} are out, the server has {found['all']}")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.05)

    async def settle(self, plain: Plain) -> None:
        """At the end: everything is back, nothing is open or locked, the whole pool works."""
        end = time.monotonic() + self.settled
        for name, engine in self.pools.items():
            while True:
                out = _held(engine)
                found = await plain.fetchrow(OF_STORM, name)
                assert found is not None
                fits = not out and found["all"] <= _size(engine)
                if fits and not found["idle"] and not found["locks"]:
                    break
                if time.monotonic() > end:
                    self.faults.append(f"at the end {out} are out, the server has {dict(found)}")
                    return
                await asyncio.sleep(0.05)
        size = _size(self.engine)
        together = asyncio.Barrier(size)
        try:
            async with asyncio.timeout(self.settled), asyncio.TaskGroup() as group:
                for number in range(size):
                    group.create_task(self._at_once(self.tenants[number % 3], together))
        except TimeoutError:
            self.faults.append("not all of the pool can be used at once")

    async def _at_once(self, tenant: Tenant, together: asyncio.Barrier) -> None:
        try:
            async with self._open(tenant) as session:
                await self.ask(session, tenant)
                await together.wait()
                self.counts["used at once"] += 1
        except Exception as error:  # noqa: BLE001 - a finding
            self.faults.append(f"at the end {type(error).__name__}: {error}"[:300])


def _size(engine: AsyncEngine) -> int:
    found: int = engine.pool.size()  # type: ignore[attr-defined] # of QueuePool
    return found


def _held(engine: AsyncEngine) -> int:
    found: int = engine.pool.checkedout()  # type: ignore[attr-defined] # as above
    return found


def named(engine: AsyncEngine, name: str) -> None:
    """Let the engine's connections carry this application name."""

    def rename(_: Any, __: Any, ___: Any, parameters: dict[str, Any]) -> None:
        settings = {**parameters["server_settings"], "application_name": name}
        parameters["server_settings"] = settings

    event.listen(engine.sync_engine, "do_connect", rename)


async def _within(work: Callable[[], Awaitable[None]], seconds: float | None) -> None:
    async with asyncio.timeout(seconds):
        await work()
