"""What a token request says, read strictly: Authlib alone would take much of what is refused here.

Refused: a parameter twice, two client authentications at once, anything in the query, another
media type, a body that is too large.
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from fastapi import Request

from flatbed.tenants.kit.edge.addresses import Address, caller_address
from flatbed.tenants.oauth.assertions import ASSERTION_TYPE, named_client

LARGEST: Final = 16_384
MOST_PARAMETERS: Final = 32
FORM: Final = "application/x-www-form-urlencoded"
ASSERTION: Final = "client_assertion"
KIND: Final = "client_assertion_type"


@dataclass(frozen=True, slots=True)
class SecretProof:
    """The client says who it is and sends its secret."""

    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AssertionProof:
    """The client sends a JWT that it signed; ``client_id`` is whom it names, not yet believed."""

    client_id: str
    assertion: str = field(repr=False)


Proof = SecretProof | AssertionProof


@dataclass(frozen=True, slots=True)
class Form:
    """A token request: its parameters, how the client proves who it is, and where it comes from.

    ``request_id`` stays the same when the request is run again.
    """

    parameters: Mapping[str, str]
    proof: Proof
    address: Address | None
    request_id: str


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
    proof = _proof(request.headers.getlist("authorization"), parameters)
    request_id: str = request.state.request_id
    return Form(parameters, proof, caller_address(request), request_id)


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


def _proof(authorization: list[str], parameters: Mapping[str, str]) -> Proof:
    asserted = ASSERTION in parameters or KIND in parameters
    if len(authorization) + ("client_secret" in parameters) + asserted > 1:
        raise InvalidRequestError
    named = parameters.get("client_id")
    if authorization:
        proof: Proof = SecretProof(*_basic(authorization[0]))
    elif asserted:
        proof = _asserted(parameters)
    elif named is not None and "client_secret" in parameters:
        return SecretProof(named, parameters["client_secret"])
    else:
        raise InvalidClientError
    if named not in {None, proof.client_id}:
        raise InvalidRequestError
    return proof


def _asserted(parameters: Mapping[str, str]) -> AssertionProof:
    if parameters.get(KIND) != ASSERTION_TYPE or ASSERTION not in parameters:
        raise InvalidClientError
    assertion = parameters[ASSERTION]
    return AssertionProof(named_client(assertion), assertion)


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
