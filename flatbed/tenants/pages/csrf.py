"""A form is good for one browser, one page and one query, and only from our own pages.

Two checks, each enough alone: the browser's word where the request comes from, and an HMAC in the
form that another site can neither read nor make.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from fastapi import Request

from flatbed.tenants.kit.crypto import Keyring, same
from flatbed.tenants.kit.problems import ForbiddenError

FIELD: Final = "csrf"
USE: Final = "csrf"
SAME_ORIGIN: Final = "same-origin"
_AS_SENT: Final = "/%:@!$&'()*+,;=~"


class ForgedFormError(ForbiddenError):
    """The form was not sent from our page, or for another session or another query."""

    code = "form-not-ours"
    title = "The form is not valid any more"
    advice = "Open the page again and send the form from there."


def made_for(keyring: Keyring, binding: bytes, place: str) -> str:
    """The hidden field of a form.

    Args:
        keyring: of the deployment.
        binding: what only this browser has: its session's id, or its cookie before it signs in.
        place: path and exact query that the form is sent to.
    """
    message = len(binding).to_bytes(2) + binding + place.encode()
    return urlsafe_b64encode(keyring.mac(USE, message)).rstrip(b"=").decode()


def check(
    request: Request, fields: Mapping[str, str], keyring: Keyring, binding: bytes, origin: str
) -> None:
    """Refuse a form that our page did not send.

    Args:
        request: the POST.
        fields: of the form.
        keyring: of the deployment.
        binding: as in :func:`made_for`.
        origin: our own, as browsers name it.

    Raises:
        ForgedFormError: it is from elsewhere, or not of this browser, page and query.
    """
    expected = made_for(keyring, binding, place_of(request))
    sent = fields.get(FIELD, "")
    if not _is_ours(request, origin) or not same(expected.encode(), sent.encode()):
        raise ForgedFormError


def place_of(request: Request) -> str:
    """Path and exact query of a request, as they were sent."""
    path, query = path_of(request), request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def path_of(request: Request) -> str:
    """The path of a request as it was sent: nothing of it is decoded, nothing is of its Host."""
    raw: bytes | None = request.scope.get("raw_path")
    return quote(request.scope["path"] if raw is None else raw, safe=_AS_SENT)


def _is_ours(request: Request, origin: str) -> bool:
    origins = request.headers.getlist("origin")
    if origins:
        return origins == [origin]
    return request.headers.getlist("sec-fetch-site") == [SAME_ORIGIN]
