"""Liveness, which needs nothing, and readiness, which needs a database that serves us."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final, Literal

import asyncpg
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from flatbed.tenants.kit.database.guard import migrations_suffice, takes_writes
from flatbed.tenants.kit.database.limits import server_settings
from flatbed.tenants.kit.database.urls import Plain, connect
from flatbed.tenants.kit.http import reply
from flatbed.tenants.kit.problems import Problem

router = APIRouter(tags=["health"])

READY_SECONDS: Final = 3.0
"""A database that needs longer to answer is not ready."""
FRESH_SECONDS: Final = 0.5
"""How long an answer stands: whoever asks without end still costs one statement at a time."""

LOST: Final = asyncpg.InternalClientError
"""What asyncpg also raises when a connection ends just as it is used."""
SETTINGS: Final = server_settings("flatbed-readiness")


class Health(BaseModel):
    """The process lives, or may be sent requests."""

    status: Literal["ok"]


class NotReadyError(Problem):
    """The database is silent, a standby or lacks migrations, or the process is stopping."""

    status = 503
    code = "not-ready"
    title = "Not ready"
    advice = "Wait; if it stays so, run `flatbed db status`."


@dataclass(slots=True)
class Lifecycle:
    """Whether the process has been told to stop; it may go on serving for a while."""

    leaving: bool = False


@dataclass(slots=True)
class Readiness:
    """Asks the database on a connection of its own, which no load of ours can take away."""

    url: str = field(repr=False)
    _connection: Plain | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _asked: float = float("-inf")
    _answer: bool = False

    async def check(self) -> bool:
        """Whether the database answers, takes writes and has our migrations, or newer ones."""
        async with self._asking:
            if time.monotonic() - self._asked > FRESH_SECONDS:
                self._answer = await self._ask()
                self._asked = time.monotonic()
            return self._answer

    async def _ask(self) -> bool:
        was_open = self._connection is not None
        try:
            async with asyncio.timeout(READY_SECONDS):
                if self._connection is None:
                    self._connection = await connect(self.url, settings=SETTINGS)
                suffice = await migrations_suffice(self._connection)
                # Asked anew each time: the server that we are connected to may be promoted.
                return suffice and await takes_writes(self._connection)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, LOST) as error:
            # Unreachable, silent, starting up, full, or of another password.
            self.close()
            # An old connection may have ended with a server that has since come back.
            is_silent = isinstance(error, TimeoutError)
            return await self._ask() if was_open and not is_silent else False

    def close(self) -> None:
        """Drop the connection without asking the server."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


@router.get("/healthz", operation_id="get_liveness", response_model=Health)
async def get_liveness() -> Response:
    """Say that the process lives. Needs neither database nor load."""
    return reply(Health(status="ok"))


@router.get("/readyz", operation_id="get_readiness", response_model=Health)
async def get_readiness(request: Request) -> Response:
    """Say whether requests may be sent here: the database answers, takes writes and is migrated."""
    state = request.app.state
    if state.lifecycle.leaving or not await state.program.readiness.check():
        raise NotReadyError
    return reply(Health(status="ok"))
