"""An authorization request, read strictly: each parameter once, all that is asked understood."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode

from flatbed.tenants.kit.edge.forms import MalformedFormError, read_pairs
from flatbed.tenants.kit.ids import InvalidIdError, decode
from flatbed.tenants.oauth.clients.standing import Standing
from flatbed.tenants.oauth.grants.authorizing.errors import RefusedError, UnanswerableError
from flatbed.tenants.oauth.rules.authorization import (
    METHOD,
    is_challenge,
    is_nonce,
    read_max_age,
    read_prompt,
)
from flatbed.tenants.oauth.rules.redirects import matches

LONGEST: Final = 8_192
UNSUPPORTED: Final = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Who asks, and where the answer goes: it is known to be his."""

    standing: Standing
    redirect_uri: str
    state: str | None
    issuer: str

    def answer(self, **parameters: str) -> str:
        """The URI to send the browser to, with ``state`` and ``iss`` (RFC 9207).

        The redirect URI stands in it character by character.
        """
        said = {**parameters, **({"state": self.state} if self.state else {}), "iss": self.issuer}
        joint = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{joint}{urlencode(said)}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for.

    ``place`` is the id of the person's place that it wants (``organization``), if any.
    """

    target: Target
    scopes: frozenset[str]
    challenge: str
    nonce: str | None
    resource: str | None
    prompt: frozenset[str]
    max_age: timedelta | None
    place: str | None

    @property
    def is_silent(self) -> bool:
        """Whether no page may be shown."""
        return "none" in self.prompt


def read_query(query: str) -> dict[str, str]:
    """The parameters of a query; one without a value counts as left out (RFC 6749 3.1).

    Raises:
        UnanswerableError: one stands twice, or it is no text that can be read.
    """
    if len(query) > LONGEST or not query.isascii():
        raise UnanswerableError("malformed")
    try:
        pairs = read_pairs(query)
    except MalformedFormError:
        raise UnanswerableError("malformed") from None
    return {name: value for name, value in pairs.items() if value}


def named_client(parameters: Mapping[str, str]) -> str:
    """The client's id, as it was sent.

    Raises:
        UnanswerableError: none was, or it is none.
    """
    name = parameters.get("client_id", "")
    try:
        decode("client", name)
    except InvalidIdError:
        raise UnanswerableError("client") from None
    return name


def read_target(parameters: Mapping[str, str], standing: Standing | None, issuer: str) -> Target:
    """Where the answer goes.

    Raises:
        UnanswerableError: there is no such application, or the redirect URI is not its own. The
            browser is sent nowhere then.
    """
    if standing is None:
        raise UnanswerableError("client")
    uri = parameters.get("redirect_uri", "")
    if not matches(standing.client.redirect_uris, uri, standing.client.kind):
        raise UnanswerableError("redirect_uri")
    return Target(standing, uri, parameters.get("state"), issuer)


def read_asked(parameters: Mapping[str, str], target: Target) -> Asked:
    """What is asked for.

    Raises:
        RefusedError: we do not do that, or this application may not ask for it.
    """
    for name, error in UNSUPPORTED.items():
        if name in parameters:
            raise RefusedError(error)
    if "response_type" not in parameters:
        raise RefusedError("invalid_request")
    if parameters["response_type"] != "code":
        raise RefusedError("unsupported_response_type")
    if parameters.get("response_mode", "query") != "query":
        raise RefusedError("invalid_request")
    challenge, nonce = parameters.get("code_challenge", ""), parameters.get("nonce")
    if parameters.get("code_challenge_method") != METHOD or not is_challenge(challenge):
        raise RefusedError("invalid_request")
    if nonce is not None and not is_nonce(nonce):
        raise RefusedError("invalid_request")
    if parameters.get("resource", target.issuer) != target.issuer:
        raise RefusedError("invalid_target")
    prompt, max_age = _pauses(parameters)
    return Asked(
        target,
        _scopes(parameters, target.standing),
        challenge,
        nonce,
        parameters.get("resource"),
        prompt,
        max_age,
        parameters.get("organization"),
    )


def _pauses(parameters: Mapping[str, str]) -> tuple[frozenset[str], timedelta | None]:
    prompt = read_prompt(parameters.get("prompt"))
    if prompt is None:
        raise RefusedError("invalid_request")
    try:
        return prompt, read_max_age(parameters.get("max_age"))
    except ValueError:
        raise RefusedError("invalid_request") from None


def _scopes(parameters: Mapping[str, str], standing: Standing) -> frozenset[str]:
    """Nothing is added and nothing taken away: who asks for too much must know."""
    scopes = frozenset(parameters.get("scope", "").split(" "))
    if not scopes <= standing.scopes:
        raise RefusedError("invalid_scope")
    return scopes


def signed_in_anew(query: str) -> str:
    """The query once the person has signed in for it: it asks for that no more.

    Whoever can change the browser's address could leave ``prompt`` out to begin with; the
    application sees in ``auth_time`` when the person signed in.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    kept = []
    for name, value in pairs:
        words = value.split(" ")
        if name == "prompt":
            left = " ".join(word for word in words if word not in {"login", "select_account"})
            kept += [(name, left)] if left else []
        elif name != "max_age" or value.strip("0"):
            kept.append((name, value))
    return urlencode(kept)
