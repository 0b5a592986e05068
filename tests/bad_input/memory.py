"""Whether memory stays flat: what is still held after many requests, counted by the interpreter."""

import gc
import tracemalloc
from collections.abc import Awaitable, Callable

FLAT = 400_000
"""Bytes that a pass may leave behind: pools, statistics and interned names, not bodies."""


async def growth(one_pass: Callable[[int], Awaitable[None]], *, warm: int, measured: int) -> int:
    """Bytes that the measured passes left behind, after the warm ones filled every cache.

    Each pass gets its number, so that it can send what no pass before it has sent: a cache that
    is keyed by input grows too.
    """
    for number in range(warm):
        await one_pass(number)
    gc.collect()
    tracemalloc.start()
    try:
        await one_pass(warm)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(measured):
            await one_pass(warm + 1 + number)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before
