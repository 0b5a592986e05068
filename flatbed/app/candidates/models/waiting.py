"""A qualification that met a cap and waits for room, and the line that it waits in."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import (
    CANDIDATE,
    SHARED,
    VERSIONED,
    CandidateRow,
    has_reference,
    of_candidate,
    one_of,
    parent,
    sibling,
)
from flatbed.tenants.kit.database.tables import Base, Resource


class WaitingQualification(CandidateRow, Resource, Base):
    """A reservation `over_cap`: gate result and dossier are frozen until ``expires_at``.

    ``caps`` are those that were met (empty: others waited before it), ``hunter_id`` who worked
    the candidate then, ``submitted_by`` the actor. What was frozen cannot be updated: the grant
    leaves it out.
    """

    __tablename__ = "waiting_qualification"
    __table_args__ = (
        of_candidate(),
        parent("campaign", "campaign_id"),
        sibling("qualification", "qualification_id"),
        one_of("status", "waiting", "admitted", "expired", "withdrawn"),
        one_of(
            "end_reason",
            "moved_back",
            "exited",
            "nurtured",
            "objection",
            "conflict",
            "already_billed",
            "campaign_ended",
        ),
        CheckConstraint("(status = 'waiting') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(status = 'admitted') = (qualification_id IS NOT NULL)", name="admitted"),
        CheckConstraint("(status = 'withdrawn') = (end_reason IS NOT NULL)", name="withdrawn"),
        CheckConstraint("created_at < expires_at", name="term"),
        Index(
            "waiting_qualification_candidate_key",
            "tenant_id",
            "candidate_id",
            unique=True,
            postgresql_where=text("status = 'waiting'"),
        ),
        # Of another candidate too: that of one company group which submits second finds it.
        Index(
            "waiting_qualification_unit_key",
            "tenant_id",
            "unit_key",
            unique=True,
            postgresql_where=text("status = 'waiting'"),
        ),
        Index(
            "waiting_qualification_line_idx",
            "tenant_id",
            "campaign_id",
            "created_at",
            "id",
            postgresql_where=text("status = 'waiting'"),
        ),
        Index(None, "tenant_id", "updated_at", "id"),
        Index(None, "tenant_id", "candidate_id", "updated_at", "id"),
        Index(None, "tenant_id", "campaign_id", "updated_at", "id"),
        Index(None, "tenant_id", "status", "updated_at", "id"),
        has_reference(),
        CANDIDATE,
    )
    __mapper_args__ = VERSIONED

    campaign_id: Mapped[UUID]
    status: Mapped[str]
    unit_key: Mapped[str]
    criteria: Mapped[list[dict[str, Any]]]
    dossier: Mapped[dict[str, Any]]
    dossier_hash: Mapped[str]
    caps: Mapped[list[dict[str, Any]]]
    hunter_id: Mapped[UUID | None]
    submitted_by: Mapped[str]
    expires_at: Mapped[datetime]
    qualification_id: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class WaitingLine(Base):
    """How many wait in a campaign: what a hunter, who sees his candidate alone, must know of all.

    ``last_at`` is when the last one joined: who joins next is later, whatever his clock says. Its
    lock is the turn of whoever joins the line, leaves it or might pass it by.
    """

    __tablename__ = "waiting_line"
    __table_args__ = (
        parent("campaign", "campaign_id"),
        CheckConstraint("waiting >= 0", name="waiting"),
        SHARED,
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(primary_key=True)
    waiting: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[datetime | None]
