"""Codes by time: taken once, a step early or late."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyotp import TOTP

from flatbed.tenants.people.rules.totp import accepted_step

# RFC 6238, appendix B: SHA-1; its eight digits end with our six.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_CODES = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
AT = 1_800_000_000
STEP = AT // 30
SECRET = RFC_SECRET


def code(step: int) -> str:
    return TOTP(SECRET).at(step * 30)


class TestAcceptedStep:
    @pytest.mark.parametrize("at", RFC_CODES)
    def test_the_codes_of_the_standard(self, at: int) -> None:
        assert accepted_step(RFC_SECRET, RFC_CODES[at][2:], at, None) == at // 30

    @pytest.mark.parametrize(
        ("off", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
    )
    def test_one_step_early_or_late(self, off: int, is_taken: bool) -> None:
        found = accepted_step(SECRET, code(STEP + off), AT, None)
        assert found == (STEP + off if is_taken else None)

    def test_the_window_moves_at_the_thirtieth_second(self) -> None:
        assert accepted_step(SECRET, code(STEP + 2), AT + 29.9, None) is None
        assert accepted_step(SECRET, code(STEP + 2), AT + 30, None) == STEP + 2
        assert accepted_step(SECRET, code(STEP - 1), AT + 29.9, None) == STEP - 1
        assert accepted_step(SECRET, code(STEP - 1), AT + 30, None) is None

    @pytest.mark.parametrize(("last", "is_taken"), [(-1, True), (0, False), (1, False)])
    def test_a_used_one_and_those_before_it_are_not_taken(self, last: int, is_taken: bool) -> None:
        found = accepted_step(SECRET, code(STEP), AT, STEP + last)
        assert found == (STEP if is_taken else None)

    def test_of_used_steps_only_the_later_ones_are_left(self) -> None:
        last = accepted_step(SECRET, code(STEP), AT, None)
        assert accepted_step(SECRET, code(STEP - 1), AT, last) is None
        assert accepted_step(SECRET, code(STEP), AT + 30, last) is None
        assert accepted_step(SECRET, code(STEP + 1), AT, last) == STEP + 1

    def test_a_code_of_two_steps_counts_for_the_later_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(TOTP, "generate_otp", lambda *_: "123456")
        # Else it would be good again in the step that was not marked as used.
        assert accepted_step(SECRET, "123456", AT, None) == STEP + 1

    def test_spaces_do_not_count(self) -> None:
        typed = code(STEP)
        assert accepted_step(SECRET, f" {typed[:3]} {typed[3:]}\n", AT, None) == STEP

    @pytest.mark.parametrize("zero", ["\uff10", "\u0660"])
    def test_other_digits_are_none(self, zero: str) -> None:
        typed = "".join(chr(ord(zero) + int(digit)) for digit in code(STEP))
        assert accepted_step(SECRET, typed, AT, None) is None

    @pytest.mark.parametrize(
        "typed",
        [
            "",
            code(STEP)[:5],
            code(STEP) + "0",
            "0" + code(STEP),
            code(STEP)[:5] + "\u00b2",
            f"{code(STEP)},{code(STEP + 1)}",
            "\ud800" * 6,
            pytest.param("1" * 100_000, id="huge"),
        ],
    )
    def test_another_text_is_not_taken(self, typed: str) -> None:
        assert accepted_step(SECRET, typed, AT, None) is None

    def test_another_secret_has_other_codes(self) -> None:
        assert accepted_step("A" * 32, code(STEP), AT, None) is None

    @given(st.integers(60, 2**33), st.integers(-40, 70), st.none() | st.integers(0, 2**29))
    def test_no_code_is_ever_good_twice(self, at: int, later: int, last: int | None) -> None:
        first = accepted_step(SECRET, code(at // 30), at, last)
        if first is not None:
            again = accepted_step(SECRET, code(at // 30), max(60, at + later), first)
            # Another step may have the same six digits; the same step is not good again.
            assert again != first
