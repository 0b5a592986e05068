"""The append-only ledger: entries, decisions, heads, periods and cap counters.

States of an entry are derived from its decisions and a reversal; none is stored.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import SHARED, one_of, parent
from flatbed.tenants.kit.database.tables import Base, TenantRow

_QUALIFIED = "kind = 'qualified'"


class UsageEntry(TenantRow, Base):
    """One metered unit (+1) or its reversal (-1). Amounts are minor units of ``currency``.

    ``source`` and ``source_id`` are opaque here; a reversal repeats those, the unit key, the
    generation and the month of the entry that it reverses. ``month`` is the tenant-local month
    whose caps the unit reserves, kept since the tenant's zone may change before a reversal.
    """

    __tablename__ = "usage_entry"
    __table_args__ = (
        UniqueConstraint("tenant_id", "sequence"),
        UniqueConstraint("tenant_id", "reverses_id"),
        parent("usage_entry", "reverses_id"),
        parent("period", "period_id"),
        one_of("kind", "qualified", "reversal"),
        CheckConstraint(
            "(kind = 'qualified' AND units = 1 AND amount >= 0 AND reverses_id IS NULL)"
            " OR (kind = 'reversal' AND units = -1 AND amount <= 0 AND reverses_id IS NOT NULL)",
            name="shape",
        ),
        CheckConstraint("sequence > 0", name="sequence"),
        CheckConstraint("generation > 0", name="generation"),
        CheckConstraint("month ~ '^[0-9]{4}-[0-9]{2}$'", name="month"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index(
            "usage_entry_unit_key",
            "tenant_id",
            "unit_key",
            "generation",
            unique=True,
            postgresql_where=text(_QUALIFIED),
        ),
        Index(
            "usage_entry_source_key",
            "tenant_id",
            "source",
            "source_id",
            unique=True,
            postgresql_where=text(_QUALIFIED),
        ),
        Index(None, "tenant_id", "campaign_ref", "occurred_at"),
        Index(None, "tenant_id", "occurred_at", "id"),
        Index(None, "tenant_id", "period_id"),
        SHARED,
    )

    sequence: Mapped[int] = mapped_column(BigInteger)
    previous_hash: Mapped[str]
    hash: Mapped[str]
    kind: Mapped[str]
    units: Mapped[int] = mapped_column(Integer)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    unit_key: Mapped[str]
    generation: Mapped[int] = mapped_column(Integer)
    source: Mapped[str]
    source_id: Mapped[UUID]
    reverses_id: Mapped[UUID | None]
    campaign_ref: Mapped[UUID]
    programme_ref: Mapped[UUID]
    price_ref: Mapped[UUID]
    evidence_hash: Mapped[str]
    occurred_at: Mapped[datetime]
    month: Mapped[str]
    recorded_at: Mapped[datetime]
    period_id: Mapped[UUID]


class UsageDecision(TenantRow, Base):
    """What was decided of an entry, in the order of ``(at, id)``."""

    __tablename__ = "usage_decision"
    __table_args__ = (
        parent("usage_entry", "entry_id"),
        one_of("decision", "accepted", "disputed", "confirmed", "withdrawn"),
        one_of("basis", "person", "silence", "decision"),
        Index(None, "tenant_id", "entry_id", "at", "id"),
        SHARED,
    )

    entry_id: Mapped[UUID]
    decision: Mapped[str]
    basis: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime]


class Period(TenantRow, Base):
    """A half-open stretch of time, stored UTC; periods of a tenant neither overlap nor leave gaps.

    ``previous_ends_at`` is null for the tenant's first period only; otherwise it is the end of
    the period before, which the foreign key proves, and this period's start.
    """

    __tablename__ = "period"
    __table_args__ = (
        UniqueConstraint("tenant_id", "ends_at"),
        ForeignKeyConstraint(
            ["tenant_id", "previous_ends_at"], ["period.tenant_id", "period.ends_at"]
        ),
        ExcludeConstraint(
            (literal_column("tenant_id"), "="),
            (func.tstzrange(literal_column("starts_at"), literal_column("ends_at")), "&&"),
            name="period_overlap_excl",
            using="gist",
        ),
        CheckConstraint("starts_at < ends_at", name="bounds"),
        CheckConstraint("previous_ends_at IS NULL OR previous_ends_at = starts_at", name="no_gap"),
        one_of("status", "open", "closed"),
        Index(
            "period_first_key",
            "tenant_id",
            unique=True,
            postgresql_where=text("previous_ends_at IS NULL"),
        ),
        SHARED,
    )

    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    previous_ends_at: Mapped[datetime | None]
    status: Mapped[str]


class LedgerHead(Base):
    """The last entry of a tenant's chain and its open period; its lock orders the writers."""

    __tablename__ = "ledger_head"
    __table_args__ = (parent("period", "open_period_id"), SHARED)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str]
    open_period_id: Mapped[UUID | None]


class CapCounter(Base):
    """What a campaign has used: in all (``total``) or in a tenant-local month (``YYYY-MM``)."""

    __tablename__ = "cap_counter"
    __table_args__ = (
        CheckConstraint("bucket ~ '^(total|[0-9]{4}-[0-9]{2})$'", name="bucket"),
        CheckConstraint("units >= 0", name="units"),
        CheckConstraint("amount >= 0", name="amount"),
        SHARED,
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_ref: Mapped[UUID] = mapped_column(primary_key=True)
    bucket: Mapped[str] = mapped_column(primary_key=True)
    units: Mapped[int] = mapped_column(Integer)
    amount: Mapped[int] = mapped_column(BigInteger)
