"""A second realm, for what must not cross; tokens for the long form."""

from tests.api.conftest import second
from tests.support.lasting import lasting_tokens

__all__ = ["lasting_tokens", "second"]
