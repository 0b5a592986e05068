"""Caps: pure arithmetic on what a campaign has used and may use."""

from dataclasses import dataclass
from typing import Final

from flatbed.billing.usage.records import Caps

TOTAL: Final = "total"
"""The bucket of everything; the others are local months, ``YYYY-MM``."""


@dataclass(frozen=True, slots=True)
class Used:
    """What a campaign has used in a bucket: units, and money in minor units."""

    units: int
    amount: int


@dataclass(frozen=True, slots=True)
class Reached:
    """A cap that leaves no room for one more unit. Money in minor units."""

    cap: str
    limit: int
    used: int


def reached(caps: Caps, *, total: Used, month: Used, unit_price: int) -> list[Reached]:
    """The caps that one more unit at this price would exceed; a cap that is None is none."""
    rooms = (
        ("units_total", caps.units_total, total.units, 1),
        ("units_month", caps.units_month, month.units, 1),
        ("money_total", caps.money_total, total.amount, unit_price),
        ("money_month", caps.money_month, month.amount, unit_price),
    )
    return [
        Reached(cap, limit, used)
        for cap, limit, used, more in rooms
        if limit is not None and used + more > limit
    ]


def room(caps: Caps, *, total: Used, month: Used, unit_price: int) -> int | None:
    """How many more units at this price all caps leave room for, None where there is no cap."""
    rooms = [
        limit - used
        for limit, used in (
            (caps.units_total, total.units),
            (caps.units_month, month.units),
        )
        if limit is not None
    ]
    if unit_price > 0:
        rooms += [
            (limit - used) // unit_price
            for limit, used in (
                (caps.money_total, total.amount),
                (caps.money_month, month.amount),
            )
            if limit is not None
        ]
    return max(0, min(rooms)) if rooms else None


def holds_none(caps: Caps, *, unit_price: int) -> bool:
    """Whether not even the first unit at this price would fit."""
    return bool(reached(caps, total=NOTHING, month=NOTHING, unit_price=unit_price))


NOTHING: Final = Used(0, 0)
