"""Forms that our pages did not send, and pages in frames of others."""

import pytest
from httpx import Response

from flatbed.tenants.pages.pages import BEFORE
from flatbed.tenants.people.sessions.service import COOKIE
from tests.api.support import BASE_URL, World
from tests.people.pages.conftest import PASSWORD, Resident
from tests.people.pages.visitor import OURS, Visitor, csrf_of

FOREIGN = {"Origin": "https://evil.example"}
PAGES = ["/sign-in", "/sign-in?continue=/account", "/password-reset"]
SIGNED_IN_PAGES = [
    "/account",
    "/account/sessions",
    "/account/password",
    "/account/second-factor",
    "/account/applications",
]


@pytest.fixture
def visitor(world: World) -> Visitor:
    return Visitor(world.http)


def typed(resident: Resident) -> dict[str, str]:
    """What signs him in, but for the page's own field."""
    return {"email": resident.email, "password": PASSWORD}


def is_refused(answer: Response) -> bool:
    """Whether the form was not taken, and nobody got a session."""
    assert f"{COOKIE}=" not in str(answer.headers.get_list("set-cookie"))
    return answer.status_code == 403 and "no longer valid" in answer.text


class TestOrigin:
    """The browser's word where a form comes from."""

    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [("Origin", "null")],
            [("Origin", "https://evil.example")],
            [("Origin", f"{BASE_URL}.evil.example")],
            [("Origin", f"{BASE_URL}:8443")],
            [("Origin", BASE_URL.replace("http:", "https:"))],
            [("Origin", f"{BASE_URL}/")],
            [("Origin", BASE_URL.upper())],
            [("Origin", "")],
            [("Origin", f"{BASE_URL}, https://evil.example")],
            [("Origin", BASE_URL), ("Origin", "https://evil.example")],
            [("Origin", "https://evil.example"), ("Origin", BASE_URL)],
            [("Origin", "null"), ("Sec-Fetch-Site", "same-origin")],
            [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin")],
            [("Sec-Fetch-Site", "cross-site")],
            [("Sec-Fetch-Site", "same-site")],
            [("Sec-Fetch-Site", "none")],
            [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
            [("Referer", f"{BASE_URL}/sign-in")],
        ],
        ids=str,
    )
    async def test_from_elsewhere_the_right_field_is_not_enough(
        self, visitor: Visitor, resident: Resident, headers: list[tuple[str, str]]
    ) -> None:
        sent = {"csrf": csrf_of(await visitor.get("/sign-in")), **typed(resident)}
        assert is_refused(await visitor.post("/sign-in", sent, headers))

    @pytest.mark.parametrize("headers", [OURS, {"Sec-Fetch-Site": "same-origin"}], ids=str)
    async def test_from_our_page_it_is(
        self, visitor: Visitor, resident: Resident, headers: dict[str, str]
    ) -> None:
        sent = {"csrf": csrf_of(await visitor.get("/sign-in")), **typed(resident)}
        assert (await visitor.post("/sign-in", sent, headers)).status_code == 303


