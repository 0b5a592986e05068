"""Assignments, and the card of each candidate that the agency's lists read."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import AGENCY, one_of, realm_parent
from flatbed.tenants.kit.database.tables import AgencyRow, Base


class Assignment(AgencyRow, Base):
    """A hunter sources for a campaign, or works one candidate, until ``ended_at``."""

    __tablename__ = "assignment"
    __table_args__ = (
        realm_parent("staff", "staff_id"),
        realm_parent("organization", "tenant_id"),
        one_of("kind", "sourcing", "candidate"),
        CheckConstraint("(kind = 'candidate') = (candidate_id IS NOT NULL)", name="candidate"),
        Index(
            "assignment_live_candidate_key",
            "realm_id",
            "candidate_id",
            unique=True,
            postgresql_where=text("kind = 'candidate' AND ended_at IS NULL"),
        ),
        Index(
            "assignment_live_sourcing_key",
            "realm_id",
            "staff_id",
            "campaign_id",
            unique=True,
            postgresql_where=text("kind = 'sourcing' AND ended_at IS NULL"),
        ),
        Index(
            "assignment_live_staff_idx",
            "realm_id",
            "staff_id",
            "kind",
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(None, "realm_id", "started_at", "id"),
        AGENCY,
    )

    kind: Mapped[str]
    staff_id: Mapped[UUID]
    tenant_id: Mapped[UUID]
    campaign_id: Mapped[UUID]
    candidate_id: Mapped[UUID | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class CandidateCard(Base):
    """What the agency's lists show of a candidate: a projection, written with the candidate."""

    __tablename__ = "candidate_card"
    __table_args__ = (
        realm_parent("organization", "tenant_id"),
        Index(None, "realm_id", "tenant_id", "campaign_id"),
        AGENCY,
    )

    realm_id: Mapped[UUID] = mapped_column(primary_key=True)
    candidate_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    campaign_id: Mapped[UUID]
    campaign_name: Mapped[str]
    company_name: Mapped[str]
    stage: Mapped[str]
    status: Mapped[str]
    due_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
