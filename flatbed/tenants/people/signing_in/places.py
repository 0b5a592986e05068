"""Where a person goes on after he signed in: to a page of ours, and nowhere else."""

import re
from typing import Final

HOME: Final = "/account"
LONGEST: Final = 8_192
_NAME: Final = r"[A-Za-z0-9_-]+"
_PLACE: Final = re.compile(
    rf"(?:/account(?:/{_NAME})*(?:\?[!-~]*)?"
    r"|/oauth/authorize\?[!-~]+"
    rf"|/invitations/{_NAME}(?:\.{_NAME})?(?:\?[!-~]*)?)"
)
"""A path is spelt out: no dots by which it would lead out of itself, and nothing encoded."""


def own_place(text: str) -> str:
    """The place, if it is one that signing in leads to, else the person's account.

    It is compared as it was sent: nothing is decoded, so nothing can be hidden in an encoding. A
    browser reads a backslash as a slash and drops tabs and line ends, so neither is taken.
    """
    if len(text) > LONGEST or "\\" in text or not _PLACE.fullmatch(text):
        return HOME
    return text
