"""What a connection may send before a layer sees it: on a real socket, served as the program is."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, ClassVar

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from flatbed.app.cli.serving import configured
from flatbed.tenants.kit.edge.bodies import LARGEST, LARGEST_HEADERS, LONGEST_TARGET, BodyLayer
from flatbed.tenants.kit.edge.protocol import (
    LARGEST_HEAD,
    LONGEST_URL,
    MOST_HEADERS,
    MOST_WAITING,
    LimitedProtocol,
)

READ = 262_144
"""Bytes that the event loop takes from a socket at once."""
ENOUGH = 24_000_000
"""Bytes of a client that never ends: what it does not get rid of is not read."""
SECONDS = 0.5
START = b"GET / HTTP/1.1\r\nHost: a\r\n"
END = b"\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Observed(LimitedProtocol):
    """Counts, and is less patient."""

    seconds = SECONDS
    taken: ClassVar[int] = 0

    def data_received(self, data: bytes) -> None:
        Observed.taken += len(data)
        super().data_received(data)


@dataclass
class Service:
    """An application that says what it was asked, and the port of its server."""

    port: int = 0
    paths: list[str] = field(default_factory=list)
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the length of the body; behind `/gate` not before it is open."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
            return
        self.paths.append(scope["path"])
        self.headers = scope["headers"]
        if scope["path"] == "/gate":
            await self.gate.wait()
        body = str(len((await receive())["body"])).encode()
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})

    async def say(self, *parts: bytes, pause: float = 0, then: bytes = b"") -> "Answer":
        """Send the parts one after the other; what came back until the server closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        reading = asyncio.create_task(_whole(reader))
        began = time.monotonic()
        try:
            with suppress(OSError):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(pause)
                writer.write(then)
            return Answer(await asyncio.wait_for(reading, 20), time.monotonic() - began)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@dataclass(frozen=True)
class Answer:
    """What came back, and after how long the connection was closed."""

    got: bytes
    seconds: float

    @property
    def statuses(self) -> list[int]:
        return [int(part[:3]) for part in self.got.split(b"HTTP/1.1 ")[1:]]

    @property
    def problem(self) -> dict[str, Any]:
        """The last answer, which must be whole."""
        head, _, body = self.got.rpartition(b"HTTP/1.1 ")[2].partition(b"\r\n\r\n")
        headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        assert headers[b"content-type"] == b"application/problem+json"
        assert headers[b"connection"] == b"close"
        assert int(headers[b"content-length"]) == len(body)
        found: dict[str, Any] = json.loads(body)
        assert found["request_id"] == headers[b"x-request-id"].decode()
        return found


async def _whole(reader: asyncio.StreamReader) -> bytes:
    found = bytearray()
    with suppress(OSError):
        while part := await reader.read(65_536):
            found += part
    return bytes(found)


