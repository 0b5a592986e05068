"""Who is billed, and who bills: the accounts of ISVs and the agency's own data."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import (
    AGENCY,
    CLOSED,
    OPTIONAL_JSON,
    TRACKED,
    Tracked,
    of_realm,
    one_of,
)
from flatbed.tenants.kit.database.tables import Base


class BillingAccount(Tracked, Base):
    """How an ISV is billed. Made with its first change; without one its organization's data stand.

    ``customer_ref`` and ``payment_method_ref`` are Stripe's; ``standing`` follows what Stripe
    reports of its invoices, and pauses ordering only.
    """

    __tablename__ = "billing_account"
    __table_args__ = (
        one_of("language", "de", "en"),
        one_of("collection", "send_invoice", "charge_automatically"),
        one_of("standing", "good", "overdue", "suspended"),
        CheckConstraint("payment_terms_days BETWEEN 0 AND 120", name="payment_terms_days"),
        CLOSED,
    )
    __mapper_args__ = TRACKED

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-100)
    legal_name: Mapped[str | None]
    address: Mapped[dict[str, Any] | None] = mapped_column(OPTIONAL_JSON)
    email: Mapped[str | None]
    tax_ids: Mapped[list[dict[str, Any]]]
    purchase_order: Mapped[str | None]
    payment_terms_days: Mapped[int] = mapped_column(Integer)
    language: Mapped[str]
    collection: Mapped[str]
    customer_ref: Mapped[str | None]
    payment_method_ref: Mapped[str | None]
    standing: Mapped[str] = mapped_column(default="good", server_default=text("'good'"))
    standing_since: Mapped[datetime | None]


class BillingProfile(Tracked, Base):
    """The agency as the seller on its invoices. Bank details as they are printed."""

    __tablename__ = "billing_profile"
    __table_args__ = (of_realm(), AGENCY)
    __mapper_args__ = TRACKED

    realm_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-100)
    legal_name: Mapped[str]
    address: Mapped[dict[str, Any]]
    email: Mapped[str]
    vat_id: Mapped[str | None]
    tax_number: Mapped[str | None]
    account_holder: Mapped[str | None]
    iban: Mapped[str | None]
    bic: Mapped[str | None]
    invoice_prefix: Mapped[str]


class InvoiceSeries(Base):
    """The last invoice number of the agency: its lock makes the numbers gapless."""

    __tablename__ = "invoice_series"
    __table_args__ = (of_realm(), CheckConstraint("last_number >= 0", name="last_number"), AGENCY)

    realm_id: Mapped[UUID] = mapped_column(primary_key=True)
    last_number: Mapped[int] = mapped_column(BigInteger)
