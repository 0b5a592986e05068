"""A TCP proxy that delays, thins, cuts and swallows what passes, and counts what it did.

It knows no protocol but two byte patterns of PostgreSQL's simple query: `COMMIT` on its way up
and the server's answer to it on its way down. A cut stands before the first byte of its pattern,
so what must not arrive never arrives whole.
"""

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit, urlunsplit

COMMIT = b"Q\0\0\0\x0cCOMMIT;\0"
"""The simple query as asyncpg sends it."""
COMMITTED = b"C\0\0\0\x0bCOMMIT\0"
"""PostgreSQL's CommandComplete for it: the transaction is durable when this leaves the server."""
_TLS_WANTED = struct.pack("!ii", 8, 80877103)
_CANCEL = struct.pack("!ii", 16, 80877102)
_LINGER = struct.pack("ii", 1, 0)  # close() then sends RST and forgets unsent bytes
_CHUNK = 65_536
_TAIL = 64
"""Bytes that are remembered, so that a pattern is seen across two pieces; none is longer."""


class Way(StrEnum):
    """The direction of bytes."""

    UP = "up"
    """From the client to the server."""
    DOWN = "down"


class Cut(StrEnum):
    """How a connection ends."""

    RESET = "reset"
    """RST on both sides."""
    CLOSE = "close"
    """FIN on both sides."""
    HOLE = "hole"
    """Nothing passes any more, in either direction, and nobody is told."""


@dataclass(eq=False)
class Rule:
    """Where to cut: once, at the ``at``-th occurrence of ``pattern`` since the rule was set.

    An empty pattern occurs once per connection, at its first byte: with ``passing`` it means
    "after so many bytes", with ``at`` "the n-th connection". ``passing`` bytes from the start of
    the pattern still arrive.
    """

    way: Way
    pattern: bytes = b""
    cut: Cut = Cut.RESET
    at: int = 1
    passing: int = 0
    seen: int = field(default=0, init=False)
    struck: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @property
    def done(self) -> bool:
        """Whether it has cut."""
        return self.struck.is_set()


@dataclass
class Pace:
    """How slowly one direction passes; ``jitter`` (seconds) comes on top, uniformly from zero."""

    delay: float = 0.0
    jitter: float = 0.0
    chunk: int = _CHUNK
    """Bytes that pass at once."""


class Link:
    """One client's connection and the one to the server behind it."""

    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self.writers = writers
        self.holed = False
        self.healed = asyncio.Event()
        self.tail = {Way.UP: b"", Way.DOWN: b""}
        self.started: set[Way] = set()
        self.left: dict[Way, tuple[Rule, int]] = {}

    def end(self, cut: Cut) -> None:
        """Cut it now."""
        if cut is Cut.HOLE:
            self.holed = True
            return
        self.healed.set()
        for writer in self.writers:
            if cut is Cut.CLOSE:
                writer.close()
                continue
            with suppress(OSError):
                held: socket.socket = writer.get_extra_info("socket")
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            writer.transport.abort()


