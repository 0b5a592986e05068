"""Redirect URIs: which ones an application may register, and whether one that was sent is its own.

What is registered has one spelling, so that to compare is to compare characters. Nothing is ever
parsed and put together again: two parsers would read it in two ways.
"""

import re
from collections.abc import Sequence
from typing import Final

WEB: Final = "web"
NATIVE: Final = "native"
LONGEST: Final = 2000
MOST: Final = 20
"""How many one application has."""
LARGEST_PORT: Final = 65535
RESERVED: Final = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri", "response"}
)
"""Parameters of our answer; in the URI they would stand there twice."""

_URI: Final = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()+,;=%]+")
_REST: Final = r"(/[^?\[\]]*)(?:\?([^\[\]]+))?"
_HTTPS: Final = re.compile(r"https://([^/?]*)" + _REST)
_LOOPBACK: Final = re.compile(r"http://(127\.0\.0\.1|\[::1\])(?::([1-9][0-9]{0,4}))?" + _REST)
_PRIVATE: Final = re.compile(r"[a-z][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+:" + _REST)
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label like this makes browsers read an IPv4 address, in whatever base."""
_ESCAPE: Final = re.compile(r"%(..?)?")
_OCTET: Final = re.compile(r"[0-9A-F]{2}")
_NEEDLESS: Final = re.compile(r"[A-Za-z0-9\-._~/\\\x00-\x1f\x7f]")
"""Characters whose escape somebody on the way undoes, or that mean something once it is undone."""
_LOOPBACK_SENT: Final = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\])):([1-9][0-9]{0,4})(/.*)")


def fault(uri: str, kind: str, *, sandbox: bool) -> str | None:
    """What forbids an application to register the URI, None where nothing does.

    Args:
        uri: as sent.
        kind: ``web`` or ``native``.
        sandbox: whether the application is of a sandbox realm, where a developer's own machine may
            stand for the server.
    """
    if len(uri) > LONGEST:
        return f"At most {LONGEST:,} characters."
    if not _URI.fullmatch(uri):
        return "Only the ASCII characters of a URI; no fragment, no wildcard, no white space."
    for form, allowed in (
        (_of_https, True),
        (_of_native_loopback, kind == NATIVE),
        (_of_local_server, kind == WEB and sandbox),
        (_of_private_scheme, kind == NATIVE),
    ):
        if allowed and (parts := form(uri)) is not None:
            return _rest(*parts)
    return _ADVICE[kind] + (_LOCAL if kind == WEB and sandbox else "")


_ADVICE: Final = {
    WEB: "https://host/path, in lower case, without userinfo and default port.",
    NATIVE: "com.example.app:/path, http://127.0.0.1/path or http://[::1]/path without a port,"
    " or https://host/path.",
}
_LOCAL: Final = " In a sandbox also http://127.0.0.1:port/path or http://[::1]:port/path."


def matches(registered: Sequence[str], sent: str, kind: str) -> bool:
    """Whether what was sent is one of the registered URIs, character by character.

    A native application listens on whatever port it is given: of its loopback URIs, registered
    without one, the port alone may differ (RFC 8252, 7.3).
    """
    if kind not in _ADVICE:
        return False
    if _among(registered, sent):
        return True
    local = _LOOPBACK_SENT.fullmatch(sent) if kind == NATIVE else None
    if local is None or int(local[2]) > LARGEST_PORT:
        return False
    return _among(registered, local[1] + local[3])


def _among(registered: Sequence[str], sent: str) -> bool:
    # Not `in`: a string is a sequence of strings too, and holds each part of itself.
    return any(sent == one for one in registered)


_Parts = tuple[str, str | None]
"""Path and query."""


def _of_https(uri: str) -> _Parts | None:
    found = _HTTPS.fullmatch(uri)
    if found is None:
        return None
    host, colon, port = found[1].partition(":")
    if colon and (not _is_port(port) or port == "443"):
        return None
    return (found[2], found[3]) if _is_name(host) else None


def _of_native_loopback(uri: str) -> _Parts | None:
    found = _LOOPBACK.fullmatch(uri)
    return (found[3], found[4]) if found is not None and found[2] is None else None


def _of_local_server(uri: str) -> _Parts | None:
    found = _LOOPBACK.fullmatch(uri)
    if found is None or found[2] in {None, "80"} or not _is_port(found[2]):
        return None
    return found[3], found[4]


def _of_private_scheme(uri: str) -> _Parts | None:
    found = _PRIVATE.fullmatch(uri)
    return None if found is None else (found[1], found[2])


def _is_port(text: str) -> bool:
    return _PORT.fullmatch(text) is not None and int(text) <= LARGEST_PORT


def _is_name(host: str) -> bool:
    """Whether it is a name with a dot in it, and no address in any notation."""
    labels = host.split(".")
    return (
        len(host) <= 253  # noqa: PLR2004 - of DNS
        and len(labels) > 1
        and all(_LABEL.fullmatch(label) for label in labels)
        and not _NUMBER.fullmatch(labels[-1])
    )


def _rest(path: str, query: str | None) -> str | None:
    *inner, _ = path[1:].split("/")
    # Some servers take what stands behind a semicolon away before they look at the dots.
    names = {segment.partition(";")[0] for segment in path.split("/")}
    if "" in inner or {".", ".."} & names:
        return "No empty segment, no `.` and no `..` in the path."
    for escape in _ESCAPE.finditer(f"{path}?{query or ''}"):
        octet = escape[1] or ""
        if not _OCTET.fullmatch(octet) or _NEEDLESS.fullmatch(chr(int(octet, 16))):
            return "Escape as %XX in capitals, and nothing that needs none."
    if RESERVED & {part.partition("=")[0] for part in (query or "").split("&")}:
        return "No parameter of the authorization response in the query."
    return None
