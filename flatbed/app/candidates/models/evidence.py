"""Evidence, a lead's confirmation of it, and the versions of the joint plan."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.app.candidates.rules.stages import EvidenceKind
from flatbed.tenants.kit.database.columns import (
    CANDIDATE,
    CandidateRow,
    has_siblings,
    of_candidate,
    one_of,
    sibling,
)
from flatbed.tenants.kit.database.tables import Base


class Evidence(CandidateRow, Base):
    """What a gate rests on; never changed. Ids of facts that it cites stand in ``data``."""

    __tablename__ = "evidence"
    __table_args__ = (
        of_candidate(),
        has_siblings(),
        sibling("touchpoint", "touchpoint_id"),
        sibling("contact", "contact_id"),
        one_of("kind", *EvidenceKind),
        one_of("provenance", "attested", "system"),
        Index(None, "tenant_id", "candidate_id", "occurred_at", "id"),
        CANDIDATE,
    )

    kind: Mapped[str]
    touchpoint_id: Mapped[UUID | None]
    contact_id: Mapped[UUID | None]
    occurred_at: Mapped[datetime]
    statement: Mapped[str | None]
    data: Mapped[dict[str, Any]]
    provenance: Mapped[str]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]
    external_ref: Mapped[str | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column(
        "metadata", JSONB, server_default=text("'{}'::jsonb"), default=dict
    )


class EvidenceConfirmation(CandidateRow, Base):
    """A lead has looked at a piece of evidence, once; never changed."""

    __tablename__ = "evidence_confirmation"
    __table_args__ = (
        of_candidate(),
        sibling("evidence", "evidence_id"),
        UniqueConstraint("tenant_id", "candidate_id", "evidence_id"),
        CANDIDATE,
    )

    evidence_id: Mapped[UUID]
    actor: Mapped[str]
    note: Mapped[str | None]
    at: Mapped[datetime]


class PlanVersion(CandidateRow, Base):
    """The joint plan as of ``at``, each field with its author and source; never changed."""

    __tablename__ = "plan_version"
    __table_args__ = (
        of_candidate(),
        UniqueConstraint("tenant_id", "candidate_id", "number"),
        CheckConstraint("number > 0", name="number"),
        CANDIDATE,
    )

    number: Mapped[int] = mapped_column(Integer)
    fields: Mapped[list[dict[str, Any]]]
    recorded_by: Mapped[str]
    at: Mapped[datetime]
