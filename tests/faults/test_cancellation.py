"""Cancellation through a slow network: nobody reads another's answer, nothing stays behind."""

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
import sqlalchemy.util
from sqlalchemy.exc import SQLAlchemyError

from flatbed.app.wiring import Program, build
from flatbed.tenants.kit.database.connection import BoundConnection
from flatbed.tenants.kit.database.context import Context
from flatbed.tenants.kit.database.session import PlaneSession, TenantSession
from flatbed.tenants.kit.database.urls import Plain
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import World, serving, settings_for
from tests.faults.proxy import Pace, Way, proxying_url
from tests.faults.server import listening
from tests.faults.storm import Storm, named
from tests.support.postgres import TestDatabase

POOL = 8
SEED = 20_261
SHORT, LONG = 15.0, 600.0
PLANTED = 3.0
SLOW = Pace(delay=0.0005, jitter=0.003, chunk=4096)


HARMLESS = "unexpected connection_lost() call"
"""What asyncpg leaves when a connection is given up between TCP and TLS: nothing was asked yet."""


@dataclass
class Noise:
    """What the loop and the pool complain about, which nobody else would hear."""

    heard: list[str] = field(default_factory=list)

    def of_loop(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, ConnectionError) or str(error) != HARMLESS:
            self.heard.append(f"{context.get('message')} {error!r}")


class _Ear(logging.Handler):
    def __init__(self, noise: Noise) -> None:
        super().__init__(logging.WARNING)
        self.noise = noise

    def emit(self, record: logging.LogRecord) -> None:
        self.noise.heard.append(f"{record.name}: {record.getMessage()}")


@asynccontextmanager
async def listened() -> AsyncIterator[Noise]:
    """Hear what is complained about inside the block."""
    noise, loop = Noise(), asyncio.get_running_loop()
    before, ear = loop.get_exception_handler(), _Ear(noise)
    loop.set_exception_handler(noise.of_loop)
    loggers = [logging.getLogger(name) for name in ("sqlalchemy.pool", "asyncio")]
    for logger in loggers:
        logger.addHandler(ear)
    try:
        yield noise
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(before)
        for logger in loggers:
            logger.removeHandler(ear)


@asynccontextmanager
async def storming(world: World, database: TestDatabase, seed: int) -> AsyncIterator[Storm]:
    """A storm on a program behind a slow network."""
    async with proxying_url(database.app_url, seed=seed) as proxy:
        settings = settings_for(replace(database, app_url=proxy.url(database.app_url)))
        program = build(settings.model_copy(update={"pool_size": POOL}))
        storm = Storm(seed, world, program, proxy, {})
        watched(storm, program)
        await storm.populate()
        proxy.pace = {Way.UP: SLOW, Way.DOWN: SLOW}
        try:
            yield storm
        finally:
            await program.close()


def watched(storm: Storm, program: Program) -> None:
    """Let the storm watch the program's pool too."""
    name, engine = f"storm-{uuid7().hex[-12:]}", program.database.engine
    named(engine, name)
    storm.pools[name] = engine


@asynccontextmanager
async def over_http(storm: Storm) -> AsyncIterator[None]:
    """Let it come over HTTP too: in process, and through a socket to another pool."""
    other = build(storm.program.settings)
    watched(storm, other)
    async with (
        serving(storm.program) as inside,
        listening(other) as port,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            timeout=30,
            # A cancelled request may keep its place in the client's own pool for ever.
            limits=httpx.Limits(max_connections=None),
        ) as outside,
    ):
        storm.http = [inside, outside]
        yield


async def weather(storm: Storm, plain: Plain, seconds: float, cancelled: int = 0) -> Storm:
    """A whole storm, and what was found in it."""
    async with listened() as noise:
        stop = asyncio.Event()
        watching = asyncio.create_task(storm.watch(plain, stop))
        await storm.rage(seconds, cancelled)
        stop.set()
        await watching
        await storm.settle(plain)
    storm.faults += [f"heard: {one}"[:300] for one in noise.heard]
    print(f"seed {storm.seed}: {dict(storm.counts)} {dict(storm.proxy.counts)}")  # noqa: T201 - kept with a failure
    return storm


def hold(storm: Storm, *, cancelled: int) -> None:
    """Nothing was found, and there was something to find."""
    kinds = Counter(fault[:60] for fault in storm.faults)
    assert storm.faults == [], f"{len(storm.faults)}: {kinds.most_common(10)}"
    counts = storm.counts
    assert counts["cancelled"] >= cancelled
    assert counts["acknowledged"] >= cancelled / 40
    assert counts["rows"] >= cancelled
    assert min(counts["twice"], counts["timeout"], counts["calm"]) >= cancelled / 20
    assert counts["refused after giving up"] > 0
    assert counts["HTTP 200"] > 0
    assert counts["HTTP 201"] > 0
    assert storm.proxy.counts["cancel requests"] > 0
    assert counts["used at once"] == POOL
    assert counts["most held"] == POOL
    assert counts["held by the other"] > 0


