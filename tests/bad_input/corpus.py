"""Four hundred and more values that somebody, some day, sends in the place of a good one.

A value is the bytes of a JSON token, not a Python object: half of them are no JSON at all. Where
a place is no JSON (path, query, header, form) the text inside a string's quotes is sent.
"""

import json
from dataclasses import dataclass

from tests.bad_input.values_attacks import ATTACKS
from tests.bad_input.values_broken import BROKEN
from tests.bad_input.values_meaning import MEANING


@dataclass(frozen=True, slots=True)
class Value:
    """One bad value."""

    family: str
    token: bytes

    @property
    def text(self) -> bytes:
        """What is sent where no JSON is expected."""
        if self.token[:1] != b'"' or self.token[-1:] != b'"':
            return self.token
        try:
            decoded = json.loads(self.token)
        except ValueError:
            return self.token[1:-1]
        text: str = decoded
        return text.encode("utf-8", "surrogatepass")


FAMILIES = {**ATTACKS, **BROKEN, **MEANING}
VALUES = [Value(family, token) for family, tokens in FAMILIES.items() for token in tokens]
