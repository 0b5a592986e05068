"""Reports that the ISV contracted a company which it had not taken."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped

from flatbed.tenants.kit.database.columns import (
    CANDIDATE,
    TRACKED,
    CandidateRow,
    Tracked,
    of_candidate,
    one_of,
    parent,
    sibling,
)
from flatbed.tenants.kit.database.tables import Base


class FreeRide(CandidateRow, Tracked, Base):
    """A company worked to `discovering` or further that the ISV contracted on its own.

    ``qualification_id`` is the unit by which it is billed, once a lead has confirmed it.
    """

    __tablename__ = "free_ride"
    __table_args__ = (
        of_candidate(),
        parent("campaign", "campaign_id"),
        sibling("qualification", "qualification_id"),
        one_of("status", "reported", "confirmed", "refused"),
        CheckConstraint(
            "(status = 'confirmed') = (qualification_id IS NOT NULL)", name="confirmed"
        ),
        CheckConstraint("(status = 'reported') = (decided_at IS NULL)", name="decided"),
        Index(
            "free_ride_reported_key",
            "tenant_id",
            "candidate_id",
            unique=True,
            postgresql_where=text("status = 'reported'"),
        ),
        Index(None, "tenant_id", "updated_at", "id"),
        Index(None, "tenant_id", "status", "updated_at", "id"),
        CANDIDATE,
    )
    __mapper_args__ = TRACKED

    campaign_id: Mapped[UUID]
    contracted_on: Mapped[date]
    statement: Mapped[str]
    evidence: Mapped[list[dict[str, Any]]]
    status: Mapped[str]
    reported_by: Mapped[str]
    reported_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    qualification_id: Mapped[UUID | None]