class TestCancellation:
    @pytest.mark.timeout(180)
    async def test_a_storm_of_cancellations_leaves_nothing_behind(
        self, world: World, database: TestDatabase, admin_connection: Plain
    ) -> None:
        async with storming(world, database, SEED) as storm, over_http(storm):
            hold(await weather(storm, admin_connection, SHORT, 1_000), cancelled=1_000)

    @pytest.mark.long
    @pytest.mark.timeout(2700)
    @pytest.mark.usefixtures("lasting_tokens")
    async def test_so_does_a_long_one(
        self, world: World, database: TestDatabase, admin_connection: Plain
    ) -> None:
        async with storming(world, database, SEED + 1) as storm, over_http(storm):
            hold(await weather(storm, admin_connection, LONG, 20_000), cancelled=20_000)


def bound_for_ever(self: BoundConnection, context: Context | None) -> None:
    """A connection that keeps the tenant of its first transaction."""
    self._pooled = True
    self._context = self._context or context


async def nothing(_: PlaneSession) -> None:
    """In place of throwing the connection away."""


class LateReplies:
    """A cancelled statement's answer goes to whoever asks next: the incident of 2023."""

    def __init__(self) -> None:
        self.unread: list[Any] = []
        self.right = TenantSession.execute

    async def execute(self, session: TenantSession, *args: Any, **kwargs: Any) -> Any:
        if self.unread:
            return self.unread.pop()
        asking = asyncio.ensure_future(self.right(session, *args, **kwargs))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            with suppress(SQLAlchemyError):
                self.unread.append(await asking)
            raise


@pytest_asyncio.fixture
async def storm(world: World, database: TestDatabase) -> AsyncIterator[Storm]:
    async with storming(world, database, SEED) as made:
        made.settled = 1.0
        yield made


class TestTheStormNotices:
    async def test_a_connection_that_keeps_its_first_tenant(
        self, storm: Storm, admin_connection: Plain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(BoundConnection, "bind", bound_for_ever)
        await weather(storm, admin_connection, PLANTED)
        assert any(fault.startswith("rows that") for fault in storm.faults), storm.faults[:5]

    async def test_an_unread_reply_that_goes_to_the_next_one(
        self, storm: Storm, admin_connection: Plain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        late = LateReplies()

        async def execute(self: TenantSession, *args: Any, **kwargs: Any) -> Any:
            return await late.execute(self, *args, **kwargs)

        monkeypatch.setattr(TenantSession, "execute", execute)
        await weather(storm, admin_connection, PLANTED)
        assert any(fault.startswith("asked") for fault in storm.faults), storm.faults[:5]

    async def test_a_cancelled_connection_that_goes_back_inside_its_transaction(
        self, storm: Storm, admin_connection: Plain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = BoundConnection.execute

        async def execute(self: BoundConnection, query: str, *args: Any, **kwargs: Any) -> str:
            if query.startswith("ROLLBACK"):
                return "ROLLBACK"
            return await right(self, query, *args, **kwargs)

        # SQLAlchemy throws a cancelled connection away by itself, our kernel once more, and the
        # pool rolls back: each would be enough.
        monkeypatch.setattr(sqlalchemy.util, "is_exit_exception", lambda _: False)
        monkeypatch.setattr(PlaneSession, "invalidate", nothing)
        monkeypatch.setattr(BoundConnection, "execute", execute)
        await weather(storm, admin_connection, PLANTED)
        assert any(fault.startswith("at the end") for fault in storm.faults), storm.faults[:5]

    async def test_a_cancelled_session_that_nobody_closes(
        self, storm: Storm, admin_connection: Plain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        leaked: list[PlaneSession] = []
        right, throw_away = PlaneSession.close, PlaneSession.invalidate

        async def close(self: PlaneSession) -> None:
            transaction = self.sync_session.get_transaction()
            if transaction and transaction._connections and len(leaked) < POOL // 2:
                leaked.append(self)
            else:
                await right(self)

        monkeypatch.setattr(sqlalchemy.util, "is_exit_exception", lambda _: False)
        monkeypatch.setattr(PlaneSession, "invalidate", nothing)
        monkeypatch.setattr(PlaneSession, "close", close)
        await weather(storm, admin_connection, PLANTED)
        for session in leaked:
            # Not closed: a statement that was given up may still answer, to the ROLLBACK.
            await throw_away(session)
        assert leaked
        assert any(fault.startswith("at the end") for fault in storm.faults), storm.faults[:5]
