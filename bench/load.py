"""A client that keeps a server busy: a few connections, each with its next request at once."""

import asyncio
import re
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSES: Final = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_TOKEN: Final = re.compile(rb'"access_token": *"([^"]+)"')


class UnexpectedAnswerError(Exception):
    """The server did not give a token."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A token endpoint, and a client of it that signs in by HTTP Basic."""

    port: int
    path: str
    client_id: str
    client_secret: str = field(repr=False)

    @property
    def request(self) -> bytes:
        """The request for a token of that client."""
        login = b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        body = "grant_type=client_credentials"
        return (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {login}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
            f"\r\n{body}"
        ).encode()


@dataclass(frozen=True, slots=True)
class Load:
    """What a load did: tokens, and the seconds from the first request to the last answer."""

    tokens: int
    seconds: float

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds


async def loaded(endpoint: Endpoint, *, requests: int, connections: int) -> Load:
    """Ask for so many tokens, over so many connections at once.

    Raises:
        UnexpectedAnswerError: an answer was no token.
    """
    left = iter(repeat(None, requests))
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_ask(endpoint, left))
    return Load(requests, time.perf_counter() - began)


async def one_token(endpoint: Endpoint) -> str:
    """A token."""
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    writer.write(endpoint.request)
    token, _ = await _answer(reader)
    writer.close()
    return token


async def until_up(endpoint: Endpoint, seconds: float = 60) -> None:
    """Wait until the server gives tokens.

    Raises:
        TimeoutError: it does not begin to.
    """
    async with asyncio.timeout(seconds):
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                await one_token(endpoint)
                return
            await asyncio.sleep(0.1)


async def _ask(endpoint: Endpoint, left: Iterator[None]) -> None:
    request = endpoint.request
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for _ in left:
        if connection is None:
            connection = await asyncio.open_connection("127.0.0.1", endpoint.port)
        reader, writer = connection
        writer.write(request)
        _, closes = await _answer(reader)
        if closes:
            writer.close()
            connection = None
    if connection is not None:
        connection[1].close()


async def _answer(reader: asyncio.StreamReader) -> tuple[str, bool]:
    """The token, and whether the server closes the connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    if length := _LENGTH.search(head):
        body = await reader.readexactly(int(length[1]))
    elif _CHUNKED.search(head):
        body = await reader.readuntil(b"\r\n0\r\n\r\n")
    else:
        body = await reader.read()
    token = _TOKEN.search(body)
    if not head.startswith(b"HTTP/1.1 200 ") or token is None:
        raise UnexpectedAnswerError(head.partition(b"\r\n")[0].decode())
    return token[1].decode(), _CLOSES.search(head) is not None
