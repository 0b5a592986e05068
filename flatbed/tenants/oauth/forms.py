"""What a token request says, read strictly: Authlib alone would take much of what is refused here.

Refused: a parameter twice, two client authentications at once, anything in the query, another
media type, a body that is too large.
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from fastapi import Request

LARGEST: Final = 16_384
MOST_PARAMETERS: Final = 32
FORM: Final = "application/x-www-form-urlencoded"
ASSERTION: Final = "client_assertion"


@dataclass(frozen=True, slots=True)
class Form:
    """A token request: its parameters, and who the client says it is."""

    parameters: Mapping[str, str]
    client_id: str
    client_secret: str


async def read_form(request: Request) -> Form:
    """Read the request.

    Raises:
        InvalidRequestError: it is malformed, repeats itself or says who it is in two ways.
        InvalidClientError: it does not say who it is in a way that we know.
    """
    if request.url.query:
        raise InvalidRequestError
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise InvalidRequestError
    parameters = _parameters(await _body(request))
    if "grant_type" not in parameters:
        raise InvalidRequestError
    client_id, client_secret = _client(request.headers.getlist("authorization"), parameters)
    return Form(parameters, client_id, client_secret)


async def _body(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise InvalidRequestError
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise InvalidRequestError from None


def _parameters(body: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body, keep_blank_values=True, max_num_fields=MOST_PARAMETERS, errors="strict"
        )
    except ValueError:
        raise InvalidRequestError from None
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise InvalidRequestError
    # RFC 6749 3.2: a parameter without a value is treated as if it were left out.
    return {name: value for name, value in pairs if value}


def _client(authorization: list[str], parameters: Mapping[str, str]) -> tuple[str, str]:
    ways = len(authorization) + ("client_secret" in parameters) + (ASSERTION in parameters)
    if ways > 1:
        raise InvalidRequestError
    if not authorization:
        try:
            return parameters["client_id"], parameters["client_secret"]
        except KeyError:
            raise InvalidClientError from None
    client_id, client_secret = _basic(authorization[0])
    if parameters.get("client_id", client_id) != client_id:
        raise InvalidRequestError
    return client_id, client_secret


def _basic(header: str) -> tuple[str, str]:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClientError
    try:
        name, colon, secret = b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidClientError from None
    if not colon:
        raise InvalidClientError
    # RFC 6749 2.3.1: both are form-encoded before they are joined.
    return unquote_plus(name), unquote_plus(secret)
