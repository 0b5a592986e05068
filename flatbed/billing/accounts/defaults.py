"""How an ISV is billed unless it said otherwise."""

from typing import Final

TERMS_DAYS: Final = 14
GERMAN: Final = frozenset({"DE", "AT", "CH", "LI"})


def language_of(country: str) -> str:
    """The language of an ISV's invoices unless it chose one."""
    return "de" if country in GERMAN else "en"