@asynccontextmanager
async def _serving(service: Service) -> AsyncIterator[None]:
    config = configured(BodyLayer(service), "127.0.0.1", 0)
    assert config.http is LimitedProtocol
    config.http, config.lifespan, config.timeout_keep_alive = Observed, "off", 2
    server = uvicorn.Server(config)
    # Signals are pytest's.
    serving = asyncio.create_task(server._serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
            assert not serving.done()
        service.port = server.servers[0].sockets[0].getsockname()[1]
        yield
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    Observed.taken = 0
    made = Service()
    async with _serving(made):
        yield made


def _without_end(part: bytes, size: int = 65_536) -> list[bytes]:
    """The same bytes again and again, in writes of the size."""
    return list(repeat(part * (size // len(part)), ENOUGH // size))


class TestTooLarge:
    @pytest.mark.parametrize(
        ("start", "part", "status"),
        [
            (START, b"a: b\r\n", 431),
            (START + b"a: ", b"b" * 100, 431),
            (START, b"b" * 100, 431),
            (b"GET /", b"a" * 100, 414),
            (b"GET /?", b"%20&" * 100, 414),
        ],
        ids=["short headers", "one header", "one name", "path", "query"],
    )
    async def test_a_head_without_end_is_cut_off(
        self, service: Service, start: bytes, part: bytes, status: int
    ) -> None:
        answer = await service.say(start, *_without_end(part))
        assert Observed.taken <= LARGEST_HEAD + 2 * READ
        assert service.paths == []
        # The client, who has not stopped sending, may be cut off before it has read the answer.
        assert answer.statuses in ([status], [])

    async def test_trailers_and_sizes_of_chunks_without_end_are_cut_off(
        self, service: Service
    ) -> None:
        start = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        for rest, part in (
            (b"0\r\n", b"a: b\r\n"),
            (b"0\r\na: ", b"b" * 100),
            (b"1;a=", b"b" * 100),
        ):
            Observed.taken = 0
            await service.say(start + rest, *_without_end(part))
            assert Observed.taken <= LARGEST_HEAD + 2 * READ
        assert service.paths == []

    async def test_empty_lines_without_end_are_cut_off(self, service: Service) -> None:
        await service.say(*_without_end(END))
        assert Observed.taken <= LARGEST_HEAD + 2 * READ

    async def test_what_is_refused_is_told_as_the_layers_tell_it(self, service: Service) -> None:
        many = await service.say(START + b"a: b\r\n" * (MOST_HEADERS + 1))
        assert (many.statuses, many.problem["code"]) == ([431], "headers-too-large")
        long = await service.say(b"GET /" + b"a" * LONGEST_URL)
        assert (long.statuses, long.problem["code"]) == ([414], "target-too-long")
        assert long.problem["type"] == "/problems/target-too-long"
        assert service.paths == []

    async def test_what_is_too_large_by_little_reaches_the_layer(self, service: Service) -> None:
        large = await service.say(START + b"a: " + b"b" * LARGEST_HEADERS + END + END)
        assert large.statuses == [431]
        long = await service.say(b"GET /" + b"a" * LONGEST_TARGET + b" HTTP/1.1\r\n\r\n")
        assert long.statuses == [414]
        for answer in (large, long):
            assert b'"request_id":""' in answer.got  # the layer that numbers is not there

    async def test_the_largest_head_that_we_take_is_taken(self, service: Service) -> None:
        start = b"GET /%s HTTP/1.1\r\nConnection: close\r\n" % (b"a" * (LONGEST_TARGET - 1))
        headers = (b"a: " + b"b" * 64 + END) * (MOST_HEADERS - 1)
        assert len(headers) > LARGEST_HEADERS
        # In small pieces, of which each is counted.
        head = start + headers[: 69 * 940] + END
        answer = await service.say(*(head[at : at + 9_000] for at in range(0, len(head), 9_000)))
        assert answer.statuses == [200]


class TestPipelining:
    async def test_what_was_asked_before_is_still_answered(self, service: Service) -> None:
        gated = START.replace(b"/ ", b"/gate ") + END
        asking = asyncio.create_task(service.say(gated + START + b"a: b\r\n" * 2_000))
        await asyncio.sleep(0.1)
        service.gate.set()
        assert (await asking).statuses == [200]

    async def test_a_head_that_waits_for_answers_is_not_late(self, service: Service) -> None:
        gated = START.replace(b"/ ", b"/gate ") + END
        half, rest = LAST[:20], LAST[20:]
        asking = asyncio.create_task(service.say(gated + half, pause=SECONDS * 2, then=rest))
        await asyncio.sleep(SECONDS * 1.8)
        assert not asking.done()
        service.gate.set()
        assert (await asking).statuses == [200, 200]

    async def test_only_so_many_requests_wait(self, service: Service) -> None:
        answer = await service.say((START + END) * MOST_WAITING + LAST)
        assert answer.statuses == [200] * (MOST_WAITING + 1)
        answer = await service.say((START + END) * 10_000)
        assert answer.statuses == [200] * (MOST_WAITING + 1)
        assert answer.seconds < SECONDS * 4


class TestSlow:
    @pytest.mark.parametrize(
        "parts",
        [
            [b""],
            [b"G"],
            [END],
            list(repeat(END, 60)),
            [START, *repeat(b"a: b\r\n", 60)],
            [b"GET /", *repeat(b"a", 60)],
        ],
        ids=["nothing", "a byte", "an empty line", "empty lines", "headers", "path"],
    )
    async def test_a_head_that_does_not_end_in_time_is_not_waited_for(
        self, service: Service, parts: list[bytes]
    ) -> None:
        answer = await service.say(*parts, pause=0.1 if len(parts) > 1 else 0)
        assert answer.got == b""
        assert Observed.taken < 200
        assert SECONDS * 0.9 < answer.seconds < SECONDS * 6

    async def test_the_second_head_of_a_connection_has_as_long_as_the_first(
        self, service: Service
    ) -> None:
        answer = await service.say(START + END, b"GET", pause=SECONDS / 2)
        assert answer.statuses == [200]
        assert SECONDS * 1.4 < answer.seconds < 2
        # Silence is uvicorn's, which is more patient here.
        answer = await service.say(START + END, pause=SECONDS * 2, then=LAST)
        assert answer.statuses == [200, 200]

    async def test_a_body_may_take_longer(self, service: Service) -> None:
        start = b"POST / HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        answer = await service.say(start, b"a", pause=SECONDS, then=b"b")
        assert answer.got.endswith(b"\r\n\r\n2")


class TestAsBefore:
    async def test_requests_are_answered_one_after_the_other(self, service: Service) -> None:
        assert (await service.say(LAST)).statuses == [200]
        answer = await service.say(START + END, START, END + LAST, pause=0.1)
        assert answer.statuses == [200, 200, 200]
        assert (await service.say((START + END) * 5 + LAST)).statuses == [200] * 6

    async def test_a_body_of_a_megabyte_arrives_with_and_without_a_length(
        self, service: Service
    ) -> None:
        body = b"a" * LARGEST
        start = b"POST / HTTP/1.1\r\nHost: a\r\n"
        whole = start + b"Content-Length: %d\r\n\r\n" % LARGEST + body
        chunks = b"".join(b"1f4\r\n%s\r\n" % body[at : at + 500] for at in range(0, LARGEST, 500))
        parts = start + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        answer = await service.say(whole + parts + LAST)
        assert answer.statuses == [200, 200, 200]
        assert answer.got.count(b"\r\n\r\n1000000") == 2

    async def test_trailers_are_read_and_thrown_away(self, service: Service) -> None:
        start = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        answer = await service.say(start + b"2\r\nab\r\n0\r\nAuthorization: mine\r\n\r\n")
        assert answer.got.endswith(b"\r\n\r\n2")
        assert [name for name, _ in service.headers] == [b"transfer-encoding", b"connection"]

    async def test_garbage_is_answered_by_uvicorn(self, service: Service) -> None:
        assert (await service.say(b"\x00" * 100)).statuses == [400]

    async def test_a_websocket_is_refused(self, service: Service) -> None:
        answer = await service.say(
            START
            + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert answer.statuses == [403]
