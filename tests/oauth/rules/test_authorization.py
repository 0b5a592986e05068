"""What may stand in an authorization request."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatbed.tenants.oauth.rules.authorization import (
    is_challenge,
    is_nonce,
    is_too_old,
    is_verifier,
    proves,
    read_max_age,
    read_prompt,
)

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
UNRESERVED = st.text("abcXYZ019-._~", min_size=43, max_size=128)


class TestChallenge:
    def test_the_example_of_rfc_7636_is_proved(self) -> None:
        # Both stand in RFC 7636, appendix B.
        challenge = (
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # pragma: allowlist secret - of the RFC
        )
        verifier = (
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # pragma: allowlist secret - of the RFC
        )
        assert is_challenge(challenge)
        assert proves(verifier, challenge)

    @pytest.mark.parametrize(
        "text", ["", "a" * 42, "a" * 44, "a" * 43 + "\n", "a" * 42 + "=", "a" * 42 + "+", "ä" * 43]
    )
    def test_what_is_no_sha_256_in_base64url_is_no_challenge(self, text: str) -> None:
        assert not is_challenge(text)

    @given(UNRESERVED)
    def test_every_verifier_of_the_rfc_is_one_and_none_is_its_own_challenge(
        self, verifier: str
    ) -> None:
        assert is_verifier(verifier)
        assert not is_verifier(verifier + "\n")
        assert not proves(verifier, verifier[:43])


class TestPrompt:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (None, set()),
            ("", set()),
            ("none", {"none"}),
            ("login consent", {"login", "consent"}),
            ("select_account", {"select_account"}),
        ],
    )
    def test_the_words_are_read(self, text: str | None, words: set[str]) -> None:
        assert read_prompt(text) == frozenset(words)

    @pytest.mark.parametrize(
        "text", ["none login", "login none", "create", "login login", " login", "NONE", "login\n"]
    )
    def test_others_are_refused(self, text: str) -> None:
        assert read_prompt(text) is None


class TestMaxAge:
    def test_it_is_seconds(self) -> None:
        assert read_max_age(None) is None
        assert read_max_age("900") == timedelta(minutes=15)

    @pytest.mark.parametrize("text", ["-1", "1.5", "", "x", "1e3", "٣", "9" * 4000, " 1"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"^$"):
            read_max_age(text)

    def test_it_counts_from_the_proof(self) -> None:
        assert not is_too_old(NOW - timedelta(days=9), NOW, None)
        assert not is_too_old(NOW - timedelta(minutes=15), NOW, timedelta(minutes=15))
        assert is_too_old(NOW - timedelta(minutes=15, seconds=1), NOW, timedelta(minutes=15))


class TestNonce:
    def test_what_can_be_kept_and_repeated_is_taken(self) -> None:
        assert is_nonce("n-0S6_WzA2Mj")
        assert not any(map(is_nonce, ["", "a\x00", "a\n", "ä", "x" * 513]))
