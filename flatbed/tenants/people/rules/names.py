"""How a person may be called. Pure."""

import unicodedata
from typing import Final

LONGEST: Final = 200


def proper(text: str) -> str | None:
    """The name in one spelling (NFC, no space around it); None: it is no name.

    None of its characters may be a control, turn the text around it, or be unstorable.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not name or len(name) > LONGEST:
        return None
    return name if name.isprintable() else None
