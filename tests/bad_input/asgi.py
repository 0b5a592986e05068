"""Requests of any bytes to the application in process: what no HTTP client would let through."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx
from starlette.types import ASGIApp, Message

from tests.api.support import BASE_URL, World

HOST = BASE_URL.rpartition("/")[2].encode()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a server would hand it on; ``path`` and ``query`` are percent-encoded."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


@dataclass(slots=True)
class Answer:
    """What came back, and in how many seconds."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: it is not JSON in UTF-8.
        """
        return json.loads(self.body.decode())


def application(world: World) -> ASGIApp:
    """The application that the world's clients talk to."""
    transport = world.http._transport
    assert isinstance(transport, httpx.ASGITransport)
    app: ASGIApp = transport.app
    return app


async def ask(app: ASGIApp, asked: Asked) -> Answer:
    """Send one request; an exception that leaves the application is the caller's."""
    answer = Answer()
    headers = [(b"host", HOST), *asked.headers]
    if asked.body:
        headers.append((b"content-length", str(len(asked.body)).encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": asked.method,
        "scheme": "http",
        "path": unquote(asked.path),
        "raw_path": asked.path.encode(),
        "root_path": "",
        "query_string": asked.query.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 50_000),
        "server": ("flatbed.example", 80),
        "state": {},
    }
    pending = [{"type": "http.request", "body": asked.body, "more_body": False}]
    body = bytearray()

    async def receive() -> Message:
        if pending:
            return pending.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {n.decode().lower(): v.decode() for n, v in message["headers"]}
        else:
            body.extend(message.get("body", b""))

    started = time.perf_counter()
    await app(scope, receive, send)
    answer.seconds = time.perf_counter() - started
    answer.body = bytes(body)
    return answer
