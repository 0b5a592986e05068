"""Whose word on the caller's address is taken: FLATBED_TRUSTED_PROXIES."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from flatbed.app.cli.serving import configured
from flatbed.tenants.kit.edge.addresses import address_of, caller_address
from flatbed.tenants.kit.settings import BadSettingError, KernelSettings
from tests.bad_input.wire import listening

FOREIGN = "192.0.2.7"


async def who(request: Request) -> Response:
    return PlainTextResponse(str(caller_address(request)))


APP = Starlette(routes=[Route("/", who)])


async def seen(trusted: str, *lines: str) -> str:
    """The address that the program sees behind the server, as it is served."""
    settings = KernelSettings.model_validate({"trusted_proxies": trusted})
    config = configured(APP, "127.0.0.1", 0, settings.trusted_proxies)
    head = "\r\n".join(("GET / HTTP/1.1", "Host: flatbed", "Connection: close", *lines))
    async with listening(APP, config) as server:
        answer = await server.say(f"{head}\r\n\r\n".encode())
    return answer.partition(b"\r\n\r\n")[2].decode()


class TestTrusted:
    async def test_the_last_address_that_is_no_proxy_of_ours_is_the_caller(self) -> None:
        """What stands before it was written by the caller."""
        line = f"X-Forwarded-For: 10.1.1.1, 198.51.100.1, {FOREIGN}, 10.9.9.9"
        assert await seen("127.0.0.1, 10.0.0.0/8", line) == FOREIGN

    async def test_without_the_header_it_is_the_proxy_itself(self) -> None:
        assert await seen("127.0.0.1") == "127.0.0.1"

    async def test_what_is_no_address_is_nobodys(self) -> None:
        assert await seen("127.0.0.1", "X-Forwarded-For: nonsense") == "None"


class TestAttacks:
    @pytest.mark.parametrize("trusted", ["", "10.0.0.0/8"])
    async def test_nobody_else_is_believed(
        self, trusted: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not from this machine, and not where the server's own variable says so."""
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
        for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
            assert await seen(trusted, f"{name}: {FOREIGN}") == "127.0.0.1"


class TestSetting:
    @pytest.mark.parametrize("text", ["*", "everywhere", "10.0.0.1/8", "0.0.0.0/0", "::/0"])
    def test_what_is_no_network_or_every_network_is_refused(self, text: str) -> None:
        with pytest.raises(BadSettingError, match="FLATBED_TRUSTED_PROXIES"):
            KernelSettings.model_validate({"trusted_proxies": text})

    def test_it_comes_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FLATBED_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::1")
        assert KernelSettings().trusted_proxies == ("10.0.0.0/8", "2001:db8::1/128")


def test_an_ipv4_address_over_ipv6_is_itself() -> None:
    assert str(address_of("::ffff:192.0.2.7")) == FOREIGN
    assert address_of("localhost") is None
