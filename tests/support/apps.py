"""Applications that tests hand on to each other.

FastAPI analyses an application's routes when they are first called, for half a second of the
processor: a test that made its own application would pay it each time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastapi import FastAPI


class Pool:
    """Applications of one kind that nobody uses now; each is used by one test at a time.

    What a test puts into ``app.state`` is overwritten by the next one.
    """

    def __init__(self, make: Callable[[], FastAPI]) -> None:
        self._make = make
        self._idle: list[FastAPI] = []

    @contextmanager
    def borrowed(self) -> Iterator[FastAPI]:
        """An application for the block."""
        app = self._idle.pop() if self._idle else self._make()
        try:
            yield app
        finally:
            self._idle.append(app)
