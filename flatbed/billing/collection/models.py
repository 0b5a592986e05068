"""What is collected at Stripe: one row a Stripe invoice or credit note."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import CLOSED, OPTIONAL_JSON, one_of, parent
from flatbed.tenants.kit.database.tables import Base


class Collection(Base):
    """An invoice (or the ``part`` of one with more lines than Stripe takes) on its way.

    ``bodies`` are the requests as they were frozen at the first attempt. ``epoch`` counts the
    idempotency keys that Stripe keeps a failure under. What Stripe last said of it stands in
    ``external_id``, ``external_status`` and the amounts (minor units, tax included);
    ``overdue_since`` while an unpaid one is past its day there. ``revision`` counts what was
    written: who refetched an older state writes nothing.
    """

    __tablename__ = "collection"
    __table_args__ = (
        parent("invoice", "invoice_id"),
        one_of("state", "pending", "done", "quarantined", "not_collected"),
        one_of("external_status", "draft", "open", "paid", "uncollectible", "void", "issued"),
        CheckConstraint("part > 0", name="part"),
        Index(None, "tenant_id", "state"),
        Index("collection_external_idx", "tenant_id", "external_id"),
        CLOSED,
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    invoice_id: Mapped[UUID] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[str]
    bodies: Mapped[dict[str, Any] | None] = mapped_column(OPTIONAL_JSON)
    epoch: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    error: Mapped[str | None]
    external_id: Mapped[str | None]
    external_status: Mapped[str | None]
    amount_due: Mapped[int | None] = mapped_column(BigInteger)
    amount_paid: Mapped[int | None] = mapped_column(BigInteger)
    hosted_url: Mapped[str | None]
    overdue_since: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
