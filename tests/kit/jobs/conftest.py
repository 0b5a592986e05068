"""A job of its own for each test, and little patience."""

from datetime import timedelta

import pytest

from flatbed.tenants.kit.ids import uuid7
from flatbed.tenants.kit.jobs import runner


@pytest.fixture
def job() -> str:
    """A name of its own: the queue is shared by the tests of a process."""
    return f"job-{uuid7()}"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "ATTEMPTS", 2)
    monkeypatch.setattr(runner, "FIRST_PAUSE", timedelta(milliseconds=1))
