"""How company names are compared: without case, accents, compatibility forms and punctuation."""

import unicodedata
from typing import Final

UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
"""As they are written where a keyboard lacks them; case folding does the same for the sharp s."""
FIRST_ACCENT: Final = "\u0300"
LAST_ACCENT: Final = "\u036f"


def name_key(name: str) -> str:
    """The name as words in lower case; legal forms stay, since they tell companies apart.

    Never empty: a name without letter or digit stays as it is.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    spread = unicodedata.normalize("NFKD", folded.translate(UMLAUTS))
    plain = "".join(sign for sign in spread if not FIRST_ACCENT <= sign <= LAST_ACCENT)
    words = "".join(letter if letter.isalnum() else " " for letter in plain).split()
    return " ".join(words) or folded.strip()
