"""The fake on a port."""

import asyncio
import socket
from contextlib import suppress
from typing import Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from flatbed.billing.gateway.fake.app import DROP, FakeStripe

GRACE_S: Final = 2
"""How long requests in flight may go on when it stops."""


class DroppingProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1, whose application may cut the connection."""

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope[DROP] = self.transport.abort  # type: ignore[typeddict-unknown-key]  # a key of our own


def configured(fake: FakeStripe) -> uvicorn.Config:
    """How uvicorn serves the fake."""
    return uvicorn.Config(
        fake,
        http=DroppingProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )


async def serve(fake: FakeStripe, listener: socket.socket, server: uvicorn.Server) -> None:
    """Serve the fake on a socket, and deliver its webhooks, until the server is told to stop."""
    # asyncio sets it on sockets that say they are TCP, which those of `socket.create_server` do
    # not; without it the body of every answer waits 40 ms until its head is acknowledged.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    delivering = asyncio.create_task(fake.keep_delivering())
    try:
        await server.serve(sockets=[listener])
    finally:
        delivering.cancel()
        with suppress(asyncio.CancelledError):
            await delivering
        fake.close()
