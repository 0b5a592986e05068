"""What a frozen line says, in the language of its reader.

Snapshots and proofs keep the one wording of ``rating.price_text``; only paper is translated.
"""

import re
from typing import Final

from flatbed.billing.documents.languages import Language

_UNIT: Final = re.compile(r"unit (\d+) of the campaign(?:, price from unit (\d+) on)?")
_GERMAN: Final = {
    "replacement, free of charge": "Ersatz, kostenlos",
    "reversal": "Storno",
    "credit": "Gutschrift aus der Garantie",
}
_ENGLISH: Final = {"credit": "credit under the guarantee"}


def price_words(text: str, language: Language) -> str:
    """A line's frozen price text in this language; what it does not know stays as it is."""
    if language is Language.EN:
        return _ENGLISH.get(text, text)
    unit = _UNIT.fullmatch(text)
    if unit is None:
        return _GERMAN.get(text, text)
    rank, first = unit.groups()
    tier = "" if first is None else f", Preis ab Einheit {first}"
    return f"Einheit {rank} der Kampagne{tier}"
