"""All invariants over many runs of the machines, each of them with something to find."""

import pytest

from tests.billing.proof.bench import bench_of, hold, run
from tests.billing.proof.collecting import CollectingMachine
from tests.billing.proof.machine import BillingMachine
from tests.support.postgres import TestDatabase

PARTS, LONG_PARTS = range(4), range(100, 110)
"""So that they share the cores."""
BOOKS_RUNS, TILL_RUNS = 40, 10
"""Of each part: 200 in all."""
BOOKS_LONG, TILL_LONG = 350, 150
"""Of each part: 5,000 in all."""
BOOKS_STEPS, TILL_STEPS = 7, 4
BOOKS = {
    **{f"invariant {number}": 1.0 for number in range(1, 16) if number not in {5, 11}},
    "invariant 6": 0.4,
    "entries": 5,
    "decisions": 4,
    "statements": 3,
    "lines": 3,
    "rest": 1,
    "invoices": 2,
    "previews": 0.5,
    "Close done": 1.5,
    "Credit done": 0.4,
    "rushes": 0.5,
    "deaths": 0.2,
}
"""At least so many a run on average: no run passes on nothing."""
TILL = {
    **{f"invariant {number}": 1.0 for number in range(1, 16)},
    "entries": 7,
    "statements": 3,
    "invoices": 3,
    "previews": 1.5,
    "collector died": 0.4,
    "collected at once": 0.1,
    "collected paid meanwhile": 0.5,
    "customers: pay": 0.2,
    "faults met": 0.5,
    "webhook": 2,
    "applied": 0.5,
    "gap fillers": 0.5,
    "reconciliations": 0.2,
}


class TestBooks:
    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("part", PARTS)
    def test_the_books_are_the_models_whatever_happens_in_between(
        self, database: TestDatabase, part: int
    ) -> None:
        with bench_of(BillingMachine, database) as bench:
            hold(run(bench, BOOKS_RUNS, BOOKS_STEPS, part), BOOKS_RUNS, BOOKS)

    @pytest.mark.long
    @pytest.mark.timeout(3600)
    @pytest.mark.parametrize("part", LONG_PARTS)
    def test_the_same_over_thousands_of_runs(self, database: TestDatabase, part: int) -> None:
        with bench_of(BillingMachine, database) as bench:
            hold(run(bench, BOOKS_LONG, BOOKS_STEPS, part), BOOKS_LONG, BOOKS)


class TestTill:
    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("part", PARTS)
    def test_stripe_has_what_was_billed_whatever_happens_in_between(
        self, database: TestDatabase, part: int
    ) -> None:
        with bench_of(CollectingMachine, database) as bench:
            hold(run(bench, TILL_RUNS, TILL_STEPS, part), TILL_RUNS, TILL)

    @pytest.mark.long
    @pytest.mark.timeout(3600)
    @pytest.mark.parametrize("part", LONG_PARTS)
    def test_the_same_over_thousands_of_runs(self, database: TestDatabase, part: int) -> None:
        with bench_of(CollectingMachine, database) as bench:
            hold(run(bench, TILL_LONG, TILL_STEPS, part), TILL_LONG, TILL)
