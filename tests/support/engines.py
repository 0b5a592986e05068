"""Engines that tests hand on to each other.

An engine compiles each statement once: a test that had one of its own would compile them all anew.
Between two tests it is closed, and holds no connection.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from flatbed.tenants.kit.database.engine import Database, create_engine

_IDLE: Final[defaultdict[object, list[AsyncEngine]]] = defaultdict(list)


@contextmanager
def handed_on(database: Database, **settings: Any) -> Iterator[None]:
    """Put an engine that nobody uses now under the database, which is not open yet.

    It is handed on at the end of the block, in which the database was closed. ``settings`` are
    those that not every engine of this URL has.
    """
    idle = _IDLE[database.engine.url, *sorted(settings.items())]
    if idle:
        database.engine = idle.pop()
    engine = database.engine
    yield
    # What is left open has connections of an event loop that is over.
    assert isinstance(engine.pool, QueuePool)
    assert engine.pool.checkedin() == engine.pool.checkedout() == 0
    idle.append(engine)


@asynccontextmanager
async def opened(url: str, **settings: Any) -> AsyncIterator[Database]:
    """A database with the settings of an engine, closed at the end of the block."""
    database = Database(create_engine(url, **settings))
    with handed_on(database, **settings):
        try:
            yield database
        finally:
            await database.close()
