"""The inbox of events from Stripe, written before anything is answered."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import OWN, one_of
from flatbed.tenants.kit.database.tables import Base


class GatewayEvent(Base):
    """That something happened to an object at Stripe; what it is now is asked of Stripe.

    It belongs to no tenant until the object was read; ids alone are kept.
    """

    __tablename__ = "gateway_event"
    __table_args__ = (
        UniqueConstraint("event_id"),
        one_of("outcome", "applied", "not_ours", "gone"),
        Index(
            "gateway_event_unhandled_idx",
            "received_at",
            "id",
            postgresql_where=text("handled_at IS NULL"),
        ),
        OWN,
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[str]
    type: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[str | None]
    live: Mapped[bool]
    happened_at: Mapped[datetime]
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
