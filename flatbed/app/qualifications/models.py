"""Qualifications, their disputes and reviews, and the card of each dispute for the agency."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import (
    AGENCY,
    CANDIDATE,
    OPTIONAL_JSON,
    TRACKED,
    VERSIONED,
    CandidateRow,
    Tracked,
    has_reference,
    has_siblings,
    of_candidate,
    one_of,
    parent,
    realm_parent,
    sibling,
)
from flatbed.tenants.kit.database.tables import Base, Resource


class Qualification(CandidateRow, Resource, Base):
    """A billable birth with its frozen dossier. ``unit_price`` in minor units of ``currency``.

    ``replaces_id`` names the qualification that this one makes good, for nothing if that was paid
    (``guarantee.models.GuaranteeCase``).

    What was frozen (dossier, hash, entry, price) cannot be updated: the grant leaves it out.
    """

    __tablename__ = "qualification"
    __table_args__ = (
        of_candidate(),
        has_siblings(),
        parent("campaign", "campaign_id"),
        parent("usage_entry", "entry_id"),
        UniqueConstraint("tenant_id", "entry_id"),
        one_of("status", "pending", "disputed", "accepted", "voided"),
        one_of("accepted_basis", "person", "silence", "decision", "signing"),
        one_of("origin", "gates", "free_ride"),
        parent("qualification", "replaces_id"),
        CheckConstraint("status <> 'accepted' OR accepted_at IS NOT NULL", name="accepted"),
        CheckConstraint("(status = 'voided') = (voided_at IS NOT NULL)", name="voided"),
        CheckConstraint("generation > 0", name="generation"),
        CheckConstraint("unit_price >= 0", name="unit_price"),
        Index(
            "qualification_live_key",
            "tenant_id",
            "candidate_id",
            unique=True,
            postgresql_where=text("status <> 'voided'"),
        ),
        Index(None, "tenant_id", "updated_at", "id"),
        Index(None, "tenant_id", "campaign_id", "status"),
        Index(None, "tenant_id", "campaign_id", "updated_at", "id"),
        Index(None, "tenant_id", "status", "updated_at", "id"),
        has_reference(),
        CANDIDATE,
    )
    __mapper_args__ = VERSIONED

    campaign_id: Mapped[UUID]
    entry_id: Mapped[UUID]
    generation: Mapped[int] = mapped_column(Integer)
    status: Mapped[str]
    dossier: Mapped[dict[str, Any]]
    dossier_hash: Mapped[str]
    unit_price: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    qualified_at: Mapped[datetime]
    accept_by: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[str | None]
    accepted_basis: Mapped[str | None]
    voided_at: Mapped[datetime | None]
    void_reason: Mapped[str | None]
    origin: Mapped[str] = mapped_column(default="gates", server_default=text("'gates'"))
    replaces_id: Mapped[UUID | None]


class Dispute(CandidateRow, Tracked, Base):
    """The ISV's objection to a qualification, its answer and its decision.

    ``criterion`` is a key of the frozen rubric, or ``already_known``. A dispute for fraud may
    stand beside an ordinary one that was decided, and may come after the acceptance.
    """

    __tablename__ = "dispute"
    __table_args__ = (
        of_candidate(),
        sibling("qualification", "qualification_id"),
        # One per qualification, fraud excepted; and never two at a time.
        UniqueConstraint("tenant_id", "candidate_id", "qualification_id", "fraud"),
        Index(
            "dispute_open_key",
            "tenant_id",
            "candidate_id",
            "qualification_id",
            unique=True,
            postgresql_where=text("status IN ('open', 'answered')"),
        ),
        one_of("status", "open", "answered", "confirmed", "voided", "replaced", "withdrawn"),
        one_of("decision", "confirmed", "voided", "replaced"),
        CheckConstraint("(status = 'withdrawn') = (withdrawn_at IS NOT NULL)", name="withdrawn"),
        Index(None, "tenant_id", "updated_at", "id"),
        CANDIDATE,
    )
    __mapper_args__ = TRACKED

    qualification_id: Mapped[UUID]
    criterion: Mapped[str]
    fraud: Mapped[bool]
    statement: Mapped[str]
    evidence: Mapped[list[dict[str, Any]]]
    status: Mapped[str]
    opened_by: Mapped[str]
    opened_at: Mapped[datetime]
    answer_by: Mapped[datetime]
    answer: Mapped[dict[str, Any] | None] = mapped_column(OPTIONAL_JSON)
    answered_by: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    decide_by: Mapped[datetime | None]
    decision: Mapped[str | None]
    decision_reason: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None]
    withdrawn_at: Mapped[datetime | None]

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer or a decision."""
        return self.decided_at is None and self.withdrawn_at is None


class QualificationReview(CandidateRow, Base):
    """A push that had been left out came to light: an uninvolved lead confirms or voids."""

    __tablename__ = "qualification_review"
    __table_args__ = (
        of_candidate(),
        sibling("qualification", "qualification_id"),
        sibling("touchpoint", "touchpoint_id"),
        one_of("status", "open", "confirmed", "voided"),
        Index(
            "qualification_review_open_key",
            "tenant_id",
            "candidate_id",
            "qualification_id",
            unique=True,
            postgresql_where=text("status = 'open'"),
        ),
        CANDIDATE,
    )

    qualification_id: Mapped[UUID]
    touchpoint_id: Mapped[UUID]
    reason: Mapped[str]
    status: Mapped[str]
    opened_at: Mapped[datetime]
    decision_reason: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]


class DisputeCard(Base):
    """What the agency's list shows of what waits for a lead: a projection, written with it.

    ``dispute_id`` is the id of the dispute, the review, the guarantee case or the free ride. Only
    a dispute names a criterion; the others are due when they open. A free ride has no
    qualification before it is confirmed.
    """

    __tablename__ = "dispute_card"
    __table_args__ = (
        realm_parent("organization", "tenant_id"),
        one_of("kind", "dispute", "review", "guarantee", "free_ride"),
        one_of(
            "state",
            "open",
            "answered",
            "confirmed",
            "voided",
            "replaced",
            "withdrawn",
            "refused",
        ),
        Index(None, "realm_id", "due_at", "dispute_id"),
        Index(None, "realm_id", "state", "due_at", "dispute_id"),
        AGENCY,
    )

    realm_id: Mapped[UUID] = mapped_column(primary_key=True)
    dispute_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    tenant_id: Mapped[UUID]
    qualification_id: Mapped[UUID | None]
    candidate_id: Mapped[UUID]
    state: Mapped[str]
    criterion: Mapped[str | None]
    due_at: Mapped[datetime]
    updated_at: Mapped[datetime]
