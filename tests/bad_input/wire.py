"""Bytes on a socket to a real server: what no client would ever write."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from socket import socket

import uvicorn
from starlette.types import ASGIApp

from flatbed.tenants.kit.edge.protocol import LimitedProtocol

STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
PATIENCE = 5.0
"""Seconds to wait for an answer, or for the end of the connection."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server's port."""

    port: int

    async def say(self, sent: bytes, *, then: bytes = b"", pause: float = 0.3) -> bytes:
        """Write the bytes, wait, write the rest, end the sending side; what came back.

        Most servers' answers come before the end of the pause, which is then cut short.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        reading = asyncio.create_task(_whole(reader))
        try:
            with suppress(OSError):
                writer.write(sent)
                await writer.drain()
                await asyncio.wait({reading}, timeout=pause)
                writer.write(then)
                await writer.drain()
                writer.write_eof()
            return await asyncio.wait_for(reading, PATIENCE)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _whole(reader: asyncio.StreamReader) -> bytes:
    found = bytearray()
    with suppress(OSError):
        while part := await reader.read(65_536):
            found += part
    return bytes(found)


@asynccontextmanager
async def listening(app: ASGIApp, config: uvicorn.Config | None = None) -> AsyncIterator[Server]:
    """The application behind uvicorn on a free port, in this event loop."""
    config = config or uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http=LimitedProtocol,
        lifespan="off",
        log_config=None,
        timeout_keep_alive=1,
    )
    server = _Quiet(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
            assert not serving.done()
        yield Server(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await serving


class _Quiet(uvicorn.Server):
    """Leaves the process's signals to pytest."""

    async def serve(self, sockets: list[socket] | None = None) -> None:
        await self._serve(sockets)


def statuses(answer: bytes) -> list[int]:
    """The status codes of the answers in what came back."""
    return [int(code) for code in STATUS.findall(answer)]
