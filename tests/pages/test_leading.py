"""Where a form may lead, as a source of a policy."""

import pytest

from flatbed.tenants.pages.leading import source_of


class TestSource:
    @pytest.mark.parametrize(
        ("uri", "source"),
        [
            ("https://app.example.org/callback", "https://app.example.org"),
            ("https://app.example.org:8443/cb?a=b", "https://app.example.org:8443"),
            ("http://127.0.0.1:5000/cb", "http://127.0.0.1:5000"),
            ("http://[::1]:5000/cb", "http:"),
            ("com.example.app:/cb", "com.example.app:"),
        ],
    )
    def test_it_is_the_origin_or_the_private_scheme(self, uri: str, source: str) -> None:
        assert source_of(uri) == source

    @pytest.mark.parametrize(
        "uri",
        [
            "",
            "/cb",
            "//evil.example/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://a.example; script-src */",
            "https://a.example 'unsafe-inline'/",
            "https://*/cb",
            "https://*.example/cb",
            "https://a.example,b/cb",
            "https://user@a.example/cb",
            "https://a.example/cb\nx",
            "https://[::2]/cb",
            "com.example.app;x:/cb",
        ],
    )
    def test_nothing_else_gets_into_the_policy(self, uri: str) -> None:
        assert source_of(uri) is None
