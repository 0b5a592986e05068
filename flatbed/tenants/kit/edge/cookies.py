"""Cookies of our own, read as strictly as their names are chosen.

A name with ``__Host-`` in front cannot be set by a neighbouring domain, unless the server takes
another name for it: Starlette strips what Unicode calls a space, of which a browser knows nothing,
and lets the last of several win. Here a name is compared byte by byte, and two of one are none.
"""

from typing import Final

from fastapi import Request

_SPACES: Final = " \t"
"""RFC 6265 5.6: what may stand around a pair."""


def cookie_of(request: Request, name: str) -> str | None:
    """The value of a cookie; None: the browser sent none, or more than one of the name."""
    found = [
        value.strip(_SPACES)
        for header in request.headers.getlist("cookie")
        for pair in header.split(";")
        for left, is_pair, value in [pair.partition("=")]
        if is_pair and left.strip(_SPACES) == name
    ]
    return found[0] if len(found) == 1 else None
