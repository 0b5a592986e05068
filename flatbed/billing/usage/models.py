"""The append-only ledger: entries, decisions, heads, periods and cap counters.

States of an entry are derived from its decisions and a reversal; none is stored.
"""

from datetime import datetime
from typing import Any
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

from flatbed.tenants.kit.database.columns import OPTIONAL_JSON, SHARED, one_of, parent
from flatbed.tenants.kit.database.tables import Base, TenantRow

_QUALIFIED = "kind = 'qualified'"
SHAPE = (
    "(kind = 'qualified' AND units = 1 AND amount >= 0 AND reverses_id IS NULL"
    " AND credits_id IS NULL)"
    " OR (kind = 'reversal' AND units = -1 AND amount <= 0 AND reverses_id IS NOT NULL"
    " AND credits_id IS NULL AND replaces_id IS NULL)"
    " OR (kind = 'credit' AND units = 0 AND amount < 0 AND credits_id IS NOT NULL"
    " AND reverses_id IS NULL AND replaces_id IS NULL)"
)
"""What each kind of entry holds."""


class UsageEntry(TenantRow, Base):
    """One metered unit (+1), its reversal (-1) or a credit for it (0).

    Amounts are minor units of ``currency``: of a unit what it costs at most (``tiers`` may make
    it cheaper when it is billed), of a reversal and a credit the money that goes back.
    ``source`` and ``source_id`` are opaque here; a reversal and a credit repeat those, the unit
    key, the generation and the month of the entry that they concern. ``month`` is the
    tenant-local month whose caps the unit reserves, kept since the tenant's zone may change
    before a reversal. A unit that replaces another (``replaces_id``) costs nothing and reserves
    nothing. ``country`` and ``agent_ref`` (who worked the unit) serve reports. ``format`` says
    what the hash covers (``chain.covered``).
    """

    __tablename__ = "usage_entry"
    __table_args__ = (
        UniqueConstraint("tenant_id", "sequence"),
        UniqueConstraint("tenant_id", "reverses_id"),
        parent("usage_entry", "reverses_id"),
        parent("usage_entry", "credits_id"),
        parent("usage_entry", "replaces_id"),
        parent("period", "period_id"),
        one_of("kind", "qualified", "reversal", "credit"),
        CheckConstraint(SHAPE, name="shape"),
        CheckConstraint("format IN (1, 2)", name="format"),
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
        Index(
            "usage_entry_credits_idx",
            "tenant_id",
            "credits_id",
            postgresql_where=text("credits_id IS NOT NULL"),
        ),
        Index(
            "usage_entry_replaces_idx",
            "tenant_id",
            "replaces_id",
            postgresql_where=text("replaces_id IS NOT NULL"),
        ),
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
    credits_id: Mapped[UUID | None]
    replaces_id: Mapped[UUID | None]
    tiers: Mapped[list[dict[str, Any]] | None] = mapped_column(OPTIONAL_JSON)
    country: Mapped[str | None]
    agent_ref: Mapped[UUID | None]
    format: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))


class UsageDecision(TenantRow, Base):
    """What was decided of an entry, in the order of ``(at, id)``; ``reason`` of a write-off."""

    __tablename__ = "usage_decision"
    __table_args__ = (
        parent("usage_entry", "entry_id"),
        one_of("decision", "accepted", "disputed", "confirmed", "withdrawn", "written_off"),
        one_of("basis", "person", "silence", "decision", "signing"),
        Index(None, "tenant_id", "entry_id", "at", "id"),
        SHARED,
    )

    entry_id: Mapped[UUID]
    decision: Mapped[str]
    basis: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime]
    reason: Mapped[str | None]


class StatementLine(TenantRow, Base):
    """An entry on a statement, written when its period closes and never changed.

    A ``charge`` bills a unit at its own price, the ``rank``-th unit of its campaign; a
    ``credit`` takes back money of an earlier line (``corrects_id``). Amounts are minor units of
    ``currency``. ``invoice_id`` is the invoice or credit note that holds it, null where nothing
    is asked for.
    """

    __tablename__ = "statement_line"
    __table_args__ = (
        parent("usage_entry", "entry_id"),
        parent("statement", "statement_id"),
        parent("invoice", "invoice_id"),
        parent("statement_line", "corrects_id"),
        UniqueConstraint("tenant_id", "entry_id"),
        UniqueConstraint("tenant_id", "statement_id", "position"),
        one_of("kind", "charge", "credit"),
        CheckConstraint(
            "(kind = 'charge' AND amount >= 0 AND corrects_id IS NULL AND accepted_at IS NOT NULL)"
            " OR (kind = 'credit' AND amount < 0 AND corrects_id IS NOT NULL AND rank IS NULL)",
            name="shape",
        ),
        CheckConstraint("position > 0", name="position"),
        CheckConstraint("rank > 0", name="rank"),
        Index(
            "statement_line_rank_key",
            "tenant_id",
            "campaign_ref",
            "currency",
            "rank",
            unique=True,
            postgresql_where=text("rank IS NOT NULL"),
        ),
        Index(None, "tenant_id", "invoice_id"),
        SHARED,
    )

    entry_id: Mapped[UUID]
    statement_id: Mapped[UUID]
    invoice_id: Mapped[UUID | None]
    corrects_id: Mapped[UUID | None]
    position: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str]
    campaign_ref: Mapped[UUID]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    rank: Mapped[int | None] = mapped_column(Integer)
    price_text: Mapped[str]
    dossier_hash: Mapped[str]
    occurred_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    late: Mapped[bool]
    carried_over: Mapped[bool]


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
