"""The runs of the reconciliation."""

from datetime import datetime

from sqlalchemy import Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import CLOSED
from flatbed.tenants.kit.database.tables import Base, TenantRow


class Reconciliation(TenantRow, Base):
    """That ledger, statements and Stripe were compared, and how much was open after it.

    ``collects`` is false without a key: then ledger and statements alone were compared.
    """

    __tablename__ = "reconciliation"
    __table_args__ = (Index(None, "tenant_id", "ran_at", "id"), CLOSED)

    ran_at: Mapped[datetime]
    collects: Mapped[bool]
    statements: Mapped[int] = mapped_column(Integer)
    invoices: Mapped[int] = mapped_column(Integer)
    findings: Mapped[int] = mapped_column(Integer)
