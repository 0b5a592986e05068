"""Cookies of our own are read byte by byte."""

import pytest
from fastapi import Request

from flatbed.tenants.kit.edge.cookies import cookie_of


def request(*headers: str) -> Request:
    lines = [(b"cookie", header.encode("latin-1")) for header in headers]
    return Request({"type": "http", "headers": lines})


class TestCookieOf:
    @pytest.mark.parametrize(
        "header",
        ["__Host-a=v", "x=y; __Host-a=v", "__Host-a=v;x=y", "\t__Host-a = v ;", "b; __Host-a=v"],
    )
    def test_it_is_found_among_others(self, header: str) -> None:
        assert cookie_of(request(header), "__Host-a") == "v"

    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [""],
            ["__Host-a"],
            ["__host-a=v"],
            ["\xa0__Host-a=v"],
            ["\x85__Host-a=v"],
            ["__Host-a\x0b=v"],
            ["=__Host-a=v"],
            ["__Host-ab=v"],
            ["__Host-a=v; __Host-a=w"],
            ["__Host-a=v; __Host-a=v"],
            ["__Host-a=v", "__Host-a=w"],
        ],
        ids=ascii,
    )
    def test_another_name_is_another_cookie_and_two_are_none(self, headers: list[str]) -> None:
        assert cookie_of(request(*headers), "__Host-a") is None

    def test_a_value_is_as_it_was_sent(self) -> None:
        assert cookie_of(request('__Host-a="a=b%20\\073\xff"'), "__Host-a") == '"a=b%20\\073\xff"'
