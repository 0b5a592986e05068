"""What every test may ask for; a test that asks for no database does not pay for one."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import pytest_asyncio

from flatbed.tenants.kit.database.urls import Plain, connect
from tests.support.postgres import Suite, TestDatabase

_SUITE = pytest.StashKey[Suite]()
_FOLDER = "flatbed_suite"
_SCALE = Path(__file__).parent / "scale"


def pytest_configure(config: pytest.Config) -> None:
    """Join the run's folder as an xdist worker, or make it."""
    given = getattr(config, "workerinput", None)
    suite = Suite(Path(given[_FOLDER])) if given else Suite.begin()
    config.stash[_SUITE] = suite
    signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """What Python does by itself; asyncio replaces only Python's own handler, and leaves this one.

    Around each test and each fixture it would put its own there, and Python 3.11 then writes down
    what the fixture returned, for an error that nobody sees: the whole program, with its tables,
    which is slow. Ctrl-C ends the run all the same, without cancelling the test's task first.
    """
    signal.default_int_handler(number, frame)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the run's folder is."""
    node.workerinput[_FOLDER] = str(node.config.stash[_SUITE].folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind, whatever happened in between; workers leave it to the controller."""
    suite = config.stash.get(_SUITE, None)
    if suite is not None and not hasattr(config, "workerinput"):
        suite.end()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the tests at scale, and deselect the long forms unless RUN_LONG=1.

    In a whole run, what comes first is all done by one process: another one would wait while this
    one fills the realms that they share.
    """
    items.sort(key=lambda item: _SCALE not in item.path.parents)
    if os.environ.get("RUN_LONG") == "1":
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session")
def shared_database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """This process's own database, migrated to the newest revision."""
    with _copied(request.config) as made:
        yield made


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """The database of this process, which has the rows of other tests; ``own_database``: none."""
    if request.node.get_closest_marker("own_database") is None:
        yield request.getfixturevalue("shared_database")
        return
    with _copied(request.config, "_own") as made:
        yield made


@contextmanager
def _copied(config: pytest.Config, kind: str = "") -> Iterator[TestDatabase]:
    suite, name = config.stash[_SUITE], os.environ.get("PYTEST_XDIST_WORKER", "main") + kind
    yield suite.database(name)
    suite.drop(name)


@pytest_asyncio.fixture
async def owner_connection(database: TestDatabase) -> AsyncIterator[Plain]:
    """A plain connection as `flatbed_owner`."""
    connection = await connect(database.owner_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def admin_connection(database: TestDatabase) -> AsyncIterator[Plain]:
    """A plain connection as the server's superuser."""
    connection = await connect(database.admin_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def world(database: TestDatabase) -> AsyncIterator[Any]:
    """A fresh sandbox realm on the running program (see tests/api/support.py)."""
    from tests.api.support import new_world  # noqa: PLC0415 - pure tests do not import it

    async with new_world(database) as made:
        yield made
