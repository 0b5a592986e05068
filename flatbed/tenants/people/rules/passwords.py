"""Which passwords are taken. Pure.

A password is long, and is more than the first guesses of everybody: what is left of it without
common words, rows of keys and the person's own address must still be something.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

SHORTEST: Final = 12
LONGEST: Final = 128
"""Characters, after normalisation."""
LONGEST_RAW: Final = 4 * LONGEST
"""Characters as typed: what is longer is not normalised, which costs more than its length."""
LEAST_LEFT: Final = 5
"""Letters and digits that must be left, and different characters in the whole."""
LONGEST_UNIT: Final = 8

PRODUCT: Final = "flatbed"
_WORDS: Final = (
    "password",
    "passwort",
    "kennwort",
    "passphrase",
    "geheim",
    "secret",
    "login",
    "admin",
    "administrator",
    "welcome",
    "willkommen",
    "letmein",
    "iloveyou",
    "ichliebedich",
    "changeme",
    "default",
    "master",
    "monkey",
    "dragon",
    "football",
    "fussball",
    "baseball",
    "princess",
    "prinzessin",
    "sunshine",
    "schatz",
    "hallo",
    "hello",
    "sommer",
    "winter",
    "herbst",
    "summer",
    "autumn",
    "spring",
    "qwert",
    "frühling",
    "fruehling",
    "januar",
    "january",
    "partner",
    "firma",
    "company",
    "starwars",
    "superman",
    "batman",
    "trustno",
)
_ROWS: Final = (
    "qwertzuiopü",
    "qwertyuiop",
    "asdfghjklöä",
    "yxcvbnm",
    "zxcvbnm",
    "azertyuiop",
    "abcdefghijklmnopqrstuvwxyz",
    "12345678901234567890",
    "1q2w3e4r5t6z7u8i9o0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qay2wsx3edc4rfv5tgb6zhn7ujm8ik9ol0p",  # pragma: allowlist secret - keys of a keyboard
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",  # pragma: allowlist secret - as above, for QWERTY
    "!@#$%^&*()",
    '!"§$%&/()=',
)
_SHORTEST_RUN: Final = 3
_SHORTEST_OWN: Final = 3
_LOOK_ALIKE: Final = str.maketrans("@4031!$57", "aaoeiisst")
_REPEATED: Final = re.compile(rf"(.{{1,{LONGEST_UNIT}}}?)\1+", re.DOTALL)


class Weakness(StrEnum):
    """What is wrong with a password; the value ends the key of the pages' text."""

    SHORT = "too-short"
    LONG = "too-long"
    UNREADABLE = "unreadable-characters"
    COMMON = "too-common"


def normal(password: str) -> str | None:
    """The one spelling of a password (NFKC), or None: it cannot be anybody's.

    The same keys give other bytes on other systems; without it a person who changes his computer
    could not sign in any more.
    """
    if len(password) > LONGEST_RAW or not _is_readable(password):
        return None
    spelt = unicodedata.normalize("NFKC", password)
    return spelt if len(spelt) <= LONGEST else None


def judge(password: str, *, email: str = "") -> Weakness | None:
    """Why the password is not taken; None: it is.

    Args:
        password: as typed.
        email: of the person who wants it.
    """
    if len(password) > LONGEST_RAW:
        return Weakness.LONG
    if not _is_readable(password):
        return Weakness.UNREADABLE
    spelt = unicodedata.normalize("NFKC", password)
    if len(spelt) < SHORTEST:
        return Weakness.SHORT
    if len(spelt) > LONGEST:
        return Weakness.LONG
    if _is_common(spelt, email):
        return Weakness.COMMON
    return None


def _is_readable(text: str) -> bool:
    # A lone surrogate has no bytes; an unassigned character may get another spelling some day.
    return not any(unicodedata.category(letter) in {"Cs", "Cn"} for letter in text)


def _is_common(password: str, email: str) -> bool:
    folded = _folded(password)
    if len(set(folded)) < LEAST_LEFT or _REPEATED.fullmatch(folded):
        return True
    taken = [False] * len(folded)
    words = (*_WORDS, PRODUCT, *_own(email))
    for spelling in (folded, folded.translate(_LOOK_ALIKE)):
        for begin, end in (*_found(spelling, words), *_runs(spelling)):
            taken[begin:end] = [True] * (end - begin)
    left = sum(letter.isalnum() and not gone for letter, gone in zip(folded, taken, strict=True))
    return left < LEAST_LEFT


def _folded(text: str) -> str:
    """In small letters, one for one."""
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def _own(email: str) -> Iterator[str]:
    whole = _folded(unicodedata.normalize("NFKC", email))
    for part in (whole, *re.split(r"[^\w]+|_", whole)):
        if len(part) >= _SHORTEST_OWN:
            yield part


def _found(text: str, words: Iterable[str]) -> Iterator[tuple[int, int]]:
    for word in words:
        begin = text.find(word)
        while begin >= 0:
            yield begin, begin + len(word)
            begin = text.find(word, begin + 1)


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Where at least three characters repeat, or follow each other in a row, either way."""
    pairs = [text[index : index + 2] for index in range(len(text) - 1)]
    for row in (*_ROWS, *(row[::-1] for row in _ROWS), None):
        begin = 0
        for index, pair in enumerate(pairs):
            follows = pair[0] == pair[1] if row is None else pair in row
            if not follows:
                if index + 1 - begin >= _SHORTEST_RUN:
                    yield begin, index + 1
                begin = index + 1
        if len(text) - begin >= _SHORTEST_RUN:
            yield begin, len(text)
