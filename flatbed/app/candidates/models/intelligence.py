"""Facts about a candidate's company, and judgements of the profile's criteria."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.tenants.kit.database.columns import (
    CANDIDATE,
    OPTIONAL_JSON,
    CandidateRow,
    has_siblings,
    of_candidate,
    one_of,
)
from flatbed.tenants.kit.database.tables import Base


class Fact(CandidateRow, Base):
    """A sourced, dated statement; never changed. ``trigger_on`` dates an acute interest."""

    __tablename__ = "fact"
    __table_args__ = (
        of_candidate(),
        has_siblings(),
        one_of("provenance", "public", "tenant", "partner_confidential"),
        Index(None, "tenant_id", "candidate_id", "observed_on"),
        CANDIDATE,
    )

    attribute: Mapped[str | None]
    statement: Mapped[str]
    value: Mapped[Any | None] = mapped_column(OPTIONAL_JSON)
    source_kind: Mapped[str]
    source_url: Mapped[str | None]
    provenance: Mapped[str]
    observed_on: Mapped[date]
    trigger_on: Mapped[date | None]
    angle: Mapped[str | None]
    recorded_by: Mapped[str]
    recorded_at: Mapped[datetime]


class CriterionJudgement(CandidateRow, Base):
    """A person's word on one criterion, the last one counts; never changed.

    A hard criterion gets a verdict, a soft one a value in thousandths (0 to 1000).
    """

    __tablename__ = "criterion_judgement"
    __table_args__ = (
        of_candidate(),
        one_of("verdict", "pass", "fail"),
        CheckConstraint("value BETWEEN 0 AND 1000", name="value"),
        CheckConstraint("verdict IS NOT NULL OR value IS NOT NULL", name="judgement"),
        Index(None, "tenant_id", "candidate_id", "criterion", "at", "id"),
        CANDIDATE,
    )

    criterion: Mapped[str]
    verdict: Mapped[str | None]
    value: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str]
    source_kind: Mapped[str]
    judged_by: Mapped[str]
    at: Mapped[datetime]
