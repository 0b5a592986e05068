"""A state machine that does what ISVs and agency may do, in any order, with faults in between.

One realm with two ISVs a run. Each fact is done to the program and told to the model; what the
program answers must be what the model foretells. Of facts that happen at once some order must
explain both the answers and the rows. A collector plugs in as a mixin with rules of its own.
"""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.billing.proof.driver import Driver
from tests.billing.proof.facts import Close, Decide, Move

ZONES = ("Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Tokyo")
KINDS = ("meter", "again", "twin", "replace", "decide", "void", "credit", "close")
FAILPOINTS = (
    "caps.locked",
    "ledger.inserted",
    "ledger.moved",
    "usage.decided",
    "usage.reversed",
    "closing.locked",
    "closing.closed",
    "closing.numbered",
    "closing.billed",
    "closing.written",
)
AWAITS = 45
"""A closing gives up the loop more often, most facts less."""
PICK = st.integers(0, 999)
ISV = st.sampled_from([0, 0, 0, 1])


class BillingMachine(Driver, RuleBasedStateMachine):
    """Ledger and statements."""

    @initialize(
        zones=st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)),
        picks=st.lists(PICK, min_size=3, max_size=5),
    )
    def begin(self, zones: tuple[str, str], picks: list[int]) -> None:
        """A realm, two ISVs, and some units, the first of them accepted."""
        self.run(self._begin(zones, picks))

    @rule(who=ISV, pick=PICK, times=st.integers(2, 4))
    def meter(self, who: int, pick: int, times: int) -> None:
        """Units of one campaign."""
        for _ in range(times):
            self.act(who, self.fact(who, "meter", pick))

    @rule(who=ISV, pick=PICK, kind=st.sampled_from(["again", "twin"]))
    def meter_again(self, who: int, pick: int, kind: str) -> None:
        """The same company, or the same source."""
        self.act(who, self.fact(who, kind, pick))

    @rule(who=ISV, pick=PICK)
    def replace(self, who: int, pick: int) -> None:
        """A unit in place of another."""
        self.act(who, self.fact(who, "replace", pick))

    @rule(who=ISV)
    def accept_all(self, who: int) -> None:
        """The ISV takes everything that is pending."""
        for source, unit in self.books[who].model.units.items():
            if unit.state == "pending":
                self.act(who, Decide(self.later(), source, "accepted"))

    @rule(who=ISV, pick=PICK)
    def decide(self, who: int, pick: int) -> None:
        """Any decision of any unit."""
        self.act(who, self.fact(who, "decide", pick))

    @rule(who=ISV, pick=PICK)
    def void(self, who: int, pick: int) -> None:
        """A unit is taken back."""
        self.act(who, self.fact(who, "void", pick))

    @rule(who=ISV, pick=PICK)
    def credit(self, who: int, pick: int) -> None:
        """A guarantee case."""
        self.act(who, self.fact(who, "credit", pick))

    @rule(who=ISV, pick=PICK)
    def close(self, who: int, pick: int) -> None:
        """Any period: too early, out of order, twice, or rightly."""
        self.act(who, self.fact(who, "close", pick))

    @rule(who=ISV, in_time=st.booleans())
    def preview_and_close(self, who: int, in_time: bool) -> None:
        """Invariant 12: the preview is the statement, also for a sweep that comes late."""
        self.run(self._preview_and_close(who, in_time=in_time))

    @rule(
        who=ISV,
        picks=st.lists(st.tuples(st.sampled_from(KINDS[:-1]), PICK), min_size=1, max_size=3),
        closes=st.booleans(),
    )
    def rush(self, who: int, picks: list[tuple[str, int]], closes: bool) -> None:
        """Several at once, a closing among them or not."""
        if closes:
            self.wait_for_grace(who)
        facts = [self.fact(who, kind, pick) for kind, pick in picks]
        if closes:
            facts.append(Close(self.later(), self.oldest(who)))
        self.run(self._rush(who, [one for one in facts if one is not None]))

    @rule(who=ISV, kind=st.sampled_from(KINDS), pick=PICK, at=st.integers(0, AWAITS))
    def die(self, who: int, kind: str, pick: int, at: int) -> None:
        """Dies at some await, and is done again."""
        fact = self.due(who, kind, pick)
        if fact is not None:
            self.run(
                self._die(
                    who,
                    fact,
                    lambda: self.books[who].isv.dying(fact, (at + self.salt) % AWAITS + 1),
                )
            )

    @rule(who=ISV, kind=st.sampled_from(KINDS), pick=PICK, point=st.sampled_from(FAILPOINTS))
    def fail(self, who: int, kind: str, pick: int, point: str) -> None:
        """Fails at a failpoint, and is done again."""
        fact = self.due(who, "close" if point.startswith("closing") else kind, pick)
        if fact is not None:
            self.run(self._die(who, fact, lambda: self._armed(who, fact, point)))

    @rule(days=st.sampled_from([1, 5, 30]), hours=st.integers(0, 23))
    def wait(self, days: int, hours: int) -> None:
        """Time passes."""
        self.now += timedelta(days=days, hours=hours)

    @rule(who=ISV, zone=st.sampled_from(ZONES))
    def move(self, who: int, zone: str) -> None:
        """An ISV moves."""
        self.act(who, Move(self.later(), zone))

    def teardown(self) -> None:
        """Close once more, then hold every invariant against the rows."""
        if self.books:
            self.run(self._end())
