"""One deployment for all crash tests of a process."""

from collections.abc import Iterator

import pytest

from tests.faults.house import House
from tests.support.lasting import lasting_tokens

__all__ = ["house", "lasting_tokens"]


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    """A deployment of its own; its API and worker are started by whoever needs them."""
    made = House.open()
    yield made
    made.close()
