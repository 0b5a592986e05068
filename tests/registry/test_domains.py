"""One spelling of a company's domain."""

import pytest

from flatbed.app.registry.domains import NoDomainError, registrable


class TestRegistrable:
    @pytest.mark.parametrize(
        ("text", "domain"),
        [
            ("systemhaus.example", "systemhaus.example"),
            ("  WWW.Systemhaus.EXAMPLE. ", "systemhaus.example"),
            ("https://www.systemhaus.example/impressum?x=1#y", "systemhaus.example"),
            ("ftp://someone@www.systemhaus.example:21/", "systemhaus.example"),
            ("systemhaus.example:8080/q", "systemhaus.example"),
            ("systemhaus.example?x=1", "systemhaus.example"),
            ("systemhaus.example/by/other@elsewhere.example", "systemhaus.example"),
            ("info@Systemhaus.example", "systemhaus.example"),
            ("shop.systemhaus.co.uk", "systemhaus.co.uk"),
            ("systemhaus.github.io", "systemhaus.github.io"),
            ("Müller.example", "xn--mller-kva.example"),
            ("xn--mller-kva.example", "xn--mller-kva.example"),
            ("ｓystemhaus。example", "systemhaus.example"),  # noqa: RUF001 - wide letters are the case
        ],
    )
    def test_a_name_an_address_and_an_email_give_the_registrable_part(
        self, text: str, domain: str
    ) -> None:
        assert registrable(text) == domain
        assert registrable(domain) == domain

    def test_sharp_s_and_double_s_are_two_registrations(self) -> None:
        assert registrable("Straße.example") == "xn--strae-oqa.example"
        assert registrable("strasse.example") == "strasse.example"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "localhost",
            "co.uk",
            "github.io",
            "192.0.2.7",
            "http://[2001:db8::1]/",
            "http://[::1",
            "under_score.example",
            "-dash.example",
            "two..dots.example",
            "a" * 64 + ".example",
            "a." * 130 + "example",
            "white space.example",
            "mailto:",
            "\x00.example",
            "xn--zzzzzzzz99999.example",
        ],
    )
    def test_what_is_no_registrable_domain_is_refused(self, text: str) -> None:
        with pytest.raises(NoDomainError):
            registrable(text)
