"""Runs a machine on one loop and database, from a seed that a failure names."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from flatbed.tenants.kit.database.urls import connect
from tests.billing.proof.collecting import CollectingMachine
from tests.billing.proof.machine import BillingMachine
from tests.support.engines import opened
from tests.support.postgres import TestDatabase

SEED = int(os.environ.get("FLATBED_PROOF_SEED", "20261129"))
"""What all choices follow from; each part of a test adds its number."""


@contextmanager
def bench_of(
    machine: type[BillingMachine | CollectingMachine], database: TestDatabase
) -> Iterator[type[BillingMachine | CollectingMachine]]:
    """The machine on a loop, with the program's engine and a superuser's connection."""

    class Bench(machine):  # type: ignore[misc, valid-type] # chosen by the test
        """The machine on this test's loop and database."""

    with asyncio.Runner() as runner:
        things = AsyncExitStack()
        engine = runner.run(things.enter_async_context(opened(database.app_url, pool_size=8)))
        admin = runner.run(connect(database.admin_url))
        Bench.runner = runner
        Bench.shared = engine, admin
        Bench.tally = Counter()
        yield Bench
        runner.run(admin.close())
        runner.run(things.aclose())


def run(
    bench: type[BillingMachine | CollectingMachine], runs: int, steps: int, part: int
) -> Counter[str]:
    """Let it run. Returns what was seen.

    Raises:
        AssertionError: something does not hold; the note says how to see it again.
    """
    began = time.monotonic()
    bench.series, bench.number = f"{SEED}/{part}", 0
    try:
        run_state_machine_as_test(
            seed(SEED + part)(bench),
            settings=settings(
                max_examples=runs,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                phases=(Phase.generate,),
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            ),
        )
    except BaseException as broken:
        broken.add_note(f"run {bench.number} of part {part}: FLATBED_PROOF_SEED={SEED}")
        raise
    print(f"{runs} runs in {time.monotonic() - began:.1f} s: {dict(sorted(bench.tally.items()))}")  # noqa: T201 - kept with a failure
    return bench.tally


def hold(tally: Counter[str], runs: int, floors: Mapping[str, float]) -> None:
    """There was something to find in every run: at least so much of each on average."""
    assert tally["runs"] >= runs
    missing = {what: tally[what] for what, each in floors.items() if tally[what] < each * runs}
    assert not missing, f"{missing} in {runs} runs"
