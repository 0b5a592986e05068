"""The pure rules: circuit, back-off, signatures."""

import time

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from flatbed.billing.gateway.rules import backoff
from flatbed.billing.gateway.rules.breaker import Breaker, Permit, State
from flatbed.billing.gateway.rules.signature import TOLERANCE_S, Untrusted, sign, verify
from tests.billing.gateway.house import SECRET, least


def most(below: int) -> int:
    return below - 1


PAYLOAD = b'{"id": "evt_1", "object": "event"}'
NOW = 1_800_000_000


class Clock:
    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return self.ms


def _admitted(breaker: Breaker) -> Permit:
    permit = breaker.admit()
    assert permit is not None
    return permit


def _state(breaker: Breaker) -> State:
    return breaker.state


def _opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock, trips_after=3, pause_ms=1_000)
    for _ in range(3):
        breaker.failed(_admitted(breaker))
    return breaker


class TestBreaker:
    def test_it_opens_after_failures_in_a_row_only(self) -> None:
        breaker = Breaker(Clock(), trips_after=3)
        for _ in range(10):
            breaker.failed(_admitted(breaker))
            breaker.failed(_admitted(breaker))
            breaker.succeeded(_admitted(breaker))
        assert _state(breaker) is State.CLOSED
        for _ in range(3):
            breaker.failed(_admitted(breaker))
        assert _state(breaker) is State.OPEN
        assert breaker.admit() is None

    def test_after_the_pause_one_trial_passes(self) -> None:
        clock = Clock()
        breaker = _opened(clock)
        clock.ms = 999
        assert (breaker.admit(), breaker.wait_ms()) == (None, 1)
        clock.ms = 1_000
        assert _state(breaker) is State.HALF_OPEN
        assert _admitted(breaker).is_trial
        assert breaker.admit() is None

    def test_a_good_trial_closes_and_a_bad_one_opens_again(self) -> None:
        clock = Clock()
        breaker = _opened(clock)
        clock.ms = 1_000
        breaker.failed(_admitted(breaker))
        assert (_state(breaker), breaker.wait_ms()) == (State.OPEN, 1_000)
        clock.ms = 2_000
        breaker.succeeded(_admitted(breaker))
        assert _state(breaker) is State.CLOSED
        # And it counts from zero.
        breaker.failed(_admitted(breaker))
        breaker.failed(_admitted(breaker))
        assert _state(breaker) is State.CLOSED

    def test_a_straggler_neither_closes_nor_opens(self) -> None:
        clock = Clock()
        breaker = Breaker(clock, trips_after=1, pause_ms=1_000)
        early, other = _admitted(breaker), _admitted(breaker)
        breaker.failed(_admitted(breaker))
        breaker.succeeded(early)
        assert _state(breaker) is State.OPEN
        clock.ms = 1_000
        breaker.succeeded(_admitted(breaker))
        breaker.failed(other)
        assert _state(breaker) is State.CLOSED

    def test_an_abandoned_trial_leaves_room_for_another(self) -> None:
        clock = Clock()
        breaker = _opened(clock)
        clock.ms = 1_000
        breaker.abandoned(_admitted(breaker))
        assert _admitted(breaker).is_trial

    @given(st.lists(st.sampled_from(["good", "bad", "cancelled", "wait"]), max_size=60))
    def test_it_never_shuts_for_ever_and_never_lets_two_trials_pass(self, story: list[str]) -> None:
        clock = Clock()
        breaker = Breaker(clock, trips_after=2, pause_ms=10)
        for step in story:
            if step == "wait":
                clock.ms += 10
                continue
            permit = breaker.admit()
            if permit is None:
                assert _state(breaker) is State.OPEN
                continue
            if permit.is_trial:
                assert breaker.admit() is None
            verdicts = {
                "good": breaker.succeeded,
                "bad": breaker.failed,
                "cancelled": breaker.abandoned,
            }
            verdicts[step](permit)
        clock.ms += 10
        breaker.succeeded(_admitted(breaker))
        assert _state(breaker) is State.CLOSED


