"""The realms at scale: one as large as the run asks for, one a tenth of it, one ten times it."""

from collections.abc import Iterator

import pytest

from tests.conftest import _SUITE
from tests.scale.estate import CANDIDATES, Estate, shared


@pytest.fixture(scope="session")
def estate(request: pytest.FixtureRequest) -> Iterator[Estate]:
    """The realm at scale."""
    with shared(request.config.stash[_SUITE], "scale", CANDIDATES) as found:
        yield found


@pytest.fixture(scope="session")
def tenth(request: pytest.FixtureRequest) -> Iterator[Estate]:
    """A tenth of it, in another database."""
    with shared(request.config.stash[_SUITE], "scale_tenth", CANDIDATES // 10) as found:
        yield found


@pytest.fixture(scope="session")
def tenfold(request: pytest.FixtureRequest) -> Iterator[Estate]:
    """Ten times it, for the long form."""
    with shared(request.config.stash[_SUITE], "scale_tenfold", CANDIDATES * 10) as found:
        yield found
