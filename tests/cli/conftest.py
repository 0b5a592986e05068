"""A deployment's shell for each test."""

from collections.abc import Iterator

import pytest

from tests.cli.logs import kept_logs
from tests.cli.shell import Shell
from tests.support.postgres import TestDatabase


@pytest.fixture
def shell(database: TestDatabase) -> Iterator[Shell]:
    """The deployment's shell; the logs that a command set up are taken down again."""
    with kept_logs():
        yield Shell(database)
