"""Tokens for tests that take longer than a token lives."""

from datetime import timedelta

import pytest

from flatbed.tenants.oauth import tokens


@pytest.fixture
def lasting_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that outlive a test of more than ten minutes, of which the rest would be refused."""
    monkeypatch.setattr(tokens, "LIFETIME", timedelta(days=1))
