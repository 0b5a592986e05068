"""Rating: what a closed period bills. Pure, in minor units; nothing is added across currencies.

Units are billed in the order in which they were accepted, each at the price of its own place in
its campaign, whatever the order of arrival: the total depends on how many there are alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from flatbed.billing.pricing.rules.tiers import Price

Campaign = tuple[UUID, str]
"""A campaign and the currency of its units: what ranks are counted by."""


class Fate(StrEnum):
    """Why a unit is on no line."""

    PENDING = "pending"
    DISPUTED = "disputed"
    CANCELLED = "cancelled"
    WRITTEN_OFF = "written_off"


HELD = frozenset({Fate.PENDING, Fate.DISPUTED})
"""Carried forward, never dropped."""


class LineKind(StrEnum):
    """A charge bills a unit, a credit takes money of an earlier line back."""

    CHARGE = "charge"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Unit:
    """An accepted unit that was not billed yet. ``free``: it replaces another one."""

    entry_id: UUID
    campaign_ref: UUID
    currency: str
    price: Price
    free: bool
    reserved: int
    month: str
    dossier_hash: str
    occurred_at: datetime
    accepted_at: datetime
    late: bool
    carried_over: bool


@dataclass(frozen=True, slots=True)
class Refund:
    """A reversal or a credit with money, of a unit that stands on an earlier line."""

    entry_id: UUID
    kind: str
    campaign_ref: UUID
    currency: str
    amount: int
    dossier_hash: str
    occurred_at: datetime
    late: bool
    carried_over: bool
    corrects_id: UUID
    corrected_entry_id: UUID
    corrected_invoice_id: UUID | None


@dataclass(frozen=True, slots=True)
class Rest:
    """A unit that is not billed, why, and what it would cost at most."""

    entry_id: UUID
    currency: str
    fate: Fate
    amount: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it is written; ``rank`` is the unit's place in its campaign."""

    position: int
    entry_id: UUID
    kind: LineKind
    campaign_ref: UUID
    currency: str
    amount: int
    rank: int | None
    price_text: str
    dossier_hash: str
    occurred_at: datetime
    accepted_at: datetime | None
    late: bool
    carried_over: bool
    corrects_id: UUID | None = None
    corrected_entry_id: UUID | None = None
    corrected_invoice_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What a statement of one currency holds."""

    currency: str
    lines: tuple[Line, ...]
    rest: tuple[Rest, ...]

    @property
    def units(self) -> int:
        """How many units are billed."""
        return sum(line.kind is LineKind.CHARGE for line in self.lines)

    @property
    def charges(self) -> int:
        """The money of the charges."""
        return sum(line.amount for line in self.lines if line.kind is LineKind.CHARGE)

    @property
    def credits(self) -> int:
        """The money that goes back, not positive."""
        return sum(line.amount for line in self.lines if line.kind is LineKind.CREDIT)

    @property
    def total(self) -> int:
        """Charges and credits together."""
        return sum(line.amount for line in self.lines)

    @property
    def held(self) -> tuple[Rest, ...]:
        """What is carried forward."""
        return tuple(one for one in self.rest if one.fate in HELD)


def rate(units: Iterable[Unit], ranks: Mapping[Campaign, int]) -> list[tuple[Unit, int | None]]:
    """Give each unit its place in its campaign, in the order of acceptance.

    Args:
        units: accepted and not billed, in any order.
        ranks: how many units of each campaign were billed before.
    """
    last = Counter(ranks)
    rated: list[tuple[Unit, int | None]] = []
    for unit in sorted(units, key=lambda one: (one.accepted_at, one.entry_id)):
        if unit.free:
            rated.append((unit, None))
            continue
        campaign = (unit.campaign_ref, unit.currency)
        last[campaign] += 1
        rated.append((unit, last[campaign]))
    return rated


def amount_of(price: Price, rank: int | None) -> int:
    """What the unit of this rank costs; one without a rank is free."""
    return 0 if rank is None else price.of(rank)


def price_text(price: Price, rank: int | None) -> str:
    """The price in words, as it is frozen on the line."""
    if rank is None:
        return "replacement, free of charge"
    tier = price.tier_of(rank)
    from_unit = "" if tier.from_unit == 1 else f", price from unit {tier.from_unit} on"
    return f"unit {rank} of the campaign{from_unit}"


def drafts(
    units: Sequence[Unit],
    refunds: Sequence[Refund],
    rest: Sequence[Rest],
    ranks: Mapping[Campaign, int],
    *,
    currency: str,
) -> list[Draft]:
    """The statements of a period, one a currency; without anything, an empty one.

    Args:
        units: accepted units, in any order.
        refunds: in the order of the ledger.
        rest: what is not billed.
        ranks: how many units of each campaign were billed before.
        currency: the tenant's, for a period without anything.
    """
    rated = rate(units, ranks)
    found = {one.currency for one in units} | {one.currency for one in refunds}
    found |= {one.currency for one in rest}
    return [
        Draft(
            wanted,
            tuple(_lines(wanted, rated, refunds)),
            tuple(one for one in rest if one.currency == wanted),
        )
        for wanted in sorted(found or {currency})
    ]


def _lines(
    currency: str, rated: Iterable[tuple[Unit, int | None]], refunds: Iterable[Refund]
) -> Iterable[Line]:
    position = 0
    for unit, rank in rated:
        if unit.currency != currency:
            continue
        position += 1
        yield Line(
            position=position,
            entry_id=unit.entry_id,
            kind=LineKind.CHARGE,
            campaign_ref=unit.campaign_ref,
            currency=currency,
            amount=amount_of(unit.price, rank),
            rank=rank,
            price_text=price_text(unit.price, rank),
            dossier_hash=unit.dossier_hash,
            occurred_at=unit.occurred_at,
            accepted_at=unit.accepted_at,
            late=unit.late,
            carried_over=unit.carried_over,
        )
    for refund in refunds:
        if refund.currency != currency:
            continue
        position += 1
        yield Line(
            position=position,
            entry_id=refund.entry_id,
            kind=LineKind.CREDIT,
            campaign_ref=refund.campaign_ref,
            currency=currency,
            amount=refund.amount,
            rank=None,
            price_text=refund.kind,
            dossier_hash=refund.dossier_hash,
            occurred_at=refund.occurred_at,
            accepted_at=None,
            late=refund.late,
            carried_over=refund.carried_over,
            corrects_id=refund.corrects_id,
            corrected_entry_id=refund.corrected_entry_id,
            corrected_invoice_id=refund.corrected_invoice_id,
        )
