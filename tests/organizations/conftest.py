"""The same application as the OAuth tests use."""

from tests.oauth.conftest import house

__all__ = ["house"]
