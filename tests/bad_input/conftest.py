"""What the long forms need."""

from tests.support.lasting import lasting_tokens

__all__ = ["lasting_tokens"]
