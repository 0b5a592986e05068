"""A browser without a window: it keeps cookies, reads forms and sends them, as a person would."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from flatbed.app.demo.client import DemoError, request

MOST_HOPS: Final = 10
GET: Final = "get"


@dataclass
class Form:
    """A form of a page: where it goes, and what stands in it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """Where the browser stands, and what it was shown there."""

    url: str
    status: int
    text: str = field(repr=False)

    @property
    def forms(self) -> list[Form]:
        """The page's forms, in order."""
        reader = _Forms()
        reader.feed(self.text)
        return reader.found

    def form_with(self, name: str) -> Form:
        """The form that has a field, or a button, of this name.

        Raises:
            DemoError: the page has none; with the page's path.
        """
        for one in self.forms:
            if name in one.fields or name in {button for button, _ in one.buttons}:
                return one
        path = urlsplit(self.url).path
        raise DemoError(f"the page {path} ({self.status}) has no form with {name}")


class Browser:
    """One person's browser at one server.

    Args:
        http: how the server is reached.
        origin: its public origin, as a browser would name it.
    """

    def __init__(self, http: httpx.AsyncClient, origin: str) -> None:
        self._http = http
        self._origin = origin
        # By hand: the server's cookies are for TLS, which ends before it, and here not at all.
        self._cookies: dict[str, str] = {}

    async def visit(self, url: str) -> Page:
        """Open an address of the server and follow where it sends us.

        Returns the page; or, where we are sent to another origin, that address with an empty text.
        """
        return await self._follow(GET, url, None)

    async def send(
        self,
        page: Page,
        form: Form,
        values: Mapping[str, str],
        button: tuple[str, str] | None = None,
    ) -> Page:
        """Fill a form in, press a button and follow, as :meth:`visit` does."""
        filled = {**form.fields, **values, **({button[0]: button[1]} if button else {})}
        return await self._follow(form.method, urljoin(page.url, form.action), filled)

    async def _follow(self, method: str, url: str, data: Mapping[str, str] | None) -> Page:
        url = urljoin(f"{self._origin}/", url)
        for _ in range(MOST_HOPS):
            answer = await self._once(method, url, data)
            place = answer.headers.get("location")
            if place is None:
                return Page(url, answer.status_code, answer.text)
            url, method, data = urljoin(url, place), GET, None
            if not url.startswith(f"{self._origin}/"):
                return Page(url, answer.status_code, "")
        raise DemoError(f"the server sends the browser around in circles at {urlsplit(url).path}")

    async def _once(self, method: str, url: str, data: Mapping[str, str] | None) -> httpx.Response:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if data is not None:
            headers["Origin"] = self._origin
        path = url.removeprefix(self._origin)
        answer = await request(
            self._http, method.upper(), path, data=data, headers=headers, follow_redirects=False
        )
        for name, value in answer.cookies.items():
            self._cookies[name] = value
        return answer


class _Forms(HTMLParser):
    """Reads the forms of a page; a text area's or a list's own choice is not needed here."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._open: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A form begins, or one of its fields or buttons."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(given.get("action", ""), given.get("method", GET).lower())
            self.found.append(self._open)
        elif self._open is None or not given.get("name"):
            return
        elif tag == "button" or given.get("type") == "submit":
            self._open.buttons.append((given["name"], given.get("value", "")))
        elif tag == "input":
            self._read(given)

    def _read(self, given: Mapping[str, str]) -> None:
        chosen = given.get("type") not in {"radio", "checkbox"} or "checked" in given
        if self._open is not None and chosen:
            self._open.fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """The form ends."""
        if tag == "form":
            self._open = None
