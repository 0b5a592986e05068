"""A tenant's own view of a company, the candidate, and its moves through the pipeline."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from flatbed.app.campaigns.exclusions.names import name_key
from flatbed.app.candidates.rules.stages import Stage, Status
from flatbed.tenants.kit.database.columns import (
    CANDIDATE,
    SHARED,
    TRACKED,
    VERSIONED,
    CandidateRow,
    Tracked,
    has_reference,
    of_candidate,
    one_of,
    parent,
)
from flatbed.tenants.kit.database.tables import Base, Resource, TenantRow

_WITHOUT_ENTRY = ", ".join(f"'{stage}'" for stage in Stage if not stage.needs_entry)


def _name_key(row: DefaultExecutionContext) -> str:
    given: dict[str, Any] = row.get_current_parameters()  # type: ignore[no-untyped-call]  # SQLAlchemy's own signature
    return name_key(given["name"])


class TenantCompany(TenantRow, Tracked, Base):
    """What a tenant knows of a company, under the tenant's own id. Revenue in minor units.

    ``name_key`` is the name as exclusions compare it; the name of a company never changes.
    """

    __tablename__ = "tenant_company"
    __table_args__ = (
        UniqueConstraint("tenant_id", "domain"),
        Index(None, "tenant_id", "name_key"),
        SHARED,
    )
    __mapper_args__ = TRACKED

    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(default=_name_key, sort_order=95)
    domain: Mapped[str]
    country: Mapped[str | None]
    industry: Mapped[str | None]
    employees: Mapped[int | None] = mapped_column(Integer)
    revenue: Mapped[int | None] = mapped_column(BigInteger)
    attributes: Mapped[dict[str, Any]] = mapped_column(
        JSONB, default=dict, server_default=text("'{}'::jsonb")
    )


class Candidate(TenantRow, Resource, Base):
    """A company in one campaign.

    From `qualified` on it holds its usage entry: a check, a unique key and a foreign key that is
    looked at when the transaction commits.
    """

    __tablename__ = "candidate"
    __table_args__ = (
        parent("campaign", "campaign_id"),
        parent("tenant_company", "company_id"),
        parent("programme", "programme_id"),
        ForeignKeyConstraint(
            ["tenant_id", "entry_id"],
            ["usage_entry.tenant_id", "usage_entry.id"],
            deferrable=True,
            initially="DEFERRED",
        ),
        UniqueConstraint("tenant_id", "campaign_id", "company_id"),
        UniqueConstraint("tenant_id", "entry_id"),
        one_of("stage", *Stage),
        one_of("status", *Status),
        CheckConstraint(f"stage IN ({_WITHOUT_ENTRY}) OR entry_id IS NOT NULL", name="entry"),
        CheckConstraint(
            "(status = 'exited') = (exit_reason IS NOT NULL)"
            " AND (status = 'exited') = (exited_at IS NOT NULL)",
            name="exit",
        ),
        CheckConstraint(
            "status <> 'nurture' OR nurture_until IS NOT NULL OR nurture_trigger IS NOT NULL",
            name="nurture",
        ),
        Index(None, "tenant_id", "updated_at", "id"),
        Index(None, "tenant_id", "campaign_id", "updated_at", "id"),
        Index(None, "tenant_id", "campaign_id", "stage", "updated_at", "id"),
        Index(None, "tenant_id", "campaign_id", "status", "updated_at", "id"),
        Index(None, "tenant_id", "stage", "updated_at", "id"),
        Index(None, "tenant_id", "status", "updated_at", "id"),
        Index(None, "tenant_id", "hunter_id", "updated_at", "id"),
        has_reference(),
        Index(None, "tenant_id", "company_id"),
        Index(
            "candidate_due_idx",
            "tenant_id",
            "next_due_at",
            "id",
            postgresql_where=text("next_due_at IS NOT NULL"),
        ),
        CANDIDATE,
    )
    __mapper_args__ = VERSIONED

    campaign_id: Mapped[UUID]
    company_id: Mapped[UUID]
    programme_id: Mapped[UUID]
    source: Mapped[str]
    stage: Mapped[str]
    status: Mapped[str]
    stage_entered_at: Mapped[datetime]
    nurture_until: Mapped[datetime | None]
    nurture_trigger: Mapped[str | None]
    exit_reason: Mapped[str | None]
    exited_at: Mapped[datetime | None]
    core_argument: Mapped[str | None]
    past_arguments: Mapped[list[str]] = mapped_column(
        ARRAY(Text), default=list, server_default=text("'{}'::text[]")
    )
    next_due_at: Mapped[datetime | None]
    hunter_id: Mapped[UUID | None]
    entry_id: Mapped[UUID | None]


class Transition(CandidateRow, Base):
    """A move of a candidate with the gate check that allowed it; never changed.

    ``from_stage`` is null when the candidate enters the pipeline.
    """

    __tablename__ = "transition"
    __table_args__ = (
        of_candidate(),
        one_of("kind", "forward", "backward", "exit", "return", "nurture", "wake"),
        one_of("from_stage", *Stage),
        one_of("to_stage", *Stage),
        Index(None, "tenant_id", "candidate_id", "at", "id"),
        CANDIDATE,
    )

    from_stage: Mapped[str | None]
    to_stage: Mapped[str]
    kind: Mapped[str]
    reason: Mapped[str | None]
    override_reason: Mapped[str | None]
    criteria: Mapped[list[dict[str, Any]]]
    rubric_version: Mapped[str | None]
    actor: Mapped[str]
    at: Mapped[datetime]
