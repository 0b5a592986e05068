"""Statements and invoices: snapshots, written when a period closes and never changed."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    Index,
    Integer,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import CLOSED, one_of, parent
from flatbed.tenants.kit.database.tables import Base, TenantRow

FINDINGS = (
    "missing",
    "orphan_draft",
    "amount_drift",
    "status_drift",
    "unknown_invoice",
    "ledger_drift",
    "quarantined",
)
"""What a reconciliation may find."""


class Statement(TenantRow, Base):
    """What a closed period came to in one currency. Money in its minor units.

    ``ledger_from`` (outside) to ``ledger_to`` (inside) are the entries that were appended since
    the period before was closed, with the hashes at both ends. ``hash`` covers the whole content
    and ``previous_hash``, that of the tenant's statement before (``number`` counts them).
    """

    __tablename__ = "statement"
    __table_args__ = (
        parent("period", "period_id"),
        UniqueConstraint("tenant_id", "period_id", "currency"),
        UniqueConstraint("tenant_id", "number"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("charges >= 0 AND credits <= 0 AND total = charges + credits", name="sum"),
        CheckConstraint("ledger_from <= ledger_to", name="ledger"),
        Index(None, "tenant_id", "closed_at", "id"),
        CLOSED,
    )

    period_id: Mapped[UUID]
    currency: Mapped[str]
    number: Mapped[int] = mapped_column(Integer)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    time_zone: Mapped[str]
    closed_at: Mapped[datetime]
    closed_by: Mapped[str]
    seller: Mapped[dict[str, Any]]
    customer: Mapped[dict[str, Any]]
    units: Mapped[int] = mapped_column(Integer)
    charges: Mapped[int] = mapped_column(BigInteger)
    credits: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)
    held_units: Mapped[int] = mapped_column(Integer)
    held_amount: Mapped[int] = mapped_column(BigInteger)
    ledger_from: Mapped[int] = mapped_column(BigInteger)
    ledger_from_hash: Mapped[str]
    ledger_to: Mapped[int] = mapped_column(BigInteger)
    ledger_to_hash: Mapped[str]
    previous_hash: Mapped[str]
    hash: Mapped[str]


class StatementRest(TenantRow, Base):
    """A unit that a statement does not bill, and why: held, cancelled or written off."""

    __tablename__ = "statement_rest"
    __table_args__ = (
        parent("usage_entry", "entry_id"),
        parent("statement", "statement_id"),
        UniqueConstraint("tenant_id", "statement_id", "entry_id"),
        one_of("fate", "pending", "disputed", "cancelled", "written_off"),
        Index(None, "tenant_id", "entry_id"),
        CLOSED,
    )

    statement_id: Mapped[UUID]
    entry_id: Mapped[UUID]
    fate: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)


class Invoice(TenantRow, Base):
    """An invoice for a statement's charges, or a credit note on an earlier invoice.

    ``number`` is gapless in the agency's series. ``net``, ``tax`` and ``gross`` are positive
    minor units of ``currency`` for both kinds; ``tax_rate`` is in hundredths of a percent.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        parent("statement", "statement_id"),
        parent("invoice", "corrects_id"),
        UniqueConstraint("tenant_id", "number"),
        one_of("kind", "invoice", "credit_note"),
        CheckConstraint("(kind = 'credit_note') = (corrects_id IS NOT NULL)", name="corrects"),
        CheckConstraint("net > 0 AND tax >= 0 AND gross = net + tax", name="sum"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index(None, "tenant_id", "issued_at", "id"),
        Index(None, "tenant_id", "statement_id"),
        Index(None, "tenant_id", "corrects_id"),
        CLOSED,
    )

    statement_id: Mapped[UUID]
    corrects_id: Mapped[UUID | None]
    kind: Mapped[str]
    number: Mapped[str]
    currency: Mapped[str]
    net: Mapped[int] = mapped_column(BigInteger)
    tax: Mapped[int] = mapped_column(BigInteger)
    gross: Mapped[int] = mapped_column(BigInteger)
    tax_category: Mapped[str]
    tax_rate: Mapped[int] = mapped_column(Integer)
    tax_rule: Mapped[str]
    issued_at: Mapped[datetime]
    issued_on: Mapped[date] = mapped_column(Date)
    due_on: Mapped[date] = mapped_column(Date)


class BillingFinding(TenantRow, Base):
    """One disagreement of ledger, statements and Stripe; open until a run no longer sees it.

    ``subject`` is the invoice, statement or Stripe object that it is about; ``detail`` holds
    ids, states and minor units.
    """

    __tablename__ = "billing_finding"
    __table_args__ = (
        one_of("kind", *FINDINGS),
        Index(
            "billing_finding_open_key",
            "tenant_id",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index(None, "tenant_id", "found_at", "id"),
        CLOSED,
    )

    kind: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
    found_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
