"""The real program behind a real socket, in this process."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from flatbed.app.wiring import Program
from flatbed.tenants.kit.edge.protocol import LimitedProtocol
from tests.api.support import APPS

SECONDS = 20


@asynccontextmanager
async def listening(program: Program, listener: socket.socket | None = None) -> AsyncIterator[int]:
    """The port of a uvicorn that serves the program, for the block; the program closes with it.

    Args:
        program: what is served.
        listener: a socket that was opened before, so that the program knows its own address.
    """
    listener = listener or socket.create_server(("127.0.0.1", 0))
    with APPS.borrowed() as app, listener:
        app.state.opened = program
        config = uvicorn.Config(
            app, http=LimitedProtocol, log_config=None, access_log=False, lifespan="on"
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(SECONDS):
                # Uvicorn sets a flag, and no event.
                while not server.started and not serving.done():  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.01)
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            await serving