class Proxy:
    """Listens on a loopback port and forwards to ``host``:``port``; made by :func:`proxying`."""

    def __init__(self, host: str, port: int, *, seed: int = 0) -> None:
        self.target = host, port
        self.pace = {Way.UP: Pace(), Way.DOWN: Pace()}
        self.counts: Counter[str] = Counter()
        """`connections`, `cancel requests`, `refused`, one for each kind of cut, bytes by way."""
        self.refusing = False
        """New connections are reset at once, as by a server that is down."""
        self.port = 0
        self._rules: list[Rule] = []
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._random = random.Random(seed)

    def set(self, rule: Rule) -> Rule:
        """Cut by this rule from now on."""
        self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget the rules that have not cut."""
        self._rules.clear()

    def cut_all(self, cut: Cut = Cut.RESET) -> int:
        """Cut every connection that stands, the holes too; how many."""
        links = list(self._links)
        for link in links:
            link.end(cut)
        self.counts[cut] += len(links)
        return len(links)

    def heal(self) -> None:
        """End the holes: both sides learn that their connection is gone."""
        for link in [one for one in self._links if one.holed]:
            link.end(Cut.RESET)

    def url(self, url: str) -> str:
        """The same address, reached through this proxy."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}127.0.0.1:{self.port}"))

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.counts["connections"] += 1
        task = asyncio.current_task()
        if self.refusing or task is None:
            self.counts["refused"] += 1
            Link(writer).end(Cut.RESET)
            return
        self._tasks.add(task)
        link = Link(writer)
        try:
            there, out = await asyncio.open_connection(*self.target)
            link = Link(writer, out)
            self._links.add(link)
            up = asyncio.create_task(self._pump(link, Way.UP, reader, out))
            down = asyncio.create_task(self._pump(link, Way.DOWN, there, writer))
            pumps = {up, down}
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            self.counts["refused"] += 1
        except asyncio.CancelledError:
            link.end(Cut.RESET)  # the proxy is being closed; the server's callback reports nothing
        finally:
            self._links.discard(link)
            self._tasks.discard(task)
            link.end(Cut.CLOSE)

    async def close(self) -> None:
        """End everything that it carries."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(
        self, link: Link, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if way is Way.UP and way not in link.started:
                    if data == _TLS_WANTED:
                        link.writers[0].write(b"N")  # what is encrypted could not be watched
                        continue
                    self.counts["cancel requests"] += data.startswith(_CANCEL)
                pace = self.pace[way]
                for start in range(0, len(data), pace.chunk):
                    piece = data[start : start + pace.chunk]
                    if pace.delay or pace.jitter:
                        await asyncio.sleep(pace.delay + self._random.uniform(0, pace.jitter))
                    if not await self._pass(link, way, piece, writer):
                        return

    async def _pass(self, link: Link, way: Way, piece: bytes, writer: asyncio.StreamWriter) -> bool:
        """Forward a piece, or what of it stands before a cut; whether the link goes on."""
        if link.holed:
            await link.healed.wait()
            return False
        stop = self._stop(link, way, piece)
        passing = piece if stop is None else piece[: stop[1]]
        writer.write(passing)
        self.counts[way] += len(passing)
        await writer.drain()
        if stop is None:
            return True
        rule, _ = stop
        rule.struck.set()
        self.counts[rule.cut] += 1
        link.end(rule.cut)
        if rule.cut is Cut.HOLE:
            await link.healed.wait()
        return False

    def _stop(self, link: Link, way: Way, piece: bytes) -> tuple[Rule, int] | None:
        """The rule that cuts inside this piece, and after how many of its bytes."""
        first = way not in link.started
        link.started.add(way)
        if way not in link.left:
            for rule in [one for one in self._rules if one.way is way]:
                place = self._find(rule, link.tail[way], piece, first=first)
                if place is not None:
                    self._rules.remove(rule)
                    link.left[way] = rule, max(0, place + rule.passing)
                    break
        link.tail[way] = (link.tail[way] + piece)[-_TAIL:]
        if way not in link.left:
            return None
        rule, left = link.left[way]
        if left <= len(piece):
            return rule, left
        link.left[way] = rule, left - len(piece)
        return None

    @staticmethod
    def _find(rule: Rule, tail: bytes, piece: bytes, *, first: bool) -> int | None:
        """Where in the piece the rule's occurrence begins; negative: in the piece before."""
        if not rule.pattern:
            rule.seen += first
            return 0 if first and rule.seen == rule.at else None
        tail = tail[-(len(rule.pattern) - 1) :] if len(rule.pattern) > 1 else b""
        place = (tail + piece).find(rule.pattern)
        while place >= 0:
            rule.seen += 1
            if rule.seen == rule.at:
                return place - len(tail)
            place = (tail + piece).find(rule.pattern, place + 1)
        return None


@asynccontextmanager
async def proxying(host: str, port: int, *, seed: int = 0) -> AsyncIterator[Proxy]:
    """A proxy in front of a server, for the block."""
    proxy = Proxy(host, port, seed=seed)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()


@asynccontextmanager
async def proxying_url(url: str, *, seed: int = 0) -> AsyncIterator[Proxy]:
    """A proxy in front of the server of a URL."""
    parts = urlsplit(url)
    async with proxying(parts.hostname or "127.0.0.1", parts.port or 5432, seed=seed) as proxy:
        yield proxy
