"""The languages of our documents."""

from enum import StrEnum


class Language(StrEnum):
    """German or English."""

    DE = "de"
    EN = "en"
