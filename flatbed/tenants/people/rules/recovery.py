"""How a recovery code is written, and read again from what a person typed. Pure."""

from typing import Final

BYTES: Final = 10
"""80 bits: as no HMAC of one can be reversed by trying."""
GROUP: Final = 4
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # pragma: allowlist secret - digits of a base
"""Crockford's base 32: no letter that is taken for another."""
_LENGTH: Final = BYTES * 8 // 5
_VALUES: Final = {
    **{letter: value for value, letter in enumerate(_ALPHABET)},
    "O": 0,
    "I": 1,
    "L": 1,
}
_LONGEST_TYPED: Final = 64


def written(code: bytes) -> str:
    """Four groups of four: ``7KQ2-0M3X-…``."""
    number = int.from_bytes(code)
    digits = [_ALPHABET[(number >> shift) & 31] for shift in range(5 * (_LENGTH - 1), -1, -5)]
    groups = ["".join(digits[begin : begin + GROUP]) for begin in range(0, _LENGTH, GROUP)]
    return "-".join(groups)


def read(typed: str) -> bytes | None:
    """The code; None: it is none.

    Case, spaces and hyphens do not matter, nor O for 0, I and L for 1.
    """
    if len(typed) > _LONGEST_TYPED or not typed.isascii():
        return None
    letters = "".join(typed.replace("-", " ").split()).upper()
    if len(letters) != _LENGTH or any(letter not in _VALUES for letter in letters):
        return None
    number = 0
    for letter in letters:
        number = number << 5 | _VALUES[letter]
    return number.to_bytes(BYTES)
