"""Field defaults that the bodies of this room share."""

from typing import Any


def unset() -> Any:  # noqa: ANN401 - stands in for a value of any type, and is never read
    """The default of a member that may be left out and may not be null.

    Whether it was sent stands in ``model_fields_set``; null itself fails the member's type.
    """
    return None
