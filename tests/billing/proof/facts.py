"""What happens to an ISV's books, as plain facts: done to the program, and told to the model."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Campaign:
    """What its units cost, and its caps: units and money, in all and a month."""

    ref: UUID
    currency: str
    unit_price: int
    tiers: tuple[tuple[int, int], ...] = ()
    units_total: int | None = None
    units_month: int | None = None
    money_total: int | None = None
    money_month: int | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """A unit is qualified; ``source`` names it. A late one ``occurred`` before ``at``."""

    at: datetime
    source: UUID
    unit_key: str
    campaign: Campaign
    occurred: datetime
    replaces: UUID | None = None


@dataclass(frozen=True, slots=True)
class Decide:
    """``accepted``, ``disputed``, ``withdrawn``, ``confirmed`` or ``written_off``."""

    at: datetime
    source: UUID
    decision: str


@dataclass(frozen=True, slots=True)
class Void:
    """A unit is taken back."""

    at: datetime
    source: UUID


@dataclass(frozen=True, slots=True)
class Credit:
    """A share of what a unit was billed goes back."""

    at: datetime
    source: UUID
    percent: int


@dataclass(frozen=True, slots=True)
class Close:
    """The ``period``-th period of the tenant, counted from 0, is closed."""

    at: datetime
    period: int


@dataclass(frozen=True, slots=True)
class Move:
    """The tenant moves to another time zone."""

    at: datetime
    zone: str


Fact: TypeAlias = Meter | Decide | Void | Credit | Close | Move
DONE = "done"
"""What becomes of a fact that is not refused; else it is the name of the error."""
