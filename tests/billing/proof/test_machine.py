"""All invariants that concern ledger and statements, over many runs of the machine."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from flatbed.tenants.kit.database.engine import Database, create_engine
from flatbed.tenants.kit.database.urls import connect
from tests.billing.proof.machine import BillingMachine
from tests.support.postgres import TestDatabase

RUNS, LONG_RUNS = 200, 5_000
PARTS = 4
"""So that they share the cores."""
STEPS = 7
FLOORS = {
    "entries": 7,
    "decisions": 4,
    "statements": 3,
    "lines": 3,
    "rest": 1,
    "invoices": 2,
    "previews": 1,
    "Close done": 1.5,
    "Credit done": 1,
    "rushes": 1,
    "deaths": 0.2,
}
"""At least so many a run on average: no run passes on nothing."""


class Bench(BillingMachine):
    """The machine on this test's loop and database."""


@pytest.fixture
def bench(database: TestDatabase) -> Iterator[type[Bench]]:
    """A loop, an engine of the app's role and a superuser's connection."""
    with asyncio.Runner() as runner:

        async def opened() -> Database:
            return Database(create_engine(database.app_url, pool_size=8))

        engine = runner.run(opened())
        admin = runner.run(connect(database.admin_url))
        Bench.runner = runner
        Bench.shared = engine, admin
        Bench.tally = Counter()
        yield Bench
        runner.run(admin.close())
        runner.run(engine.close())


def run(bench: type[Bench], runs: int) -> Counter[str]:
    """Let it run. Returns what was seen."""
    began = time.monotonic()
    run_state_machine_as_test(
        bench,
        settings=settings(
            max_examples=runs,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    print(f"{runs} runs in {time.monotonic() - began:.1f} s: {dict(sorted(bench.tally.items()))}")  # noqa: T201 - kept with a failure
    return bench.tally


def hold(tally: Counter[str], runs: int) -> None:
    """There was something to find in every run."""
    assert tally["runs"] >= runs
    assert {what: tally[what] for what, each in FLOORS.items() if tally[what] < each * runs} == {}


class TestMachine:
    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("part", range(PARTS))
    def test_the_books_are_the_models_whatever_happens_in_between(
        self, bench: type[Bench], part: int
    ) -> None:
        assert part < PARTS
        hold(run(bench, RUNS // PARTS), RUNS // PARTS)

    @pytest.mark.long
    @pytest.mark.timeout(7200)
    def test_the_same_over_thousands_of_runs(self, bench: type[Bench]) -> None:
        hold(run(bench, LONG_RUNS), LONG_RUNS)
