"""Texts of others on their way into a file: what it cannot hold, or would obey, goes. Pure."""

import re
from typing import Final
from urllib.parse import urlsplit

# What XML 1.0 has no place for: control characters, lone surrogates, the two non-characters.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Marks that turn the direction of what follows them: a name must not turn the amount beside it.
_TURNS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_GAPS: Final = re.compile(r"\s+")
_WORD: Final = re.compile(r"[^\s\u200b\-]+")
_PIECE: Final = re.compile(r".{12}(?=.)")
LONGEST_WORD: Final = 32
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def xml_text(value: str) -> str:
    """The text without the characters that XML forbids."""
    return _NOT_XML.sub("", value)


def line_text(value: str) -> str:
    """The text on one line, without control characters and marks that turn its direction."""
    return _GAPS.sub(" ", _TURNS.sub("", xml_text(value))).strip()


def breakable(value: str, *, longest: int = LONGEST_WORD) -> str:
    """The text on one line, which may be broken (zero-width spaces) inside very long words."""

    def split(word: re.Match[str]) -> str:
        return word[0] if len(word[0]) <= longest else _PIECE.sub("\\g<0>\u200b", word[0])

    return _WORD.sub(split, line_text(value))


def shortened(value: str, most: int) -> str:
    """The text on one line of at most ``most`` characters."""
    text = line_text(value)
    return breakable(text if len(text) <= most else f"{text[: most - 1]}…")


def no_formula(value: str) -> str:
    """The text as a spreadsheet must not run it: what starts a formula gets an apostrophe."""
    return f"'{value}" if value.startswith(FORMULA) else value


def last_part(url: str) -> str:
    """What a reader needs of an address: the name at its end."""
    parts = urlsplit(url)
    return parts.path.rstrip("/").rpartition("/")[2] or parts.netloc
