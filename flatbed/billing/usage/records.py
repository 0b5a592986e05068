"""What goes through the facade: plain values, no rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.billing.pricing.rules.tiers import Price, Tier


def unit_key(programme_ref: UUID, group_ref: UUID) -> str:
    """The key under which a unit is billed once: programme and company group.

    A company without a group stands for itself. The key is frozen in the ledger; for groups
    that were merged later pass the keys of all of them (``UsageRequest.unit_keys``).
    """
    return f"{programme_ref}:{group_ref}"


@dataclass(frozen=True, slots=True)
class Caps:
    """A campaign's caps, each optional. Money in minor units of the campaign's currency."""

    units_total: int | None = None
    units_month: int | None = None
    money_total: int | None = None
    money_month: int | None = None


@dataclass(frozen=True, slots=True)
class UsageRequest:
    """One unit to meter.

    Args:
        source: what the unit is for the caller, the prefix of its TypeID (``qual``).
        source_id: its id; metered once.
        campaign_ref: whose caps are reserved.
        programme_ref: the programme of the unit key.
        price_ref: the price list that was frozen at order.
        unit_keys: see :func:`unit_key`: the one to write first, then those of merged groups.
        unit_price: minor units of ``currency``, not negative: the price before tiers.
        currency: ISO 4217.
        caps: the campaign's.
        evidence_hash: the hash of the dossier that proves the unit.
        occurred_at: when it was qualified; decides month, period and order.
        zone: the tenant's time zone.
        tiers: graduated prices of the campaign's later units, frozen at order.
        country: ISO 3166-1 of the partner, for reports.
        agent_ref: who worked the unit, for the agency's reports; opaque here.
        replaces_id: the entry that this unit replaces under the guarantee: it costs nothing,
            and reserves nothing.
    """

    source: str
    source_id: UUID
    campaign_ref: UUID
    programme_ref: UUID
    price_ref: UUID
    unit_keys: tuple[str, ...]
    unit_price: int
    currency: str
    caps: Caps
    evidence_hash: str
    occurred_at: datetime
    zone: ZoneInfo
    tiers: tuple[Tier, ...] = ()
    country: str | None = None
    agent_ref: UUID | None = None
    replaces_id: UUID | None = None

    @property
    def price(self) -> Price:
        """The campaign's price; a replacement has none."""
        return FREE if self.replaces_id is not None else Price(self.unit_price, self.tiers)


FREE: Final = Price(0)


@dataclass(frozen=True, slots=True)
class RecordedUsage:
    """An entry of the ledger, as far as its writer must know it.

    ``amount`` is what the unit costs at most; tiers may make it cheaper when it is billed.
    """

    entry_id: UUID
    sequence: int
    generation: int
    period_id: UUID
    hash: str
    amount: int
    currency: str
