"""What the ISV was asked for, and what is owed for a unit that did not last."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import (
    CANDIDATE,
    SHARED,
    TRACKED,
    CandidateRow,
    Tracked,
    of_candidate,
    one_of,
    parent,
    sibling,
)
from flatbed.tenants.kit.database.tables import Base


class PartnerRequest(CandidateRow, Base):
    """A touch of the partner that is for the ISV to answer, and when the ISV was told so.

    An answered one stands in the touches already (``candidates/pipeline/waiting.py``); this row
    says it of one that nobody has answered.
    """

    __tablename__ = "partner_request"
    __table_args__ = (
        of_candidate(),
        sibling("qualification", "qualification_id"),
        sibling("touchpoint", "touchpoint_id"),
        UniqueConstraint("tenant_id", "candidate_id", "touchpoint_id"),
        CANDIDATE,
    )

    qualification_id: Mapped[UUID]
    touchpoint_id: Mapped[UUID]
    marked_by: Mapped[str]
    marked_at: Mapped[datetime]


class GuaranteeCase(CandidateRow, Tracked, Base):
    """A unit that is to be made good: by a replacement, or by a credit.

    ``cause`` is the partner's withdrawal from an accepted unit, or a dispute that was decided to
    be ``replaced``; only the first has a ``day`` and a ``percent``, frozen when it was confirmed,
    and only it is paid for: ``paid_entry_id`` names the entry whose money is given back, which is
    an older one where the unit is a replacement itself. Money in minor units of ``currency``.

    Shared and not a candidate's: a hunter's submission of another candidate takes the case.
    """

    __tablename__ = "guarantee_case"
    __table_args__ = (
        of_candidate(),
        parent("campaign", "campaign_id"),
        parent("qualification", "qualification_id"),
        parent("qualification", "replacement_id"),
        parent("usage_entry", "entry_id"),
        parent("usage_entry", "paid_entry_id"),
        parent("usage_entry", "credit_entry_id"),
        one_of("cause", "withdrawal", "dispute"),
        one_of(
            "status",
            "reported",
            "refused",
            "open",
            "held",
            "replaced",
            "due",
            "credited",
            "lapsed",
            "cancelled",
        ),
        CheckConstraint("(cause = 'withdrawal') = (withdrew_at IS NOT NULL)", name="withdrew_at"),
        CheckConstraint("day BETWEEN 1 AND 90", name="day"),
        CheckConstraint("percent BETWEEN 1 AND 100", name="percent"),
        CheckConstraint("(day IS NULL) = (percent IS NULL)", name="share"),
        CheckConstraint("(status = 'replaced') = (replacement_id IS NOT NULL)", name="replaced"),
        CheckConstraint(
            "(status = 'credited') = (credit_entry_id IS NOT NULL)"
            " AND (credit_entry_id IS NULL) = (credited_amount IS NULL)",
            name="credited",
        ),
        CheckConstraint("credited_amount > 0", name="credited_amount"),
        CheckConstraint(
            "status IN ('reported', 'refused', 'cancelled') OR replace_by IS NOT NULL",
            name="replace_by",
        ),
        Index(
            "guarantee_case_live_key",
            "tenant_id",
            "qualification_id",
            unique=True,
            postgresql_where=text("status NOT IN ('refused', 'cancelled')"),
        ),
        Index(
            "guarantee_case_replacement_key",
            "tenant_id",
            "replacement_id",
            unique=True,
            postgresql_where=text("replacement_id IS NOT NULL"),
        ),
        Index(
            "guarantee_case_owed_idx",
            "tenant_id",
            "campaign_id",
            "replace_by",
            "id",
            postgresql_where=text("status = 'open'"),
        ),
        Index(None, "tenant_id", "qualification_id", "reported_at"),
        Index(None, "tenant_id", "updated_at", "id"),
        Index(None, "tenant_id", "campaign_id", "updated_at", "id"),
        Index(None, "tenant_id", "status", "updated_at", "id"),
        SHARED,
    )
    __mapper_args__ = TRACKED

    campaign_id: Mapped[UUID]
    qualification_id: Mapped[UUID]
    cause: Mapped[str]
    status: Mapped[str]
    entry_id: Mapped[UUID]
    paid_entry_id: Mapped[UUID]
    withdrew_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB, default=list, server_default=text("'[]'::jsonb")
    )
    reported_by: Mapped[str]
    reported_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    day: Mapped[int | None] = mapped_column(Integer)
    percent: Mapped[int | None] = mapped_column(Integer)
    replace_by: Mapped[datetime | None]
    replacement_id: Mapped[UUID | None]
    credit_entry_id: Mapped[UUID | None]
    credited_amount: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str]
    ended_at: Mapped[datetime | None]
