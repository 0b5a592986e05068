"""What units that are not billed yet cost, each at its place in its campaign. Pure, minor units.

A campaign's places are given in order: to the units that were billed, then to the accepted ones as
they were accepted, then to the pending ones as they occurred (as silence would accept them), then
to the disputed ones. Nothing is added across currencies.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from flatbed.billing.pricing.rules.tiers import Price, Tier
from flatbed.billing.usage.states import UsageState

CampaignKey: TypeAlias = tuple[UUID, str]
"""A campaign and the currency of its units: what places are counted by."""
STAGES: Final = (UsageState.ACCEPTED, UsageState.PENDING, UsageState.DISPUTED)
"""The states of units that are not billed, in the order in which they are given their places."""


@dataclass(frozen=True, slots=True)
class Unbilled:
    """A unit that is neither billed nor reversed.

    One that is written off has no place and costs nothing. ``at`` is when it was accepted, of
    others when it occurred. ``free``: it replaces another unit under the guarantee, costs nothing
    and takes no place.
    """

    entry_id: UUID
    key: CampaignKey
    state: UsageState
    occurred_at: datetime
    at: datetime
    price: Price
    free: bool


@dataclass(frozen=True, slots=True)
class Band:
    """Units that fall into one tier, and their money."""

    tier: Tier
    units: int

    @property
    def amount(self) -> int:
        """What they cost together."""
        return self.units * self.tier.unit_price


@dataclass(frozen=True, slots=True)
class Place:
    """How far a campaign has come: its units so far, what the next one costs, and until when.

    ``until_next_tier`` is how many more units cost as much as the next one; null with
    ``next_tier`` where no tier follows.
    """

    rank: int
    tier: Tier
    next_tier: Tier | None
    until_next_tier: int | None


@dataclass(frozen=True, slots=True)
class Stage:
    """The units of one state: how many, what they cost by tier, and where the campaign is then.

    ``units`` holds the ``free`` ones.
    """

    units: int
    free: int
    bands: tuple[Band, ...]
    after: Place

    @property
    def sold(self) -> int:
        """The units that take a place."""
        return self.units - self.free

    @property
    def amount(self) -> int:
        """What they cost together."""
        return sum(band.amount for band in self.bands)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A campaign whose units all have their places. ``price`` is its newest unit's."""

    key: CampaignKey
    price: Price
    billed: Place
    accepted: Stage
    pending: Stage
    disputed: Stage


def rank_all(
    units: Iterable[Unbilled],
    ranks: Mapping[CampaignKey, int],
    prices: Mapping[CampaignKey, Price],
) -> list[Ranked]:
    """Give each unit its place, campaign by campaign.

    Args:
        units: in any order.
        ranks: how many units of each campaign were billed before.
        prices: of each campaign's newest unit; one that only ``units`` name has theirs.
    """
    of: dict[CampaignKey, list[Unbilled]] = {key: [] for key in prices}
    for unit in units:
        of.setdefault(unit.key, []).append(unit)
    return [
        _rank(key, of[key], ranks.get(key, 0), prices.get(key))
        for key in sorted(of, key=lambda key: (str(key[0]), key[1]))
    ]


def bands_of(price: Price, after: int, units: int) -> list[Band]:
    """What so many units cost that follow the ``after``-th of their campaign, tier by tier."""
    found = []
    rank, left = after, units
    while left > 0:
        place = place_of(price, rank)
        here = left if place.until_next_tier is None else min(left, place.until_next_tier)
        found.append(Band(place.tier, here))
        rank, left = rank + here, left - here
    return found


def place_of(price: Price, rank: int) -> Place:
    """Where a campaign of so many units is, seen from the next one."""
    following = next((tier for tier in price.tiers if tier.from_unit > rank + 1), None)
    return Place(
        rank=rank,
        tier=price.tier_of(rank + 1),
        next_tier=following,
        until_next_tier=None if following is None else following.from_unit - rank - 1,
    )


def _rank(key: CampaignKey, units: Sequence[Unbilled], billed: int, newest: Price | None) -> Ranked:
    ordered = sorted(units, key=lambda one: (one.at, one.entry_id))
    price = newest or next((one.price for one in reversed(ordered) if not one.free), Price(0))
    stages: dict[UsageState, Stage] = {}
    rank = billed
    for state in STAGES:
        stage = _stage([one for one in ordered if one.state is state], rank, price)
        stages[state], rank = stage, stage.after.rank
    return Ranked(
        key=key,
        price=price,
        billed=place_of(price, billed),
        accepted=stages[UsageState.ACCEPTED],
        pending=stages[UsageState.PENDING],
        disputed=stages[UsageState.DISPUTED],
    )


def _stage(units: Sequence[Unbilled], rank: int, price: Price) -> Stage:
    counts: dict[Tier, int] = {}
    for unit in units:
        if not unit.free:
            rank += 1
            # At its own price: an order's is frozen, yet nothing here rests on that.
            tier = unit.price.tier_of(rank)
            counts[tier] = counts.get(tier, 0) + 1
    return Stage(
        units=len(units),
        free=sum(unit.free for unit in units),
        bands=tuple(Band(tier, count) for tier, count in counts.items()),
        after=place_of(price, rank),
    )
