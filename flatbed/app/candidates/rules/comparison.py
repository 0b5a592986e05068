"""How a criterion's operator compares a registry attribute with the wanted value."""

import math
import unicodedata
from collections.abc import Sequence
from enum import StrEnum


class Operator(StrEnum):
    """How a criterion compares a registry attribute with its value."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    NOT_IN = "not_in"
    GTE = "gte"
    LTE = "lte"
    BETWEEN = "between"
    CONTAINS = "contains"
    EXISTS = "exists"


def operand_fits(operator: Operator, value: object) -> bool:
    """Say whether a criterion's value can be an operand of the operator."""
    match operator:
        case Operator.GTE | Operator.LTE:
            return _number(value) is not None
        case Operator.BETWEEN:
            limits = [_number(limit) for limit in _items(value)]
            return (
                len(limits) == 2  # noqa: PLR2004 (a range has two ends)
                and limits[0] is not None
                and limits[1] is not None
                and limits[0] <= limits[1]
            )
        case Operator.IN | Operator.NOT_IN:
            return isinstance(value, list | tuple) and len(value) > 0
        case Operator.EXISTS:
            return value is None or isinstance(value, bool)
        case Operator.EQ | Operator.NE | Operator.CONTAINS:
            return not _is_empty(value)


def matches(operator: Operator, wanted: object, actual: object) -> bool | None:
    """Compare an attribute's value with a criterion's; None when it says nothing about it.

    Text is compared without regard to case, compatibility forms and outer blanks. An empty
    attribute answers `exists` alone; a value of the wrong kind answers nothing.
    """
    if operator is Operator.EXISTS:
        return _is_empty(actual) is (wanted is False)
    if _is_empty(actual):
        return None
    if operator in {Operator.EQ, Operator.NE}:
        return (_plain(actual) == _plain(wanted)) is (operator is Operator.EQ)
    if operator in {Operator.IN, Operator.NOT_IN}:
        # A list attribute is in when one of its items is.
        shared = {_plain(i) for i in _items(actual)} & {_plain(i) for i in _items(wanted)}
        return bool(shared) is (operator is Operator.IN)
    if operator is Operator.CONTAINS:
        return _contains(actual, wanted)
    return _within(operator, wanted, _number(actual))


def scaled(value: object, floor: float, target: float) -> float | None:
    """Place a number between floor (0) and target (1), held within; None for no number."""
    number = _number(value)
    return None if number is None else min(1.0, max(0.0, (number - floor) / (target - floor)))


def _within(operator: Operator, wanted: object, number: float | None) -> bool | None:
    if number is None:
        return None
    limits = [limit for limit in map(_number, _items(wanted)) if limit is not None]
    above = operator is Operator.LTE or number >= limits[0]
    below = operator is Operator.GTE or number <= limits[-1]
    return above and below


def _contains(actual: object, wanted: object) -> bool | None:
    if isinstance(actual, str) and isinstance(wanted, str):
        return str(_plain(wanted)[1]) in str(_plain(actual)[1])
    if isinstance(actual, list | tuple):
        return {_plain(item) for item in _items(wanted)} <= {_plain(item) for item in actual}
    return None


def _number(value: object) -> float | None:
    # True is an int in Python, never in a registry.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None  # an integer of hundreds of digits measures nothing
    return number if math.isfinite(number) else None


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else (value,)


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str | list | tuple | dict) and not value)


def _plain(value: object) -> tuple[str, object]:
    """Return a hashable form in which 'Köln ' equals 'köln', 1 equals 1.0, and True only True."""
    if isinstance(value, str):
        return "text", unicodedata.normalize("NFKC", value).strip().casefold()
    if isinstance(value, bool):
        return "flag", value
    if isinstance(value, int | float):
        return "number", value
    if isinstance(value, list | tuple):
        return "list", tuple(_plain(item) for item in value)
    return "other", repr(value)
