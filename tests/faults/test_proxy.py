"""The proxy itself: that it passes bytes unharmed, and cuts exactly where it is told to."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest
import pytest_asyncio

from flatbed.tenants.kit.database.urls import Plain, connect
from tests.faults.proxy import (
    COMMIT,
    COMMITTED,
    Cut,
    Pace,
    Proxy,
    Rule,
    Way,
    proxying,
    proxying_url,
)
from tests.support.postgres import TestDatabase

LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
SECONDS = 5


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[Proxy]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(4096):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with proxying("127.0.0.1", port, seed=1) as proxy:
        yield proxy
    server.close()
    await server.wait_closed()


@pytest_asyncio.fixture
async def postgres(database: TestDatabase) -> AsyncIterator[Proxy]:
    async with proxying_url(database.owner_url, seed=1) as proxy:
        yield proxy


class Talk:
    """A client of the echo server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, proxy: Proxy) -> "Talk":
        return cls(*await asyncio.open_connection("127.0.0.1", proxy.port))

    async def echo(self, data: bytes) -> bytes:
        """What comes back, up to the end."""
        self.writer.write(data)
        got = b""
        with suppress(ConnectionError):
            async with asyncio.timeout(SECONDS):
                while len(got) < len(data) and (more := await self.reader.read(4096)):
                    got += more
        return got

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


class TestPassing:
    async def test_what_is_sent_arrives_unharmed(self, echo: Proxy) -> None:
        talk = await Talk.to(echo)
        data = bytes(range(256)) * 400
        assert await talk.echo(data) == data
        await talk.close()
        assert echo.counts[Way.UP] == echo.counts[Way.DOWN] == len(data)

    async def test_a_slow_and_thin_way_delays_and_keeps_the_order(self, echo: Proxy) -> None:
        echo.pace[Way.UP] = Pace(delay=0.01, jitter=0.005, chunk=7)
        talk = await Talk.to(echo)
        started = time.monotonic()
        assert await talk.echo(bytes(range(70))) == bytes(range(70))
        assert time.monotonic() - started >= 0.1
        await talk.close()

    async def test_a_server_that_is_down_refuses(self, echo: Proxy) -> None:
        echo.refusing = True
        talk = await Talk.to(echo)
        assert await talk.echo(b"hello") == b""
        await talk.close()
        assert echo.counts["refused"] == 1


class TestCutting:
    @pytest.mark.parametrize("chunk", [1, 5, 4096])
    @pytest.mark.parametrize("cut", [Cut.RESET, Cut.CLOSE])
    async def test_nothing_from_the_pattern_on_arrives(
        self, echo: Proxy, cut: Cut, chunk: int
    ) -> None:
        echo.pace[Way.DOWN] = Pace(chunk=chunk)
        rule = echo.set(Rule(Way.DOWN, b"stop", cut, at=2))
        talk = await Talk.to(echo)
        got = await talk.echo(b"one stop two stop three")
        await talk.close()
        assert rule.done
        assert echo.counts[cut] == 1
        assert b"one stop two stop".startswith(got)
        if cut is Cut.CLOSE:  # RST may overtake what was sent before it
            assert got.startswith(b"one stop two ")

    async def test_some_bytes_of_the_pattern_may_pass(self, echo: Proxy) -> None:
        echo.set(Rule(Way.DOWN, b"head", Cut.CLOSE, passing=6))
        talk = await Talk.to(echo)
        assert await talk.echo(b"the head and the tail") == b"the head a"
        await talk.close()

    async def test_a_connection_is_cut_after_so_many_bytes(self, echo: Proxy) -> None:
        echo.set(Rule(Way.DOWN, cut=Cut.CLOSE, at=2, passing=10))
        first, second = await Talk.to(echo), await Talk.to(echo)
        assert await first.echo(b"0123456789abc") == b"0123456789abc"
        assert await second.echo(b"0123456789abc") == b"0123456789"
        assert await first.echo(b"still") == b"still"
        await first.close()
        await second.close()

    async def test_a_hole_is_silent_until_it_is_healed(self, echo: Proxy) -> None:
        echo.set(Rule(Way.UP, b"into", Cut.HOLE))
        talk = await Talk.to(echo)
        talk.writer.write(b"into the dark")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await talk.reader.read(1)
        assert echo.counts[Cut.HOLE] == 1
        echo.heal()
        assert await talk.echo(b"?") == b""
        await talk.close()


class TestCommit:
    @pytest.mark.parametrize("cut", list(Cut))
    @pytest.mark.parametrize(("rule", "kept"), [((Way.UP, COMMIT), 0), ((Way.DOWN, COMMITTED), 1)])
    async def test_a_cut_before_commit_keeps_nothing_and_one_before_its_answer_keeps_all(
        self,
        database: TestDatabase,
        postgres: Proxy,
        cut: Cut,
        rule: tuple[Way, bytes],
        kept: int,
    ) -> None:
        plain = await connect(database.owner_url)
        await plain.execute("CREATE TABLE proxied (n int)")
        try:
            there = await connect(postgres.url(database.owner_url))
            set_ = postgres.set(Rule(*rule, cut, at=2))
            async with there.transaction():
                await there.execute("SELECT 1")
            with pytest.raises((*LOST, TimeoutError)):
                await asyncio.wait_for(self._insert(there), 0.5 if cut is Cut.HOLE else SECONDS)
            assert set_.done
            assert postgres.counts[cut] == 1
            assert await plain.fetchval("SELECT count(*) FROM proxied") == kept
            there.terminate()
            postgres.cut_all()
        finally:
            await plain.execute("DROP TABLE proxied")
            await plain.close()

    async def test_a_cancelled_statement_asks_the_server_to_stop(
        self, database: TestDatabase, postgres: Proxy
    ) -> None:
        there = await connect(postgres.url(database.owner_url))
        with pytest.raises(TimeoutError):
            await there.execute("SELECT pg_sleep(5)", timeout=0.1)
        assert await there.fetchval("SELECT 7") == 7
        await there.close()
        assert postgres.counts["cancel requests"] == 1

    @staticmethod
    async def _insert(there: Plain) -> None:
        async with there.transaction():
            await there.execute("INSERT INTO proxied VALUES (1)")
