"""Graduated tiers: what the n-th unit of a campaign costs. Money in minor units, never a float.

Only the unit that falls into a tier has its price: the units before keep theirs, so that a closed
statement never has to change.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Any

HUNDRED = Decimal(100)


class TierError(ValueError):
    """The tiers are not in order, or start at a unit that the unit price covers."""


@dataclass(frozen=True, slots=True)
class Tier:
    """From the ``from_unit``-th unit of a campaign on, a unit costs ``unit_price``."""

    from_unit: int
    unit_price: int


@dataclass(frozen=True, slots=True)
class Price:
    """What a campaign's units cost: the first at ``unit_price``, then by tiers.

    Raises:
        TierError: tiers that do not ascend from the second unit on, or a price below zero.
    """

    unit_price: int
    tiers: tuple[Tier, ...] = ()

    def __post_init__(self) -> None:
        starts = [1, *(tier.from_unit for tier in self.tiers)]
        if any(later <= earlier for earlier, later in pairwise(starts)):
            raise TierError("each tier starts behind the one before")
        if self.unit_price < 0 or any(tier.unit_price < 0 for tier in self.tiers):
            raise TierError("a price is not negative")

    def of(self, rank: int) -> int:
        """The price of the ``rank``-th unit of a campaign, counted from 1.

        Raises:
            ValueError: a rank below 1.
        """
        return self.tier_of(rank).unit_price

    def tier_of(self, rank: int) -> Tier:
        """The tier of the ``rank``-th unit; the unit price is the tier from the first unit on.

        Raises:
            ValueError: a rank below 1.
        """
        if rank < 1:
            raise ValueError("units are counted from 1")
        found = Tier(1, self.unit_price)
        for tier in self.tiers:
            if tier.from_unit > rank:
                break
            found = tier
        return found

    def highest(self, rank: int) -> int:
        """The most that the ``rank``-th unit or any later one costs."""
        later = (tier.unit_price for tier in self.tiers if tier.from_unit > rank)
        return max([self.of(rank), *later])


def schedule(price: Price) -> list[dict[str, int]] | None:
    """A price with tiers as the ledger keeps it, the unit price as its first tier; else None."""
    if not price.tiers:
        return None
    return tiers_to_json([Tier(1, price.unit_price), *price.tiers])


def price_from(stored: Sequence[Mapping[str, Any]] | None, amount: int) -> Price:
    """The price of an entry: its schedule, or its amount where it has none."""
    if not stored:
        return Price(amount)
    first, *later = tiers_from_json(stored)
    return Price(first.unit_price, tuple(later))


def share(amount: int, percent: int) -> int:
    """A percentage of an amount, rounded half to even once."""
    exact = Decimal(amount) * Decimal(percent) / HUNDRED
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def tiers_to_json(tiers: Iterable[Tier]) -> list[dict[str, int]]:
    """Tiers as they are stored."""
    return [{"from_unit": one.from_unit, "unit_price": one.unit_price} for one in tiers]


def tiers_from_json(stored: Sequence[Mapping[str, Any]] | None) -> tuple[Tier, ...]:
    """Tiers from how they are stored; none is none."""
    return tuple(Tier(int(one["from_unit"]), int(one["unit_price"])) for one in stored or ())
