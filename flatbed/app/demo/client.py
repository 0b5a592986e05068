"""The demo's HTTP client: real tokens, one request a call, and a plain word when it goes wrong."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

JSON = dict[str, Any]
UNAUTHORIZED = 401
PAGE = 200


class DemoError(Exception):
    """The demo cannot go on; the text is for the person who watches it."""


@dataclass
class _Token:
    """Shared by a client and its views on other tenants."""

    value: str | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Stay:
    """A person's tokens at his application, which stays by refresh tokens."""

    def __init__(self, tokens: JSON) -> None:
        self.tokens = tokens

    async def renewed(self, http: httpx.AsyncClient, client_id: str, secret: str) -> str:
        """A new access token; a public application's refresh token is exchanged with it."""
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]}
        sent: dict[str, Any] = {"data": form, "auth": (client_id, secret)}
        if not secret:
            sent = {"data": {**form, "client_id": client_id}}
        answer = await request(http, "POST", "/oauth/token", **sent)
        self.tokens = {**self.tokens, **_body("POST", "/oauth/token", answer)}
        return str(self.tokens["access_token"])


@dataclass(frozen=True)
class Client:
    """An OAuth client. ``tenant`` is sent as Flatbed-Tenant: agency staff name the ISV.

    ``stay`` makes it an application that acts for a person.
    """

    http: httpx.AsyncClient
    name: str
    client_id: str
    secret: str = field(repr=False)
    owner: JSON
    scopes: tuple[str, ...]
    tenant: str | None = None
    token: _Token = field(default_factory=_Token, repr=False)
    stay: Stay | None = field(default=None, repr=False)

    def at(self, tenant: str | None) -> "Client":
        """The same client, acting for an ISV, or for none."""
        return replace(self, tenant=tenant)

    async def send(
        self,
        method: str,
        path: str,
        body: JSON | None = None,
        *,
        version: int | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        """One request; ``version`` becomes If-Match, ``key`` the Idempotency-Key."""
        answer = await self._once(method, path, body, version, key)
        if answer.status_code == UNAUTHORIZED:  # the token has lived its ten minutes
            self.token.value = None
            answer = await self._once(method, path, body, version, key)
        return answer

    async def get(self, path: str) -> JSON:
        """GET that must succeed; the body."""
        return _body("GET", path, await self.send("GET", path))

    async def post(self, path: str, body: JSON | None = None, **more: Any) -> JSON:  # noqa: ANN401 - as send() takes them
        """POST that must succeed; the body."""
        return _body("POST", path, await self.send("POST", path, body, **more))

    async def version(self, path: str) -> int:
        """The version that stands there now."""
        found = await self.send("GET", path)
        _body("GET", path, found)
        return version_of(found)

    async def change(self, path: str, body: JSON) -> JSON:
        """Read the resource and PATCH it under its ETag; the new body."""
        answer = await self.send("PATCH", path, body, version=await self.version(path))
        return _body("PATCH", path, answer)

    async def put(self, path: str, body: JSON, *, version: int) -> JSON:
        """PUT under a version; the new body."""
        return _body("PUT", path, await self.send("PUT", path, body, version=version))

    async def pages(self, path: str) -> list[JSON]:
        """Everything that a list holds, page by page."""
        mark = "&" if "?" in path else "?"
        page = await self.get(f"{path}{mark}limit={PAGE}")
        found: list[JSON] = page["data"]
        while page["has_more"]:
            page = await self.get(f"{path}{mark}limit={PAGE}&cursor={page['next_cursor']}")
            found += page["data"]
        return found

    async def refused(
        self, path: str, body: JSON | None, status: int, code: str, *, version: int | None = None
    ) -> JSON:
        """POST that must be refused just so; the problem.

        Raises:
            DemoError: it was answered otherwise.
        """
        answer = await self.send("POST", path, body, version=version)
        problem: JSON = answer.json()
        if answer.status_code != status or problem.get("code") != code:
            raise DemoError(f"{_told('POST', path, answer)}; expected {status} {code}")
        return problem

    @staticmethod
    def succeeded(answer: httpx.Response, method: str, path: str) -> JSON:
        """The body of an answer that must be a success.

        Raises:
            DemoError: it is a refusal.
        """
        return _body(method, path, answer)

    async def _once(
        self, method: str, path: str, body: JSON | None, version: int | None, key: str | None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {await self._signed_in()}"}
        if self.tenant is not None:
            headers["Flatbed-Tenant"] = self.tenant
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        if key is not None:
            headers["Idempotency-Key"] = key
        return await request(self.http, method, path, json=body, headers=headers)

    async def _signed_in(self) -> str:
        async with self.token.turn:
            if self.token.value is None and self.stay is not None:
                self.token.value = await self.stay.renewed(self.http, self.client_id, self.secret)
            elif self.token.value is None:
                form = {"grant_type": "client_credentials", "scope": " ".join(self.scopes)}
                answer = await request(
                    self.http, "POST", "/oauth/token", data=form, auth=(self.client_id, self.secret)
                )
                self.token.value = str(_body("POST", "/oauth/token", answer)["access_token"])
            return self.token.value


async def request(http: httpx.AsyncClient, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401 - as httpx takes them
    """One request.

    Raises:
        DemoError: the server cannot be reached.
    """
    try:
        return await http.request(method, path, **more)
    except httpx.HTTPError as error:
        raise DemoError(
            f"{method} {path}: no answer from {http.base_url} ({type(error).__name__})"
        ) from None


def version_of(answer: httpx.Response) -> int:
    """The version in an answer's ETag."""
    return int(answer.headers["ETag"].strip('"'))


def _body(method: str, path: str, answer: httpx.Response) -> JSON:
    if not answer.is_success:
        raise DemoError(_told(method, path, answer))
    found: JSON = answer.json()
    return found


def _told(method: str, path: str, answer: httpx.Response) -> str:
    try:
        problem: JSON = answer.json()
    except ValueError:
        problem = {}
    said = " ".join(str(problem[part]) for part in ("code", "detail", "error") if part in problem)
    places = "; ".join(f"{one['pointer']} {one['message']}" for one in problem.get("errors", ()))
    failing = ", ".join(failing_criteria(problem))
    more = " | ".join(part for part in (said, places, failing) if part)
    return f"{method} {path} answered {answer.status_code}: {more}"


def failing_criteria(problem: JSON) -> list[str]:
    """The keys of the criteria that a refusal or a gate check names as failing."""
    return [one["criterion"] for one in problem.get("criteria", ()) if not one["passed"]]
