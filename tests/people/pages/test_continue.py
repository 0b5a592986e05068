"""Where signing in leads on to: no open redirect."""

from urllib.parse import quote, urlsplit

import pytest

from flatbed.tenants.people.signing_in.places import own_place
from tests.api.support import World
from tests.people.pages.conftest import Resident
from tests.people.pages.visitor import Visitor

OURS = [
    "/account",
    "/account/sessions",
    "/account?said=saved",
    "/account/second-factor?continue=/account",
    "/oauth/authorize?client_id=client_x&state=a%2Fb%3Fc%23d&redirect_uri=https%3A%2F%2Fa.example",
    "/invitations/inv_01m8.AbC-_9",
]
FOREIGN = [
    "https://evil.example",
    "https://evil.example/account",
    "HTTPS://evil.example",
    "http:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example/account",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/account\\@evil.example",
    "/account/\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    "/\n/evil.example",
    "/account\r\nLocation: https://evil.example",
    " //evil.example",
    "//evil.example/account",
    "/account@evil.example",
    "/account.evil.example",
    "@evil.example",
    ".evil.example",
    "account",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "/%2F/evil.example",
    "/%5Cevil.example",
    "%2F%2Fevil.example",
    "/account/..//evil.example",
    "/account/../sign-out",
    "/account/..",
    "/account/%2e%2e//evil.example",
    "/account/%2E%2E/",
    "/account/./",
    "/account//evil.example",
    "/account/",
    "/account#//evil.example",
    "/\u2215evil.example",
    "\uff0f\uff0fevil.example",
    "//evil\u3002example",
    "/account\u0000",
    "/oauth/authorize",
    "/oauth/authorize/../../evil.example?",
    "/oauth/authorize/?x",
    "/oauth/token?x",
    "/invitations/",
    "/invitations/..",
    "/invitations/.../x",
    "/invitations//evil.example",
    "/v1/organizations",
    "/sign-out",
    "/sign-in?continue=/sign-in",
    "",
    "?",
    "/",
    "/account?" + "x" * 9_000,
]


class TestOwnPlace:
    """`own_place`."""

    @pytest.mark.parametrize("place", OURS)
    def test_pages_of_ours_are_as_they_were_asked_for(self, place: str) -> None:
        assert own_place(place) == place

    @pytest.mark.parametrize("place", FOREIGN, ids=ascii)
    def test_all_else_is_the_account(self, place: str) -> None:
        assert own_place(place) == "/account"


class TestRedirect:
    """The `Location` that a browser is really sent."""

    async def test_nothing_that_is_asked_for_leads_out(
        self, world: World, resident: Resident
    ) -> None:
        visitor = await Visitor(world.http).enter(resident)
        led = []
        for place in FOREIGN:
            answer = await visitor.get(f"/sign-in?continue={quote(place, safe='')}")
            assert answer.status_code in {303, 400}, place
            if answer.status_code == 303:
                assert answer.headers["location"] == "/account", place
                led.append(place)
        # 400 is for what is no text or too long.
        assert len(led) >= len(FOREIGN) - 4
        assert "https://evil.example" in led

    async def test_pages_of_ours_are_reached(self, world: World, resident: Resident) -> None:
        visitor = await Visitor(world.http).enter(resident)
        for place in OURS:
            answer = await visitor.get(f"/sign-in?continue={quote(place, safe='')}")
            assert answer.headers["location"] == place

    @pytest.mark.parametrize("place", ["//evil.example", "/account/sessions", "/\\evil.example"])
    async def test_after_both_steps_it_is_the_same(
        self, world: World, resident: Resident, place: str
    ) -> None:
        await resident.second_factor()
        visitor, query = Visitor(world.http), f"?continue={quote(place, safe='')}"
        answer = await visitor.sign_in(resident.email, path=f"/sign-in{query}")
        assert answer.headers["location"] == f"/sign-in/code{query}"
        done = await visitor.fill(f"/sign-in/code{query}", {"code": resident.code()})
        assert done.headers["location"] == own_place(place)

    async def test_the_host_of_a_request_leads_nowhere(
        self, world: World, resident: Resident
    ) -> None:
        visitor = await Visitor(world.http).enter(resident)
        for host in ("evil.example", "evil.example/x?y=", "[", "evil.example:x"):
            answer = await visitor.get("/sign-in?continue=/account", Host=host)
            assert answer.headers["location"] == "/account"
            assert not urlsplit(answer.headers["location"]).netloc
            page = await visitor.get("/sign-in?anew=1", Host=host)
            assert 'action="/sign-in?anew=1"' in page.text
            assert "evil" not in page.text
