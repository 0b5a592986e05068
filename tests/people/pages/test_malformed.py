"""Forms and queries that two readers could read in two ways, or that are too much."""

from typing import Any

import pytest
from httpx import Response
from markupsafe import escape

from flatbed.tenants.people.sessions.service import COOKIE
from tests.api.support import BASE_URL, World
from tests.people.pages.conftest import PASSWORD, Resident
from tests.people.pages.visitor import Visitor, app_of, csrf_of, from_network

FORM = "application/x-www-form-urlencoded"
HEADERS = [("Origin", BASE_URL), ("Content-Type", FORM)]


@pytest.fixture
def visitor(world: World) -> Visitor:
    return Visitor(world.http)


def is_malformed(answer: Response) -> bool:
    """Whether the answer is the page that says so, and nobody is signed in."""
    assert f"{COOKIE}=" not in str(answer.headers.get_list("set-cookie"))
    assert answer.headers["content-type"].startswith("text/html")
    return answer.status_code == 400 and "contains something twice" in answer.text


class TestQuery:
    @pytest.mark.parametrize(
        "query",
        [
            "continue=/account&continue=//evil.example",
            "continue=/account&%63ontinue=/account",
            "anew=1&anew=1",
            "a=%ff",
            "a=%c3%28",
            "a=%ed%a0%80",
            "&".join(f"a{number}=" for number in range(33)),
            "a=" + "x" * 17_000,
        ],
        ids=lambda query: query[:30],
    )
    async def test_it_is_refused_on_every_page(self, visitor: Visitor, query: str) -> None:
        for page in ("/sign-in", "/sign-in/code", "/password-reset", "/account"):
            assert is_malformed(await visitor.get(f"{page}?{query}")), page

    async def test_bytes_that_no_url_holds_are_refused(self, world: World) -> None:
        """A server may let them pass."""
        began: list[Any] = []

        async def send(message: Any) -> None:
            began.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/sign-in",
            "raw_path": b"/sign-in",
            "query_string": b"a=\xff",
            "headers": [(b"host", b"flatbed.example")],
            "client": ("127.0.0.1", 1),
        }
        await app_of(world)(scope, receive, send)
        assert began[0]["status"] == 400

    @pytest.mark.parametrize(
        "text", ["\u0000", "\u202e", "\ufeff", "\U0001f600", "<script>", '"><x']
    )
    async def test_odd_text_is_shown_as_text(self, visitor: Visitor, text: str) -> None:
        answer = await visitor.http.get("/sign-in", params={"login_hint": text, "x": text})
        assert answer.status_code == 200
        assert f'value="{escape(text)}"' in answer.text
        assert "<script" not in answer.text
        assert '"><x' not in answer.text


class TestForm:
    @pytest.mark.parametrize(
        "body",
        [
            "email=a@b.example&email=c@d.example",
            "password=x&password=y",
            "password=x&pass%77ord=y",
            "csrf=x&csrf=y",
            "email=%ff",
            "email=%ed%a0%80",
            "&".join(f"a{number}=" for number in range(33)),
            "email=" + "x" * 17_000,
        ],
        ids=lambda body: body[:30],
    )
    async def test_what_is_said_twice_or_is_too_much_is_refused(
        self, visitor: Visitor, body: str
    ) -> None:
        field = csrf_of(await visitor.get("/sign-in"))
        whole = body if "csrf" in body else f"{body}&csrf={field}"
        assert is_malformed(await visitor.post("/sign-in", whole.encode(), HEADERS))

    async def test_bytes_that_are_no_text_are_refused(self, visitor: Visitor) -> None:
        assert is_malformed(await visitor.post("/sign-in", b"email=\xff\xfe", HEADERS))

    @pytest.mark.parametrize(
        "kinds",
        [
            [],
            ["text/plain"],
            ["multipart/form-data; boundary=x"],
            [FORM + "x"],
            [f"{FORM}, text/plain"],
            [FORM, "text/plain"],
            ["text/plain", FORM],
        ],
        ids=str,
    )
    async def test_another_kind_of_content_is_no_form(
        self, visitor: Visitor, resident: Resident, kinds: list[str]
    ) -> None:
        """`text/plain` is what a form of another site may send without being asked."""
        field = csrf_of(await visitor.get("/sign-in"))
        body = f"csrf={field}&email={resident.email}&password={PASSWORD.replace(' ', '+')}"
        headers = [("Origin", BASE_URL), *(("Content-Type", kind) for kind in kinds)]
        assert is_malformed(await visitor.post("/sign-in", body.encode(), headers))
        right = await visitor.post("/sign-in", body.encode(), HEADERS)
        assert right.status_code == 303

    @pytest.mark.parametrize(
        ("text", "network"),
        [
            ("\u0000", "100.64.1.1"),
            ("a\u0000b", "100.64.2.1"),
            ("\u202e", "100.64.3.1"),
            ("\ufdd0", "100.64.4.1"),
            ("\U0010ffff", "100.64.5.1"),
            ("\u0130", "100.64.6.1"),
            ("%00", "100.64.7.1"),
            ("' OR 1=1 --", "100.64.8.1"),
            ("\u212a", "100.64.9.1"),
        ],
        ids=ascii,
    )
    async def test_odd_text_is_a_wrong_address_or_password(
        self, world: World, resident: Resident, text: str, network: str
    ) -> None:
        async with from_network(world, network) as http:
            visitor = Visitor(http)
            assert (await visitor.sign_in(text, text)).status_code == 422
            assert (await visitor.sign_in(resident.email + text, PASSWORD)).status_code == 422
            assert (await visitor.sign_in(resident.email, PASSWORD + text)).status_code == 422

    async def test_what_a_browser_calls_itself_is_stored_as_far_as_it_can_be_shown(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        visitor.sent = {"User-Agent": "Odd\t<b>" + "x" * 5_000}
        await visitor.enter(resident)
        page = await visitor.get("/account/sessions")
        assert "Odd" in page.text
        assert "<b>" not in page.text

    async def test_a_nul_in_it_signs_in_all_the_same(
        self, visitor: Visitor, resident: Resident
    ) -> None:
        visitor.sent = {"User-Agent": "Odd\u0000"}
        await visitor.enter(resident)
