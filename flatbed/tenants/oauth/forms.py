"""What a client's request says, read strictly: Authlib alone takes much of what is refused here.

Refused: a parameter twice, two client authentications at once, anything in the query, another
media type, a body that is too large.
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from fastapi import Request

from flatbed.tenants.kit.edge import forms
from flatbed.tenants.kit.edge.addresses import Address, caller_address
from flatbed.tenants.oauth.assertions import ASSERTION_TYPE, named_client

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


@dataclass(frozen=True, slots=True)
class PublicProof:
    """The client says who it is and proves nothing: one on a person's device has no secret."""

    client_id: str


Proof = SecretProof | AssertionProof | PublicProof


@dataclass(frozen=True, slots=True)
class Form:
    """A client's request: its parameters, how the client proves who it is, and where it comes from.

    ``request_id`` stays the same when the request is run again.
    """

    parameters: Mapping[str, str] = field(repr=False)
    proof: Proof
    address: Address | None
    request_id: str


async def read_form(request: Request, needed: str = "grant_type") -> Form:
    """Read the request; ``needed`` is the parameter without which it means nothing.

    Raises:
        InvalidRequestError: it is malformed, repeats itself or says who it is in two ways.
        InvalidClientError: it does not say who it is in a way that we know.
    """
    if request.scope["query_string"]:
        raise InvalidRequestError
    try:
        pairs = await forms.read_form(request)
    except forms.MalformedFormError:
        raise InvalidRequestError from None
    # RFC 6749 3.2: a parameter without a value is treated as if it were left out.
    parameters = {name: value for name, value in pairs.items() if value}
    if needed not in parameters:
        raise InvalidRequestError
    proof = _proof(request.headers.getlist("authorization"), parameters)
    request_id: str = request.state.request_id
    return Form(parameters, proof, caller_address(request), request_id)


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
    elif named is not None:
        return PublicProof(named)
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