class TestField:
    """The HMAC in the form."""

    @pytest.mark.parametrize("field", [None, "", "x", "A" * 43, "\u00e9" * 43], ids=repr)
    async def test_without_it_our_own_origin_is_not_enough(
        self, visitor: Visitor, resident: Resident, field: str | None
    ) -> None:
        await visitor.get("/sign-in")
        sent = typed(resident) | ({} if field is None else {"csrf": field})
        assert is_refused(await visitor.post("/sign-in", sent))

    async def test_one_of_another_browser_is_refused(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        """Login CSRF: somebody else's form would sign the victim in to his own account."""
        theirs = csrf_of(await Visitor(world.http).get("/sign-in"))
        await visitor.get("/sign-in")
        assert is_refused(await visitor.post("/sign-in", {"csrf": theirs, **typed(resident)}))

    async def test_it_is_worth_nothing_without_the_cookie_that_it_came_with(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        field = csrf_of(await visitor.get("/sign-in"))
        sent = {"csrf": field, **typed(resident)}
        assert is_refused(await Visitor(world.http).post("/sign-in", sent))

    @pytest.mark.parametrize(
        ("shown", "sent"),
        [
            ("/sign-in", "/sign-in?continue=/account/sessions"),
            ("/sign-in?continue=/account/sessions", "/sign-in"),
            ("/sign-in?anew=1", "/sign-in?anew=1&"),
            ("/sign-in?anew=1&continue=/account", "/sign-in?continue=/account&anew=1"),
            ("/sign-in?continue=/account", "/sign-in?continue=%2Faccount"),
            ("/password-reset", "/sign-in"),
            ("/sign-in", "/sign-in/code"),
            ("/sign-in", "/sign%2Din"),
        ],
    )
    async def test_one_of_another_page_or_query_is_refused(
        self, visitor: Visitor, resident: Resident, shown: str, sent: str
    ) -> None:
        field = csrf_of(await visitor.get(shown))
        assert is_refused(await visitor.post(sent, {"csrf": field, **typed(resident)}))

    async def test_one_of_another_persons_session_is_refused(
        self, world: World, resident: Resident
    ) -> None:
        first = await Visitor(world.http).enter(resident)
        second = await Visitor(world.http).enter(resident)
        field = csrf_of(await first.get("/account"))
        sent = {"csrf": field, "name": "Somebody Else", "locale": "de"}
        assert is_refused(await second.post("/account", sent))
        assert (await first.post("/account", sent)).status_code == 303

    async def test_one_from_before_signing_in_is_none_of_the_session(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await visitor.enter(resident)
        other = Visitor(visitor.http)
        sent = {"csrf": csrf_of(await other.get("/sign-in"))}
        assert is_refused(await visitor.post("/sign-out", sent))
        assert await visitor.is_signed_in()

    async def test_signing_out_needs_the_pages_own_field(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await visitor.enter(resident)
        assert is_refused(await visitor.post("/sign-out", {"csrf": "x"}))
        assert is_refused(await visitor.post("/sign-out", {"csrf": ""}, FOREIGN))
        assert await visitor.is_signed_in()


class TestFixation:
    """Cookies that somebody else put into the browser."""

    async def test_a_planted_session_cookie_is_not_the_one_that_is_signed_in(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        planted = "A" * 43
        visitor.cookies[COOKIE] = planted
        await visitor.enter(resident)
        assert visitor.cookies[COOKIE] != planted
        assert not await Visitor(world.http, {COOKIE: planted}).is_signed_in()

    async def test_somebody_elses_live_session_ends_when_another_signs_in_over_it(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        attacker = await Visitor(world.http).enter(resident)
        planted = attacker.cookies[COOKIE]
        visitor.cookies[COOKIE] = planted
        await visitor.enter(resident)
        assert not await attacker.is_signed_in()

    async def test_a_planted_cookie_from_before_is_gone_once_he_is_signed_in(
        self, world: World, visitor: Visitor, resident: Resident
    ) -> None:
        attacker = Visitor(world.http)
        await attacker.get("/sign-in")
        visitor.cookies[BEFORE] = attacker.cookies[BEFORE]
        await visitor.enter(resident)
        assert BEFORE not in visitor.cookies

    @pytest.mark.parametrize("value", ["x", "A" * 42, "A" * 44, "A" * 30_000, "%41" * 15])
    async def test_one_that_we_would_not_make_is_replaced(
        self, visitor: Visitor, resident: Resident, value: str
    ) -> None:
        visitor.cookies[BEFORE] = value
        page = await visitor.get("/sign-in")
        assert page.status_code == 200
        assert visitor.cookies[BEFORE] != value
        sent = {"csrf": csrf_of(page), **typed(resident)}
        assert (await visitor.post("/sign-in", sent)).status_code == 303

    @pytest.mark.parametrize("name", [BEFORE, COOKIE])
    async def test_bytes_that_are_no_text_break_nothing(self, visitor: Visitor, name: str) -> None:
        headers = [(b"Cookie", name.encode() + b"=" + b"\xff" * 40_000)]
        answer = await visitor.http.get("/sign-in", headers=headers)
        assert answer.status_code == 200

    async def test_two_session_cookies_are_none(self, world: World, resident: Resident) -> None:
        mine = (await Visitor(world.http).enter(resident)).cookies[COOKIE]
        theirs = (await Visitor(world.http).enter(resident)).cookies[COOKIE]
        for pair in ((mine, theirs), (theirs, mine), (mine, mine)):
            cookie = "; ".join(f"{COOKIE}={value}" for value in pair)
            answer = await world.http.get("/account", headers={"Cookie": cookie})
            assert answer.status_code == 303, pair

    @pytest.mark.parametrize("space", ["\x85", "\xa0", "\x1c", "\x0b", '"'], ids=ascii)
    async def test_a_name_with_something_in_front_is_another_name(
        self, world: World, resident: Resident, space: str
    ) -> None:
        """A neighbouring domain may set it, which `__Host-` itself keeps it from."""
        value = (await Visitor(world.http).enter(resident)).cookies[COOKIE]
        cookie = f"{space}{COOKIE}={value}".encode("latin-1")
        answer = await world.http.get("/account", headers=[(b"Cookie", cookie)])
        assert answer.status_code == 303


class TestFrames:
    """What a page lets a browser do with it."""

    def check(self, answer: Response) -> None:
        policy = answer.headers.get_list("content-security-policy")
        assert len(policy) == 1
        for part in ("default-src 'none'", "frame-ancestors 'none'"):
            assert part in policy[0]
        assert "script" not in policy[0]
        assert "unsafe" not in policy[0]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] in {"same-origin", "no-referrer"}
        assert "<script" not in answer.text
        assert "style=" not in answer.text
        assert " on" + "click" not in answer.text

    @pytest.mark.parametrize("path", PAGES)
    async def test_a_page_is_framed_by_nobody_and_runs_nothing(
        self, visitor: Visitor, path: str
    ) -> None:
        answer = await visitor.get(path)
        assert answer.status_code == 200
        self.check(answer)
        policy = answer.headers["content-security-policy"]
        assert "form-action 'self';" in policy
        assert "base-uri 'none'" in policy

    async def test_nor_is_a_page_of_who_is_signed_in(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        await visitor.enter(resident)
        for path in SIGNED_IN_PAGES:
            answer = await visitor.get(path)
            assert answer.status_code == 200, path
            self.check(answer)

    async def test_nor_are_refusals_and_redirects(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        for answer in (
            await visitor.post("/sign-in", {}),
            await visitor.post("/sign-in", b"\xff"),
            await visitor.get("/sign-in?a=1&a=2"),
            await visitor.get("/account"),
            await visitor.sign_in(resident.email, "wrong password of his"),
            await visitor.get("/invitations/inv_x.y"),
        ):
            self.check(answer)

    async def test_where_a_form_leads_names_one_origin_and_only_of_an_authorization(
        self, visitor: Visitor
    ) -> None:
        evil = "/sign-in?continue=/oauth/authorize%3Fredirect_uri%3D"
        for uri in ("https://a.example;script-src *", "https://*", "javascript:x", "data:x"):
            self.check(answer := await visitor.get(evil + uri))
            assert "form-action 'self';" in answer.headers["content-security-policy"]

    async def test_cookies_are_for_this_host_over_tls_and_no_script(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        page = await visitor.get("/sign-in")
        done = await visitor.post("/sign-in", {"csrf": csrf_of(page), **typed(resident)})
        lines = page.headers.get_list("set-cookie") + done.headers.get_list("set-cookie")
        assert len(lines) == 4
        for line in lines:
            parts = {part.strip().lower() for part in line.split(";")[1:]}
            assert line.startswith("__Host-")
            assert {"secure", "httponly", "samesite=lax", "path=/"} <= parts
            assert not any(part.startswith("domain") for part in parts)
