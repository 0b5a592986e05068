"""Answers of the endpoints that standards define, in our own words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidClientError

_WORDS: Final[Mapping[str, str]] = {
    "invalid_request": (
        "Send one form-encoded body with each parameter once, nothing in the query, and one"
        " client authentication."
    ),
    "invalid_client": (
        "The client is unknown or not active, its secret or assertion is not good, or it may not"
        " call from here."
    ),
    "invalid_grant": (
        "The code or refresh token is not good (any more), belongs to another client, or was sent"
        " with another redirect URI or code verifier."
    ),
    "invalid_scope": "A scope is unknown, or this client may not have it.",
    "invalid_target": "The resource must be the issuer of this server.",
    "unauthorized_client": "This client may not use this grant.",
    "unsupported_grant_type": "The grant types are listed in the server's metadata.",
    "unsupported_token_type": (
        "A token of the client itself cannot be revoked; it ends within ten minutes. Revoke the"
        " secret, or disable the client, to end it now."
    ),
    "temporarily_unavailable": "Too many failures of this client from this network.",
}
FAILURES: Final = frozenset({"invalid_client"})
"""What is counted: somebody may be trying secrets."""
FAILURES_OF_PUBLIC: Final = FAILURES | {"invalid_grant"}
"""Of a client that proves nothing else, codes and refresh tokens as well.

Not of one that has proved its secret: whoever uses it could send it codes by the dozen, and so
shut it for everybody.
"""
_UNAUTHORIZED: Final = 401
_BAD_REQUEST: Final = 400
_TOO_MANY: Final = 429


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a JSON body, and for ``invalid_client`` its challenge."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def error(self) -> str | None:
        """The error of RFC 6749, None of a success."""
        return self.body.get("error")


def refusal(error: str) -> Reply:
    """An error of RFC 6749 5.2; what was sent is never repeated."""
    body = {"error": error, "error_description": _WORDS[error]}
    if error == InvalidClientError.error:
        return Reply(_UNAUTHORIZED, body, {"WWW-Authenticate": 'Basic realm="flatbed"'})
    return Reply(_BAD_REQUEST, body, {})


def too_many(seconds: int) -> Reply:
    """After too many failures: the wait is told as HTTP tells it."""
    error = "temporarily_unavailable"
    body = {"error": error, "error_description": _WORDS[error]}
    return Reply(_TOO_MANY, body, {"Retry-After": str(seconds)})
