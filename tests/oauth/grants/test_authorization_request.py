"""/oauth/authorize: whom the browser is sent back to, and what may be asked for."""

import re
from urllib.parse import parse_qs, quote

import httpx
import pytest

from flatbed.tenants.kit.ids import encode, uuid7
from tests.oauth.grants.browser import Browser, answered
from tests.oauth.grants.conftest import Case
from tests.oauth.grants.folk import REDIRECT
from tests.oauth.house import ISSUER, House


@pytest.fixture
def browser(house: House, web: Case) -> Browser:
    return Browser(house, web.application, web.person)


@pytest.fixture
def local(house: House, native: Case) -> Browser:
    return Browser(house, native.application, native.person)


def is_a_page(reply: httpx.Response) -> None:
    """The browser is sent nowhere, and nothing on the page leads away from us."""
    assert reply.status_code == 400
    assert "location" not in reply.headers
    assert reply.headers["content-type"].startswith("text/html")
    links = re.findall(r'(?:href|src|action)="([^"]*)"', reply.text)
    assert links
    assert all(re.match(r"/(?![/\\])", link) for link in links)
    assert "<script" not in reply.text
    assert "http-equiv" not in reply.text


class TestTarget:
    """Whoever asks, and where the answer goes: a mistake is shown on a page of ours."""

    @pytest.mark.parametrize(
        "uri",
        [
            None,
            "https://app.example.org/callback/",
            "https://app.example.org/callback?next=https://evil.example",
            "https://app.example.org/callback#evil",
            "https://app.example.org/callback/../evil",
            "https://app.example.org/./callback",
            "https://app.example.org//callback",
            "https://app.example.org/Callback",
            "https://APP.example.org/callback",
            "HTTPS://app.example.org/callback",
            "http://app.example.org/callback",
            "https://app.example.org:443/callback",
            "https://app.example.org:8443/callback",
            "https://app.example.org/callbac%6b",
            "https://app.example.org/callback%00",
            "https://app.example.org/callback%0d%0aLocation:evil",
            "https://app.example.org/callback ",
            " https://app.example.org/callback",
            "https://app.example.org.evil.example/callback",
            "https://app.example.org@evil.example/callback",
            "https://user@app.example.org/callback",
            "https://app.example.org\\@evil.example/callback",
            "https://\u0430pp.example.org/callback",
            "//app.example.org/callback",
            "/callback",
            "javascript:alert(1)",
            "data:text/html,evil",
            'https://app.example.org/callback"evil',
            "https://app.example.org/callback\nevil",
            "https://evil.example/?https://app.example.org/callback",
        ],
    )
    async def test_another_redirect_uri_is_shown_and_never_followed(
        self, browser: Browser, uri: str | None
    ) -> None:
        for more in ({}, {"scope": "nonsense"}, {"response_type": "token"}, {"prompt": "none"}):
            is_a_page(await browser.get(redirect_uri=uri, **more))

    @pytest.mark.parametrize(
        "uri",
        [
            "http://localhost/callback",
            "http://localhost:8000/callback",
            "http://127.0.0.2/callback",
            "http://127.1/callback",
            "http://0.0.0.0:8000/callback",
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:080/callback",
            "http://127.0.0.1:8000/other",
            "http://127.0.0.1:8000/callback/",
            "http://127.0.0.1:8000/callback?a=b",
            "http://127.0.0.1:8000@evil.example/callback",
            "http://127.0.0.1:8000:9/callback",
            "http://[::1]:8000/callback",
            "https://127.0.0.1:8000/callback",
        ],
    )
    async def test_only_the_port_of_a_loopback_address_may_differ(
        self, local: Browser, uri: str
    ) -> None:
        is_a_page(await local.get(redirect_uri=uri))

    async def test_the_port_of_a_web_application_may_not(self, browser: Browser, web: Case) -> None:
        app = await web.folk.application(
            organization=web.organization, redirect_uris=["http://127.0.0.1:9000/callback"]
        )
        is_a_page(await browser.at(app).get(redirect_uri="http://127.0.0.1:9001/callback"))

    async def test_another_applications_redirect_uri_is_not_its_own(
        self, browser: Browser, web: Case
    ) -> None:
        await web.folk.application(redirect_uris=["https://evil.example/cb"])
        is_a_page(await browser.get(redirect_uri="https://evil.example/cb"))

    @pytest.mark.parametrize("name", [None, "evil", "client_evil", "' OR 1=1 --", "\x00", "é"])
    async def test_an_unknown_client_is_shown(self, browser: Browser, name: str | None) -> None:
        is_a_page(await browser.get(client_id=name))

    async def test_so_is_one_that_does_not_exist_or_is_no_application(
        self, browser: Browser, house: House
    ) -> None:
        is_a_page(await browser.get(client_id=encode("client", uuid7())))
        is_a_page(await browser.get(client_id=house.realm.client_id))

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE oauth_client SET active = false WHERE id = $1",
            "UPDATE oauth_client SET active = false, deleted_at = now() WHERE id = $1",
            (
                "UPDATE organization SET status = 'suspended' WHERE id ="
                " (SELECT tenant_id FROM oauth_client WHERE id = $1)"
            ),
        ],
    )
    async def test_so_is_one_that_is_no_longer_active(
        self, browser: Browser, web: Case, change: str
    ) -> None:
        await web.folk.rows.execute(change, web.application.id)
        is_a_page(await browser.get())

    @pytest.mark.parametrize(
        "name",
        ["response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "prompt", "x"],
    )
    async def test_a_parameter_twice_is_shown(self, browser: Browser, name: str) -> None:
        query = browser.query(nonce="n", prompt="login", x="x")
        value = parse_qs(query)[name][0]
        is_a_page(await browser.get(f"{query}&{name}={quote(value)}"))
        is_a_page(await browser.get(f"{query}&{name}="))

    @pytest.mark.parametrize(
        "more", ["a=%FF", "x=" + "x" * 9000, "&".join(f"p{n}=1" for n in range(40))]
    )
    async def test_what_cannot_be_read_is_shown(self, browser: Browser, more: str) -> None:
        is_a_page(await browser.get(f"{browser.query()}&{more}"))


class TestRequest:
    """All other mistakes are told to the application, with `iss`, at its own address."""

    @pytest.mark.parametrize(
        ("changed", "error"),
        [
            ({"response_type": None}, "invalid_request"),
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"response_type": "code id_token"}, "unsupported_response_type"),
            ({"response_type": 'code"'}, "unsupported_response_type"),
            ({"response_mode": "fragment"}, "invalid_request"),
            ({"response_mode": "form_post"}, "invalid_request"),
            ({"request": "a.b.c"}, "request_not_supported"),
            ({"request_uri": "https://evil.example"}, "request_uri_not_supported"),
            ({"registration": "{}"}, "registration_not_supported"),
            ({"code_challenge": None}, "invalid_request"),
            ({"code_challenge_method": None}, "invalid_request"),
            ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"code_challenge_method": "s256"}, "invalid_request"),
            ({"code_challenge": "a" * 42}, "invalid_request"),
            ({"code_challenge": "a" * 44}, "invalid_request"),
            ({"code_challenge": "a" * 43 + "\n"}, "invalid_request"),
            ({"scope": None}, "invalid_scope"),
            ({"scope": "openid orders:write"}, "invalid_scope"),
            ({"scope": "openid  usage:read"}, "invalid_scope"),
            ({"scope": "OPENID"}, "invalid_scope"),
            ({"scope": "openid\u00a0usage:read"}, "invalid_scope"),
            ({"scope": "openid signals:write"}, "invalid_scope"),
            ({"resource": "https://other.example"}, "invalid_target"),
            ({"resource": ISSUER + "/"}, "invalid_target"),
            ({"prompt": "none login"}, "invalid_request"),
            ({"prompt": "create"}, "invalid_request"),
            ({"max_age": "-1"}, "invalid_request"),
            ({"max_age": "soon"}, "invalid_request"),
            ({"max_age": "0000000000" + "9" * 20}, "invalid_request"),
            ({"max_age": "\u0663"}, "invalid_request"),
            ({"nonce": "a\x00b"}, "invalid_request"),
            ({"nonce": "x" * 600}, "invalid_request"),
        ],
    )
    async def test_it_is_refused(
        self, browser: Browser, changed: dict[str, str | None], error: str
    ) -> None:
        for somebody in (browser, browser.of(None)):
            told = answered(await somebody.get(**changed), REDIRECT)
            assert told == {"error": error, "state": "s&t=1", "iss": ISSUER}

    async def test_without_a_state_none_is_told(self, browser: Browser) -> None:
        told = answered(await browser.get(state=None, scope="x"), REDIRECT)
        assert told == {"error": "invalid_scope", "iss": ISSUER}
