"""A browser at the authorization endpoint, as far as HTTP goes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from flatbed.tenants.people.sessions.service import COOKIE
from tests.oauth.grants.folk import CHALLENGE, Application, Person
from tests.oauth.house import ISSUER, House

SAME_ORIGIN: Mapping[str, str] = {"Origin": ISSUER}
Parameters = list[tuple[str, str]]


def fields(page: str) -> dict[str, str]:
    """The hidden fields of a page's own form, which comes before the one that signs out."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    return {name: unescape(value) for name, value in reversed(found)}


def answered(reply: httpx.Response, redirect_uri: str) -> dict[str, str]:
    """What the application is told, at its own redirect URI and nowhere else."""
    assert reply.status_code == 303, reply.text
    location = reply.headers["location"]
    assert location.startswith(redirect_uri + ("&" if "?" in redirect_uri else "?")), location
    found = parse_qs(urlsplit(location).query, strict_parsing=True, keep_blank_values=True)
    told = {name: values[0] for name, values in found.items()}
    assert all(len(values) == 1 for values in found.values())
    assert told["iss"] == ISSUER
    return told


@dataclass(frozen=True)
class Browser:
    """One person's browser; nobody's without a person."""

    house: House
    application: Application
    person: Person | None

    def query(self, **changed: str | None) -> str:
        """A request that is right but for what a test changes (None: left out)."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.application.client_id,
            "redirect_uri": self.application.redirect_uri,
            "scope": "openid usage:read",
            "state": "s&t=1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changed,
        }
        return urlencode({name: value for name, value in asked.items() if value is not None})

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.person is None else {"Cookie": f"{COOKIE}={self.person.cookie}"}

    async def get(self, query: str | None = None, **changed: str | None) -> httpx.Response:
        url = f"/oauth/authorize?{self.query(**changed) if query is None else query}"
        return await self.house.http.get(url, headers=self.headers)

    async def post(
        self, query: str, form: Mapping[str, str], headers: Mapping[str, str] = SAME_ORIGIN
    ) -> httpx.Response:
        return await self.house.http.post(
            f"/oauth/authorize?{query}", data=dict(form), headers={**self.headers, **headers}
        )

    async def decide(
        self,
        decision: str = "allow",
        place: str | None = None,
        changed: Mapping[str, str | None] | None = None,
    ) -> httpx.Response:
        """Open the page and say yes or no."""
        query = self.query(**(changed or {}))
        page = await self.get(query)
        assert page.status_code == 200, page.text
        form = {**fields(page.text), "decision": decision}
        return await self.post(query, form | ({"place": place} if place else {}))

    async def code(self, **changed: str | None) -> str:
        """Let the application in."""
        told = answered(await self.decide(changed=changed), self.application.redirect_uri)
        return told["code"]

    def of(self, person: Person | None) -> "Browser":
        return replace(self, person=person)

    def at(self, application: Application) -> "Browser":
        return replace(self, application=application)


def signs_in(reply: httpx.Response, *, anew: bool = False) -> str:
    """The browser is sent to the sign-in page; the query it comes back with."""
    assert reply.status_code == 303, reply.text
    target = urlsplit(reply.headers["location"])
    assert (target.netloc, target.path) == ("", "/sign-in")
    said: dict[str, Any] = parse_qs(target.query, strict_parsing=True)
    assert ("anew" in said) is anew
    back = urlsplit(said["continue"][0])
    assert (back.scheme, back.netloc, back.path) == ("", "", "/oauth/authorize")
    return str(back.query)
