"""A person at a browser, an application on a server of its own, and the way between the two."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.async_api import Frame, Locator, Page, expect

from flatbed.tenants.pages.texts import LANGUAGES, NAMES, Language, text
from tests.api.support import Client, Isv, World
from tests.oauth.grants.folk import CHALLENGE, VERIFIER
from tests.support.browser import assert_accessible
from tests.support.residents import PASSWORD, Resident
from tests.support.served import Served

CALLBACK: Final = "https://application.example/callback"
STATE: Final = "a state, & more"
SCOPES: Final = ("openid", "profile", "campaigns:read", "orders:write", "usage:read")
LOCALES: Final[dict[Language, str]] = {"en": "en-GB", "de": "de-DE"}
NARROW: Final = 360
_TOO_WIDE: Final = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@dataclass(frozen=True)
class Application:
    """A web application, which is not there: what it is sent is read off the browser."""

    world: World
    client_id: str
    secret: str = field(repr=False)

    def authorize(self, **more: str) -> str:
        """Path and query of its request."""
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": " ".join(SCOPES),
            "state": STATE,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return f"/oauth/authorize?{urlencode(asked | more)}"

    async def redeem(self, code: str) -> Client:
        """The person's token for the code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        proof = (self.client_id, self.secret)
        answer = await self.world.http.post("/oauth/token", data=form, auth=proof)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        scopes = frozenset(found["scope"].split())
        return Client(self.world.http, *proof, scopes, token=found["access_token"])


async def register(world: World, name: str, isv: Isv | None = None) -> Application:
    """A web application of the ISV, or of the agency."""
    owner = {"kind": "agency"} if isv is None else {"kind": "isv", "organization_id": isv.id}
    body = {
        "name": name,
        "kind": "web",
        "owner": owner,
        "scopes": list(SCOPES),
        "redirect_uris": [CALLBACK],
    }
    made = await world.admin.made("/v1/oauth-clients", body)
    return Application(world, made["client_id"], made["client_secret"])


@dataclass(frozen=True)
class Desk:
    """A page of Chromium at our program, read in one language."""

    page: Page
    served: Served
    language: Language

    def said(self, key: str, **values: str) -> str:
        """A text of the pages."""
        return text(self.language, key, **values)

    def button(self, key: str, **values: str) -> Locator:
        """The button that says so."""
        return self.page.get_by_role("button", name=self.said(key, **values), exact=True)

    def field(self, key: str) -> Locator:
        """The field that is labelled so."""
        return self.page.get_by_label(self.said(key), exact=True)

    async def visit(self, place: str) -> None:
        """Open a page of ours."""
        await self.page.goto(f"{self.served.url}{place}")

    async def sees(self, title: str, **values: str) -> None:
        """The page has this heading, in the reader's language."""
        await expect(self.page.get_by_role("heading", level=1)).to_have_text(
            self.said(title, **values)
        )

    async def sign_in(self, resident: Resident, password: str = PASSWORD) -> None:
        """Fill the sign-in page in."""
        await self.field("sign_in.email").fill(resident.email)
        await self.field("sign_in.password").fill(password)
        await self.button("sign_in.go").click()

    async def look(self, name: str) -> None:
        """The page is accessible, whole on a narrow screen, and to be had in the other language."""
        page = self.page
        await expect(page.locator("html")).to_have_attribute("lang", self.language)
        (other,) = set(LANGUAGES) - {self.language}
        await expect(page.get_by_role("link", name=NAMES[other], exact=True)).to_be_visible()
        await assert_accessible(page, f"{name}-{self.language}")
        await self.fits()

    async def fits(self, name: str | None = None) -> None:
        """A narrow screen need not be scrolled sideways; with a name, a picture of it."""
        wide = self.page.viewport_size
        assert wide is not None
        await self.page.set_viewport_size({"width": NARROW, "height": 740})
        assert not await self.page.evaluate(_TOO_WIDE)
        if name is not None:
            await assert_accessible(self.page, f"{name}-{self.language}-narrow")
        await self.page.set_viewport_size(wide)

    async def dark(self, name: str) -> None:
        """It is accessible in dark colours as well."""
        await self.page.emulate_media(color_scheme="dark")
        await assert_accessible(self.page, f"{name}-{self.language}-dark")
        await self.page.emulate_media(color_scheme="light")

    async def handed_on(self, press: Awaitable[None]) -> dict[str, str]:
        """Do what leads to the application; what it is told at its redirect URI.

        Playwright routes no request that a redirect makes; but it shows it.
        """
        # Nobody is there: the next visit would be interrupted by the page that says so.
        async with (
            self.page.expect_event("framenavigated", _nobody_there),
            self.page.expect_request(f"{CALLBACK}**") as asked,
        ):
            await press
        told = urlsplit((await asked.value).url)
        found: dict[str, list[str]] = parse_qs(told.query, strict_parsing=True)
        assert all(len(values) == 1 for values in found.values())
        return {name: values[0] for name, values in found.items()}


def _nobody_there(frame: Frame) -> bool:
    return frame.url.startswith("chrome-error://")


def usual(told: dict[str, str], issuer: str) -> str:
    """The code of an answer that has all that belongs to one, and nothing else."""
    assert told.keys() == {"code", "state", "iss"}
    assert (told["state"], told["iss"]) == (STATE, issuer)
    return told["code"]


async def join(resident: Resident, isv: Isv, role: str = "owner") -> None:
    """The person has a place at the ISV."""
    await resident.world.people.membership(isv.tenant_id, role, resident.user_id)
