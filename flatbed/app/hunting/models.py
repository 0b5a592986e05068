"""Assignments, and the card of each candidate that the agency's lists read."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import AGENCY, one_of, realm_parent
from flatbed.tenants.kit.database.tables import AgencyRow, Base

NEVER: Final = "'9999-01-01 00:00:00+00'::timestamptz"
"""Sorts what has no due date behind everything that has one."""


def _paged(*owners: str) -> tuple[Index, Index]:
    """A list of assignments in its order, under these filters: all of them, and the live ones."""
    columns = ["realm_id", *(f"{owner}_id" for owner in owners), "started_at", "id"]
    live = "_".join(["assignment_live", *owners, "idx"])
    return Index(None, *columns), Index(live, *columns, postgresql_where=text("ended_at IS NULL"))


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
        *_paged(),
        *_paged("staff"),
        *_paged("tenant"),
        *_paged("staff", "tenant"),
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
    """What the agency's lists show of a candidate: a projection, written with the candidate.

    ``staff_id`` is the hunter of the live assignment, written with the assignment: so a queue is
    read in its order, ``queue_at``, however long it is. A stored column, since an expression would
    be no index condition under row-level security.
    """

    __tablename__ = "candidate_card"
    __table_args__ = (
        realm_parent("organization", "tenant_id"),
        Index(None, "realm_id", "tenant_id", "campaign_id"),
        Index(
            "candidate_card_queue_idx",
            "realm_id",
            "staff_id",
            "queue_at",
            "candidate_id",
            postgresql_where=text("staff_id IS NOT NULL AND status <> 'exited'"),
        ),
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
    staff_id: Mapped[UUID | None]
    queue_at: Mapped[datetime] = mapped_column(
        Computed(f"coalesce(due_at, {NEVER})", persisted=True)
    )
