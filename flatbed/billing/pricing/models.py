"""The table of price lists."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import AGENCY, OPTIONAL_JSON, VERSIONED, of_realm
from flatbed.tenants.kit.database.tables import AgencyRow, Base, Resource


class PriceList(AgencyRow, Resource, Base):
    """What a qualified partner costs: ``unit_price`` minor units of ``currency``, then by tiers.

    ``tiers`` are graduated and cumulative per campaign (``rules/tiers.py``). A new price is a new
    ``number`` under the same name.
    """

    __tablename__ = "price_list"
    __table_args__ = (
        of_realm(),
        UniqueConstraint("realm_id", "name", "number"),
        CheckConstraint("unit_price > 0", name="unit_price"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index(None, "realm_id", "updated_at", "id"),
        AGENCY,
    )
    __mapper_args__ = VERSIONED

    name: Mapped[str]
    currency: Mapped[str]
    unit_price: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int] = mapped_column(Integer)
    active: Mapped[bool]
    tiers: Mapped[list[dict[str, Any]] | None] = mapped_column(OPTIONAL_JSON)
