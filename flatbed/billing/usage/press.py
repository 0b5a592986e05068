"""Where files are made: in a thread, one at a time, with a short line in front of it.

A page of a PDF takes a whole core and much memory; the event loop, and everybody else, must not
wait for it.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from flatbed.billing.usage.errors import PressBusyError

T = TypeVar("T")
PLACES: Final = 3


class Press:
    """Makes one file after the other.

    Args:
        places: how many may be at work and in line at once.
    """

    def __init__(self, places: int = PLACES) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="press")

    async def make(self, work: Callable[[], T]) -> T:
        """The result of the work, which is plain computing on values of its own.

        Raises:
            PressBusyError: the line is full.
        """
        if not self._places.acquire(blocking=False):
            raise PressBusyError
        try:
            future = self._thread.submit(work)
        except BaseException:
            self._places.release()
            raise
        # Not when the caller is gone: the thread works on, and its place stays taken.
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Take no more work, and wait for none."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _leave(self, _: "Future[Any]") -> None:
        self._places.release()
