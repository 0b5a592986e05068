"""What goes with a client's kind: how it signs in, and where people are sent back to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flatbed.tenants.kit.problems import FieldError, InvalidError
from flatbed.tenants.oauth.clients.keys import wrong
from flatbed.tenants.oauth.clients.schemas_keys import ClientKeys
from flatbed.tenants.oauth.models import (
    BASIC,
    NATIVE,
    POST,
    PRIVATE_KEY,
    PUBLIC,
    SERVICE,
    WEB,
    OAuthClient,
)
from flatbed.tenants.oauth.rules.redirects import fault

METHOD: Final = "token_endpoint_auth_method"
_CONFIDENTIAL: Final = frozenset({BASIC, POST, PRIVATE_KEY})
_METHODS: Final[Mapping[str, frozenset[str]]] = {
    SERVICE: _CONFIDENTIAL,
    WEB: _CONFIDENTIAL,
    NATIVE: frozenset({PUBLIC}),
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a client signs in: with secrets, with keys whose public parts these are, or not."""

    method: str = BASIC
    jwks: dict[str, Any] | None = None


def default_method(kind: str) -> str:
    """How a client of the kind signs in unless it is said."""
    return PUBLIC if kind == NATIVE else BASIC


def has_secrets(client: OAuthClient) -> bool:
    """Whether it is by a secret that the client signs in."""
    return client.token_endpoint_auth_method in {BASIC, POST}


def sign_in(kind: str, method: str, sent: ClientKeys | None, kept: dict[str, Any] | None) -> SignIn:
    """The keys that go with the method: those that were sent, else those that it has.

    Raises:
        InvalidError: the method is none of the kind's; keys are missing, of no use, or no keys.
    """
    if method not in _METHODS[kind]:
        words = f"A {kind} client signs in with {' or '.join(sorted(_METHODS[kind]))}."
        raise InvalidError.at(f"/{METHOD}", "method-not-of-kind", words)
    if method != PRIVATE_KEY:
        if sent is not None:
            raise InvalidError.at("/jwks", "keys-not-used", "Keys are for private_key_jwt.")
        return SignIn(method)
    if sent is None:
        if kept is None:
            raise InvalidError.at("/jwks", "keys-required", "private_key_jwt needs public keys.")
        return SignIn(method, kept)
    if errors := wrong(sent):
        raise InvalidError(errors=errors)
    return SignIn(method, sent.model_dump())


def check_redirects(kind: str, uris: Sequence[str], *, sandbox: bool) -> None:
    """Refuse what a client of the kind may not register.

    Raises:
        InvalidError: an application has none or a wrong one, or a service has one.
    """
    if kind == SERVICE:
        if uris:
            raise InvalidError.at("/redirect_uris", "redirects-not-used", "A service has none.")
        return
    if not uris:
        words = "An application needs one at least."
        raise InvalidError.at("/redirect_uris", "redirects-required", words)
    errors = []
    for index, uri in enumerate(uris):
        if found := fault(uri, kind, sandbox=sandbox):
            errors.append(FieldError(f"/redirect_uris/{index}", "redirect-not-allowed", found))
        elif uri in uris[:index]:
            errors.append(FieldError(f"/redirect_uris/{index}", "redirect-repeated", "Once each."))
    if errors:
        raise InvalidError(errors=errors)
