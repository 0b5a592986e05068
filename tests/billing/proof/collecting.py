"""A state machine that brings the books to Stripe, with faults on the way and deaths anywhere.

Months go by and are closed; jobs collect them at once, in any order, and die at any await;
replies are lost, requests refused or answered with 500, keys forgotten; customers pay, fail to,
or never do, also while a job is at work; webhooks come late, twice, shuffled, or not at all. Then
everything is healed, and ledger, statements, invoices, Stripe and our rows of it are one thing.
"""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from flatbed.billing.gateway.fake.faults import Fault
from flatbed.billing.gateway.fake.webhooks import Mischief
from tests.billing.proof.machine import ISV, PICK, ZONES
from tests.billing.proof.till_driver import (
    BUSY,
    CORRECTIONS,
    FAULT_KINDS,
    JOBS,
    METHODS,
    NEWS,
    PAYMENTS,
    WAITS,
    TillDriver,
)

AWAIT = st.integers(1, 60)
NEWEST = 4
"""Picks the newest invoice or credit note."""
FAULTS = st.lists(
    st.builds(
        Fault,
        st.sampled_from(FAULT_KINDS),
        times=st.integers(1, 5),
        after=st.integers(0, 6),
        method=st.sampled_from(METHODS),
    ),
    max_size=2,
)
"""What goes wrong on the way to Stripe from now on."""


class CollectingMachine(TillDriver, RuleBasedStateMachine):
    """Ledger, statements and Stripe."""

    @initialize(
        zones=st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)),
        picks=st.lists(PICK, min_size=3, max_size=5),
        at=AWAIT,
    )
    def begin(self, zones: tuple[str, str], picks: list[int], at: int) -> None:
        """A realm, two ISVs, a closed month, and an account at Stripe; some of what is rare."""
        self.run(self._open(zones, picks))
        at = (at + self.salt) % 60 + 1
        self._plan(Fault(FAULT_KINDS[at % len(FAULT_KINDS)], after=at % 3))
        jobs = ("dies", "all", "a day later", "paid meanwhile", "at once")
        for how in jobs[self.salt % 2 : 4 + self.salt % 2]:
            self.run(self._collect(how, 0, NEWEST, at, "pay"))
        for what in ("webhooks", "apply", "gaps"):
            self.run(self._hear(what, 0, at))
        self.days(BUSY)

    @rule(
        who=ISV,
        picks=st.lists(PICK, min_size=1, max_size=3),
        correction=st.sampled_from(CORRECTIONS),
        closes=st.sampled_from([True, True, False]),
    )
    def month(self, who: int, picks: list[int], correction: str, closes: bool) -> None:
        """Units are metered and taken, something is corrected, and the month is closed."""
        self.run(self._month(who, picks, correction, closes=closes))

    @rule(
        jobs=st.lists(
            st.tuples(st.sampled_from(JOBS), ISV, PICK, AWAIT, st.sampled_from(PAYMENTS)),
            min_size=2,
            max_size=5,
        ),
        faults=FAULTS,
    )
    def collect(self, jobs: list[tuple[str, int, int, int, str]], faults: list[Fault]) -> None:
        """Jobs do their work, or die of it, several at one invoice, or while it is being paid."""
        for one in faults:
            self._plan(replace(one))
        for how, who, pick, at, payment in jobs:
            self.run(self._collect(how, who, pick, at, payment))

    @rule(acts=st.lists(st.tuples(PICK, st.sampled_from(PAYMENTS)), min_size=2, max_size=4))
    def customers(self, acts: list[tuple[int, str]]) -> None:
        """Customers pay, fail to, or want money back."""
        for pick, how in acts:
            self._customer(pick, how)

    @rule(
        news=st.lists(st.tuples(st.sampled_from(NEWS), PICK, AWAIT), min_size=2, max_size=6),
        doubled=st.sampled_from([0, 50, 100]),
        shuffled=st.booleans(),
    )
    def hear(self, news: list[tuple[str, int, int]], doubled: int, shuffled: bool) -> None:
        """Webhooks come or are lost, events are applied, gaps are filled; somebody dies of it."""
        self.till.fake.control.mischief(Mischief(shuffled=shuffled, doubled_percent=doubled))
        for what, pick, at in news:
            self.run(self._hear(what, pick, at))

    @rule(many=st.integers(3, 8))
    def days(self, many: int) -> None:
        """Some of everything, each as likely."""
        for _ in range(many):
            self._anything()

    @rule(who=ISV, at=AWAIT, pick=PICK)
    def reconcile(self, who: int, at: int, pick: int) -> None:
        """Compare, and die at it or not; what is found blocks the next closing."""
        self.run(self._reconcile(who, at if pick % 3 == 0 else at + 1000))
        self.act(who, self.fact(who, "decide", pick))

    @rule(seconds=st.sampled_from(WAITS))
    def wait(self, seconds: int) -> None:
        """Keys are forgotten, circuits close, invoices become overdue."""
        self._wait(seconds)

    def teardown(self) -> None:
        """Heal, close once more, settle, and hold everything."""
        try:
            if hasattr(self, "till"):
                self.run(self._finish())
        finally:
            self.run(self.stack.aclose())
