"""When signing keys turn: by random instants, wishes and processes whose keys are old."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from flatbed.tenants.oauth.rules.rotation import (
    ACTIVE,
    LIFETIME,
    NEXT,
    OVERLAP,
    PUBLISHED,
    RETIRED,
    SIGNS_FOR,
    KeyRecord,
    Plan,
    Wish,
    find,
    is_published,
    plan,
    promotable_from,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PERIOD = timedelta(days=90)
SECOND = timedelta(seconds=1)
YOUNG = KeyRecord("active", ACTIVE, BEGIN, BEGIN)
FOLLOWING = KeyRecord("next", NEXT, BEGIN)


@dataclass
class Deployment:
    """Keys as the database would hold them, and the tokens that processes signed with them."""

    now: datetime = BEGIN
    keys: list[KeyRecord] = field(default_factory=lambda: [YOUNG])
    history: list[tuple[datetime, str]] = field(default_factory=lambda: [(BEGIN, "active")])
    """Since when which key signs."""
    tokens: list[tuple[str, datetime]] = field(default_factory=list)
    """By which key, and when it expires."""
    _numbers: count = field(default_factory=count)  # type: ignore[type-arg]  # of int

    def turn(self, wish: Wish, revoke: str | None = None) -> Plan:
        todo = plan(self.keys, self.now, wish, period=PERIOD, revoke={revoke} if revoke else ())
        self.keys = [self._changed(key, todo) for key in self.keys]
        for state in todo.make:
            since = self.now if state == ACTIVE else None
            kid = f"key-{next(self._numbers)}"
            self.keys.append(KeyRecord(kid, state, self.now, since))
        signs = find(self.keys, ACTIVE)
        assert signs is not None
        if signs.kid != self.history[-1][1]:
            self.history.append((self.now, signs.kid))
        return todo

    def sign(self, age: timedelta) -> None:
        """A process whose keys were read so long ago signs."""
        read_at = max(self.now - age, BEGIN)
        kid = [kid for since, kid in self.history if since <= read_at][-1]
        self.tokens.append((kid, self.now + LIFETIME))

    def _changed(self, key: KeyRecord, todo: Plan) -> KeyRecord:
        if key.kid in todo.revoke or key.kid == todo.retire:
            revoked = self.now if key.kid in todo.revoke else None
            at = key.retired_at or self.now
            key = replace(key, state=RETIRED, retired_at=at, revoked_at=revoked)
        if key.kid == todo.promote:
            key = replace(key, state=ACTIVE, activated_at=self.now)
        return key

    def states(self, state: str) -> int:
        return sum(key.state == state for key in self.keys)


GAPS = st.one_of(
    st.integers(1, 2_000), st.integers(1, 200_000), st.integers(1, 10_000_000)
)  # seconds
STEPS = st.lists(
    st.tuples(
        GAPS,
        st.sampled_from([Wish.SCHEDULE, Wish.SCHEDULE, Wish.ON_DEMAND, Wish.AT_ONCE]),
        st.sampled_from([None, None, None, ACTIVE, NEXT, RETIRED]),
        st.integers(0, int(SIGNS_FOR.total_seconds())),
    ),
    max_size=25,
)


class TestAnyHistory:
    @settings(max_examples=300)
    @given(STEPS)
    def test_one_key_signs_none_too_early_and_each_is_published_while_a_token_of_it_lives(
        self, steps: list[tuple[int, Wish, str | None, int]]
    ) -> None:
        here = Deployment()
        for gap, wish, target, age in steps:
            here.now += timedelta(seconds=gap)
            before = {key.kid: key for key in here.keys}
            aimed = find(here.keys, target) if target else None
            todo = here.turn(wish, aimed.kid if aimed else None)
            here.sign(timedelta(seconds=age))
            assert here.states(ACTIVE) == here.states(NEXT) == 1
            after = {key.kid: key for key in here.keys}
            assert before.keys() <= after.keys()
            for kid, key in before.items():
                if key.state == RETIRED:
                    assert after[kid].state == RETIRED
            forced = wish is Wish.AT_ONCE or target == ACTIVE
            if todo.rotates and not forced:
                assert todo.promote is not None
                assert here.now - before[todo.promote].created_at >= PUBLISHED
            for kid, expires in here.tokens:
                if here.now < expires and after[kid].revoked_at is None:
                    assert is_published(after[kid], here.now)
            assert not any(is_published(k, here.now) for k in here.keys if k.revoked_at)

    @given(st.lists(st.integers(1, 86_400), min_size=1, max_size=60))
    def test_by_schedule_none_signs_for_less_than_its_period(self, gaps: list[int]) -> None:
        here = Deployment()
        for gap in gaps:
            here.now += timedelta(seconds=gap * 100)
            here.turn(Wish.SCHEDULE)
        turns = [since for since, _ in here.history]
        for earlier, later in pairwise(turns):
            assert later - earlier >= PERIOD


class TestSchedule:
    def test_a_next_key_is_made_where_there_is_none(self) -> None:
        assert plan([YOUNG], BEGIN, Wish.SCHEDULE, period=PERIOD) == Plan(make=(NEXT,))

    def test_it_signs_when_the_period_is_over_and_another_is_made(self) -> None:
        keys, due = [YOUNG, FOLLOWING], BEGIN + PERIOD
        assert plan(keys, due - SECOND, Wish.SCHEDULE, period=PERIOD) == Plan()
        assert plan(keys, due, Wish.SCHEDULE, period=PERIOD) == Plan(
            retire="active", promote="next", make=(NEXT,)
        )

    def test_a_key_that_was_published_too_late_waits_for_its_24_hours(self) -> None:
        late = replace(FOLLOWING, created_at=BEGIN + PERIOD)
        keys, first = [YOUNG, late], BEGIN + PERIOD + PUBLISHED
        assert promotable_from(late) == first
        assert plan(keys, first - SECOND, Wish.SCHEDULE, period=PERIOD) == Plan()
        assert plan(keys, first, Wish.SCHEDULE, period=PERIOD).promote == "next"

    def test_without_an_active_key_nothing_is_done(self) -> None:
        for wish in Wish:
            assert plan([FOLLOWING], BEGIN + PERIOD, wish, period=PERIOD) == Plan()


class TestOnDemand:
    def test_the_next_key_signs_from_its_24_hours_on(self) -> None:
        keys, first = [YOUNG, FOLLOWING], BEGIN + timedelta(hours=24)
        assert plan(keys, first - SECOND, Wish.ON_DEMAND, period=PERIOD) == Plan()
        assert plan(keys, first, Wish.ON_DEMAND, period=PERIOD).promote == "next"

    def test_at_once_it_signs_however_young_and_a_new_one_where_there_is_none(self) -> None:
        assert plan([YOUNG, FOLLOWING], BEGIN, Wish.AT_ONCE, period=PERIOD) == Plan(
            retire="active", promote="next", make=(NEXT,)
        )
        assert plan([YOUNG], BEGIN, Wish.AT_ONCE, period=PERIOD) == Plan(
            retire="active", make=(ACTIVE, NEXT)
        )


class TestRevoke:
    def test_a_revoked_active_key_is_replaced_at_once(self) -> None:
        done = plan([YOUNG, FOLLOWING], BEGIN, Wish.SCHEDULE, period=PERIOD, revoke={"active"})
        assert done == Plan(frozenset({"active"}), "active", "next", (NEXT,))

    def test_a_revoked_next_key_never_signs(self) -> None:
        keys = [YOUNG, FOLLOWING]
        done = plan(keys, BEGIN, Wish.SCHEDULE, period=PERIOD, revoke={"next"})
        assert done == Plan(frozenset({"next"}), make=(NEXT,))
        done = plan(keys, BEGIN, Wish.AT_ONCE, period=PERIOD, revoke={"active", "next"})
        assert done == Plan(frozenset({"active", "next"}), "active", None, (ACTIVE, NEXT))

    def test_twice_is_once(self) -> None:
        gone = replace(FOLLOWING, kid="gone", state=RETIRED, retired_at=BEGIN, revoked_at=BEGIN)
        keys = [YOUNG, FOLLOWING, gone]
        assert plan(keys, BEGIN, Wish.SCHEDULE, period=PERIOD, revoke={"gone"}) == Plan()


class TestPublished:
    def test_a_retired_key_is_until_its_last_token_has_expired_everywhere(self) -> None:
        assert timedelta(minutes=21) == OVERLAP
        assert OVERLAP >= SIGNS_FOR + LIFETIME
        retired = replace(YOUNG, state=RETIRED, retired_at=BEGIN)
        assert is_published(retired, BEGIN + OVERLAP - SECOND)
        assert not is_published(retired, BEGIN + OVERLAP)

    def test_a_revoked_key_is_not(self) -> None:
        revoked = replace(YOUNG, state=RETIRED, retired_at=BEGIN, revoked_at=BEGIN)
        assert not is_published(revoked, BEGIN)
        assert is_published(YOUNG, BEGIN)
        assert is_published(FOLLOWING, BEGIN)
