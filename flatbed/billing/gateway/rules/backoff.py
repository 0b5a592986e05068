"""How long to wait after 429 before the same request is sent again. Whole milliseconds."""

from collections.abc import Callable
from typing import Final

MOST_TRIES: Final = 4
"""Requests in all, the first included."""
FIRST_MS: Final = 500
LONGEST_MS: Final = 8_000
"""Nothing waits longer; who is asked to is told, and comes back later by himself."""
_DIGITS: Final = 6


def wait_ms(tries: int, retry_after: str | None, roll: Callable[[int], int]) -> int | None:
    """How long to wait before another try; None: give up now.

    Args:
        tries: requests sent so far, at least 1.
        retry_after: the header's text. Not less than that is waited; what is no whole number of
            seconds is as if absent.
        roll: a random whole number from 0 to below its argument. Spreads callers over half of the
            wait, so that those refused together do not return together.
    """
    if tries >= MOST_TRIES:
        return None
    asked = 1_000 * seconds(retry_after)
    if asked > LONGEST_MS:
        return None
    step = min(FIRST_MS << (tries - 1), LONGEST_MS)
    return max(asked, step // 2) + roll(step // 2 + 1)


def seconds(retry_after: str | None) -> int:
    """The seconds of a ``Retry-After`` header; 0 for none, a date or nonsense."""
    text = (retry_after or "").strip()
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if is_number else 0
