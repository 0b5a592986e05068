"""The whole program behind a real socket that is its issuer: for browsers and foreign clients."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest_asyncio

from flatbed.app.wiring import build
from tests.api.support import World, open_world, settings_for
from tests.faults.server import listening
from tests.support.postgres import TestDatabase
from tests.support.till import with_stripe


@dataclass(frozen=True)
class Served:
    """A world whose every call goes over the socket, and the address that it is served at."""

    world: World
    url: str


@asynccontextmanager
async def serve(database: TestDatabase) -> AsyncIterator[Served]:
    """A fresh realm behind uvicorn on a free port, for the block; the URL is the issuer."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = settings_for(database).model_copy(update={"public_url": url})
    program = with_stripe(build(settings))
    async with (
        listening(program, listener),
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        yield Served(await open_world(program, http, "sandbox"), url)


@pytest_asyncio.fixture
async def served(database: TestDatabase) -> AsyncIterator[Served]:
    async with serve(database) as found:
        yield found