class TestBackoff:
    def test_waits_double_and_end(self) -> None:
        shortest = [backoff.wait_ms(tries, None, least) for tries in range(1, 5)]
        longest = [backoff.wait_ms(tries, None, most) for tries in range(1, 5)]
        assert shortest == [250, 500, 1_000, None]
        assert longest == [500, 1_000, 2_000, None]

    def test_what_is_asked_for_is_the_least(self) -> None:
        assert backoff.wait_ms(1, "2", least) == 2_000
        assert backoff.wait_ms(1, "2", most) == 2_250
        assert backoff.wait_ms(3, "0", least) == 1_000

    def test_who_is_asked_for_too_much_gives_up(self) -> None:
        assert backoff.wait_ms(1, "8", least) == 8_000
        assert backoff.wait_ms(1, "9", least) is None

    @pytest.mark.parametrize(
        "text",
        [None, "", "soon", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "1e9", "٣", "9" * 9],
    )
    def test_nonsense_is_as_if_absent(self, text: str | None) -> None:
        assert backoff.seconds(text) == 0
        assert backoff.wait_ms(1, text, least) == 250


class TestSignature:
    def test_what_the_library_signs_holds(self) -> None:
        header = stripe.WebhookSignature.generate_signature_header(PAYLOAD.decode(), SECRET, NOW)
        verify(PAYLOAD, header, SECRET, NOW)

    def test_what_we_sign_holds_for_the_library(self) -> None:
        now = int(time.time())
        event = stripe.Webhook.construct_event(PAYLOAD, sign(PAYLOAD, SECRET, now), SECRET)
        assert event.id == "evt_1"

    @pytest.mark.parametrize(
        ("offset", "code"),
        [
            (-TOLERANCE_S, None),
            (-TOLERANCE_S - 1, "too-old"),
            (TOLERANCE_S, None),
            (TOLERANCE_S + 1, "in-the-future"),
        ],
    )
    def test_the_tolerance_holds_in_both_directions(self, offset: int, code: str | None) -> None:
        header = sign(PAYLOAD, SECRET, NOW + offset)
        if code is None:
            verify(PAYLOAD, header, SECRET, NOW)
            return
        with pytest.raises(Untrusted) as untrusted:
            verify(PAYLOAD, header, SECRET, NOW)
        assert untrusted.value.code == code

    def test_the_library_takes_a_signature_from_next_year_and_we_do_not(self) -> None:
        now = int(time.time())
        header = sign(PAYLOAD, SECRET, now + 365 * 86_400)
        assert stripe.Webhook.construct_event(PAYLOAD, header, SECRET)
        with pytest.raises(Untrusted):
            verify(PAYLOAD, header, SECRET, now)

    def test_one_of_two_signatures_is_enough(self) -> None:
        good = sign(PAYLOAD, SECRET, NOW).partition(",")[2]
        verify(PAYLOAD, f"t={NOW},v1={'0' * 64},{good},v0=abc", SECRET, NOW)

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "t=,v1=",
            f"t={NOW}",
            "v1=" + "0" * 64,
            f"t={NOW},t={NOW},v1=0",
            f"t=-{NOW},v1=0",
            f"t={NOW}.0,v1=0",
            f"t={NOW},v0={'0' * 64}",
            f"t={NOW},v1=ä",
            f"t={NOW},v1=" + "0" * 5_000,
        ],
    )
    def test_a_header_that_is_none_is_malformed(self, header: str) -> None:
        with pytest.raises(Untrusted) as untrusted:
            verify(PAYLOAD, header, SECRET, NOW)
        assert untrusted.value.code == "malformed"

    def test_two_times_do_not_smuggle_an_old_signature(self) -> None:
        old = sign(PAYLOAD, SECRET, NOW - 10_000)
        with pytest.raises(Untrusted):
            verify(PAYLOAD, f"{old},t={NOW}", SECRET, NOW)

    @given(st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 2**33))
    def test_another_payload_time_or_secret_never_holds(
        self, payload: bytes, other: bytes, at: int
    ) -> None:
        header = sign(payload, SECRET, at)
        verify(payload, header, SECRET, at)
        for changed in (payload + b" ", other if other != payload else other + b"x"):
            with pytest.raises(Untrusted):
                verify(changed, header, SECRET, at)
        with pytest.raises(Untrusted):
            verify(payload, header, f"{SECRET}x", at)
        with pytest.raises(Untrusted):
            verify(payload, header.replace(f"t={at}", f"t={at + 1}"), SECRET, at)
