"""Waiting for what a worker or a webhook does in its own time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from flatbed.app.demo.client import DemoError

SECONDS: Final = 60
POLL_SECONDS: Final = 0.1
T = TypeVar("T")


async def soon(ask: Callable[[], Awaitable[T | None]], what: str) -> T:
    """The first answer that is not None.

    Args:
        ask: looks once.
        what: is missing, for the person who watches.

    Raises:
        DemoError: there was none in a minute.
    """
    end = time.monotonic() + SECONDS
    while (found := await ask()) is None:
        if time.monotonic() > end:
            raise DemoError(f"{what}: not after {SECONDS} s; see the worker's log")
        await asyncio.sleep(POLL_SECONDS)
    return found
