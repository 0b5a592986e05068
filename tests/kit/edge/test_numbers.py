"""The limits that clients and operators rely on, written out: none may change unnoticed."""

import random
from typing import Any

import httpx
import pytest

from flatbed.tenants.kit.edge import admission, bodies, retries
from flatbed.tenants.kit.jobs import runner
from flatbed.tenants.kit.settings import KernelSettings
from tests.kit.edge.scripted import Script, failing, play


def default(name: str) -> Any:
    return KernelSettings.model_fields[name].default


class TestNumbers:
    def test_a_body(self) -> None:
        assert (bodies.LARGEST, bodies.DEEPEST, bodies.MOST_PARTS) == (1_000_000, 32, 50_000)
        assert bodies.SECONDS == 10
        assert bodies.MOST_HELD == 64_000_000

    def test_a_head(self) -> None:
        assert (bodies.LONGEST_TARGET, bodies.LARGEST_HEADERS) == (32_768, 65_536)

    def test_waiting(self) -> None:
        assert admission.SECONDS == default("admission_seconds") == 0.25
        assert default("pool_seconds") == 5
        assert default("pool_size") == 10

    def test_a_job(self) -> None:
        assert runner.LEASE.total_seconds() == 30
        assert runner.ATTEMPTS == 6


class Drawn(random.Random):
    """Remembers between which bounds it was asked to draw."""

    def __init__(self) -> None:
        super().__init__(1)
        self.bounds: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.bounds.append((a, b))
        return super().uniform(a, b)


class TestJitter:
    async def test_the_pause_between_runs_is_drawn_and_grows(
        self, client: httpx.AsyncClient, script: Script, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert isinstance(retries._JITTER, random.SystemRandom)
        drawn = Drawn()
        monkeypatch.setattr(retries, "_JITTER", drawn)
        script.step = failing("40P01", 2)
        assert (await play(client)).status_code == 201
        assert drawn.bounds == [(0, 0.02), (0, 0.04)]
