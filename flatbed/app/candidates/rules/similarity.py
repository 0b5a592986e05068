"""How far a statement of the partner merely repeats what we wrote to him."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

SHINGLE_WORDS: Final = 3

# Dropped without a break: "don't" is one word, and so is a word with a soft hyphen inside.
_JOINING = re.compile("['\u2019\u02bc\u2018`\u00b4\u00ad\u200b-\u200d\u2060\ufeff]")
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text: NFKC, casefolded, punctuation dropped."""
    # Joiners go first: NFKC would split an acute accent used as an apostrophe into space + mark.
    plain = unicodedata.normalize("NFKC", _JOINING.sub("", text)).casefold()
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", plain)))


def overlap(statement: str, texts: Iterable[str]) -> float:
    """Return the share, 0 to 1, of the statement's distinct word 3-shingles found in our texts.

    Shorter statements are one shingle: 1 if any text holds the whole sequence, else 0. A
    statement without a word says nothing of its own: 1.
    """
    spoken = words(statement)
    if not spoken:
        return 1.0
    size = min(SHINGLE_WORDS, len(spoken))
    ours: set[tuple[str, ...]] = set()
    for text in texts:
        ours |= _shingles(words(text), size)
    own = _shingles(spoken, size)
    return len(own & ours) / len(own)


def _shingles(sequence: Sequence[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(sequence[i : i + size]) for i in range(len(sequence) - size + 1)}
