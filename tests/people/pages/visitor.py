"""A browser laid bare: every header and cookie of a request is the test's own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from html import unescape
from http.cookies import SimpleCookie
from typing import Any, Final, cast

import httpx
from fastapi import FastAPI

from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.people.sessions.service import COOKIE
from flatbed.tenants.people.signing_in import half
from tests.api.support import BASE_URL, World
from tests.people.pages.conftest import PASSWORD, Resident

OURS: Final = {"Origin": BASE_URL}
_FIELD: Final = re.compile(r'<input type="hidden" name="csrf" value="([^"]+)">')


def app_of(world: World) -> FastAPI:
    """The application that the world's requests go to."""
    return cast("FastAPI", cast("Any", world.http)._transport.app)


def csrf_of(page: httpx.Response) -> str:
    """The hidden field of the page's form."""
    found = _FIELD.search(page.text)
    assert found is not None, page.text
    return unescape(found[1])


@dataclass
class Visitor:
    """Somebody at a browser; redirects are not followed.

    Args:
        http: to the application.
        cookies: what the browser has, by name.
        sent: headers of every request.
    """

    http: httpx.AsyncClient
    cookies: dict[str, str] = field(default_factory=dict)
    sent: Mapping[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Open a page."""
        return self._kept(
            await self.http.get(
                path, headers={**self._headers(), **headers}, follow_redirects=False
            )
        )

    async def post(
        self,
        path: str,
        fields: Mapping[str, str] | bytes,
        headers: Mapping[str, str] | list[tuple[str, str]] = OURS,
    ) -> httpx.Response:
        """Send a form as it is given."""
        more = headers if isinstance(headers, list) else list(headers.items())
        content: dict[str, Any] = (
            {"content": fields} if isinstance(fields, bytes) else {"data": dict(fields)}
        )
        return self._kept(
            await self.http.post(
                path,
                headers=[*self._headers().items(), *more],
                follow_redirects=False,
                **content,
            )
        )

    async def fill(self, path: str, fields: Mapping[str, str]) -> httpx.Response:
        """Open a page and send its form."""
        return await self.post(path, {"csrf": csrf_of(await self.get(path)), **fields})

    async def sign_in(
        self, email: str, password: str = PASSWORD, path: str = "/sign-in"
    ) -> httpx.Response:
        """Type address and password."""
        return await self.fill(path, {"email": email, "password": password})

    async def enter(self, resident: Resident) -> "Visitor":
        """Sign in with whatever it takes."""
        answer = await self.sign_in(resident.email, path="/sign-in?anew=1")
        if answer.headers.get("location", "").startswith("/sign-in/code"):
            answer = await self.fill("/sign-in/code", {"code": resident.code()})
        assert answer.status_code == 303, answer.text
        assert COOKIE in self.cookies
        return self

    async def is_signed_in(self) -> bool:
        """Whether his account opens."""
        answer = await self.get("/account")
        assert answer.status_code in {200, 303}
        return answer.status_code == 200

    def with_cookie(self, name: str, value: str) -> "Visitor":
        """The same browser with one more cookie."""
        return replace(self, cookies={**self.cookies, name: value})

    @property
    def half(self) -> str:
        """What he has between password and second factor."""
        return self.cookies[half.COOKIE]

    def _headers(self) -> dict[str, str]:
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {**self.sent, **({"Cookie": pairs} if pairs else {})}

    def _kept(self, answer: httpx.Response) -> httpx.Response:
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer


async def enter(visitor: Visitor, email: str, password: str = PASSWORD) -> httpx.Response:
    """Type address and password, whoever is signed in."""
    return await visitor.sign_in(email, password, "/sign-in?anew=1")


@dataclass
class Watch:
    """A clock that a test drives."""

    at: datetime = field(default_factory=system_now)

    def __call__(self) -> datetime:
        return self.at

    def go(self, **delta: float) -> None:
        """Move it: ``minutes=30``."""
        self.at += timedelta(**delta)


def driven(world: World) -> Watch:
    """Let signing in, sessions and counts of the application follow the test's clock."""
    app, watch = app_of(world), Watch()
    people = app.state.people
    failures = replace(people.signing_in.failures, now=watch)
    sessions = replace(people.sessions, now=watch)
    app.state.people = replace(
        people,
        sessions=sessions,
        signing_in=replace(people.signing_in, failures=failures, sessions=sessions, now=watch),
    )
    return watch


def from_network(world: World, address: str) -> httpx.AsyncClient:
    """Requests that come from another address."""
    transport = httpx.ASGITransport(app_of(world), raise_app_exceptions=False, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url=BASE_URL)
