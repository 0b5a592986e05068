"""How company names are compared: without case, compatibility forms and punctuation."""

import unicodedata


def name_key(name: str) -> str:
    """The name as words in lower case; legal forms stay, since they tell companies apart.

    Never empty: a name without letter or digit stays as it is.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    words = "".join(letter if letter.isalnum() else " " for letter in folded).split()
    return " ".join(words) or folded.strip()
