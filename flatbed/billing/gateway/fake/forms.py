"""Stripe's parameters: ``lines[0][metadata][entry_id]=use_1`` as nested values, and read as types.

All values are texts on the way. A list is a dictionary of positions until somebody asks for it:
a key of metadata may be a number too.
"""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from flatbed.billing.gateway.fake.refusals import ApiError, invalid

Tree = dict[str, Any]
METADATA_KEYS: Final = 50
METADATA_KEY: Final = 40
METADATA_VALUE: Final = 500
_BIGGEST: Final = 99_999_999_99
"""What Stripe takes as an amount at most: eight digits before the point, in cents."""


def decode(form: bytes) -> Tree:
    """The tree of a query or of a form.

    Raises:
        ApiError: it is no form, brackets do not match, or a name is both a value and a section.
    """
    tree: Tree = {}
    for name, value in _pairs(form):
        steps = list(_steps(name))
        place = tree
        for step in steps[:-1]:
            place = place.setdefault(_place(place, step), {})
            if not isinstance(place, dict):
                raise invalid(name, f"Invalid parameter: {name}")
        last = _place(place, steps[-1])
        if isinstance(place.get(last), dict):
            raise invalid(name, f"Invalid parameter: {name}")
        place[last] = value
    return tree


def _pairs(form: bytes) -> list[tuple[str, str]]:
    if not form:
        return []
    try:
        return parse_qsl(form.decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise ApiError(400, "The request is no form") from None


def _steps(name: str) -> Iterator[str]:
    head, bracket, rest = name.partition("[")
    yield head
    if bracket:
        if not rest.endswith("]"):
            raise invalid(name, f"Invalid parameter name: {name}")
        yield from rest[:-1].split("][")


def _place(tree: Tree, step: str) -> str:
    return step or str(len(tree))


class Params:
    """A section of the parameters, with its name for errors."""

    def __init__(self, tree: Tree, name: str = "") -> None:
        self.tree = tree
        self._name = name

    def __contains__(self, name: str) -> bool:
        return name in self.tree

    def param(self, name: str) -> str:
        """The parameter's name as it was sent."""
        return f"{self._name}[{name}]" if self._name else name

    def text(self, name: str) -> str | None:
        """A text; None when absent or empty."""
        value = self.tree.get(name)
        if isinstance(value, dict):
            raise invalid(self.param(name), f"Invalid string: {self.param(name)}")
        return value or None

    def needed(self, name: str) -> str:
        """A text that must be given."""
        value = self.text(name)
        if value is None:
            raise required(self.param(name))
        return value

    def one_of(self, name: str, *allowed: str) -> str:
        """One of these texts; the first when absent."""
        value = self.text(name) or allowed[0]
        if value not in allowed:
            raise invalid(self.param(name), f"Invalid {name}: must be one of {', '.join(allowed)}")
        return value

    def whole(self, name: str) -> int | None:
        """A whole number."""
        value = self.text(name)
        if value is None:
            return None
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or abs(int(value)) > _BIGGEST:
            raise invalid(
                self.param(name), f"Invalid integer: {value}", "parameter_invalid_integer"
            )
        return int(value)

    def amount(self, name: str) -> int:
        """An amount from 0 up; 0 when absent."""
        value = self.whole(name) or 0
        if value < 0:
            raise invalid(self.param(name), "Amounts must not be negative")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self.text(name)
        if value not in {None, "true", "false"}:
            raise invalid(self.param(name), f"Invalid boolean: {value}")
        return default if value is None else value == "true"

    def section(self, name: str) -> "Params":
        """A section; an empty one when absent."""
        value = self.tree.get(name) or {}
        if not isinstance(value, dict):
            raise invalid(self.param(name), "Invalid object", "parameter_invalid_object")
        return Params(value, self.param(name))

    def sections(self, name: str) -> list["Params"]:
        """A list of sections."""
        held = self.section(name)
        return [held.section(place) for place in held.tree]

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        held = self.section(name)
        return [held.needed(place) for place in held.tree]

    def metadata(self, old: dict[str, str] | None = None) -> dict[str, str]:
        """The metadata after merging what is sent: an empty value removes."""
        merged = dict(old or {})
        if self.tree.get("metadata") == "":
            return {}
        sent = self.section("metadata")
        for key in sent.tree:
            value = sent.text(key)
            if len(key) > METADATA_KEY or len(value or "") > METADATA_VALUE:
                raise invalid(
                    sent.param(key),
                    f"Metadata keys have up to {METADATA_KEY} characters, "
                    f"values up to {METADATA_VALUE}",
                )
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = value
        if len(merged) > METADATA_KEYS:
            raise invalid("metadata", f"Metadata can have up to {METADATA_KEYS} keys")
        return merged


def required(param: str) -> ApiError:
    """A parameter that is missing."""
    return invalid(param, f"Missing required param: {param}.", "parameter_missing")
