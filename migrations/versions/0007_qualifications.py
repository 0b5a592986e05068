"""Qualifications, disputes and reviews."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import (
    has_siblings,
    of_candidate,
    one_of,
    parent,
    realm_parent,
    sibling,
)

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema.tenant_table(
        "qualification",
        sa.Column("candidate_id", sa.Uuid, nullable=False),
        sa.Column("campaign_id", sa.Uuid, nullable=False),
        sa.Column("entry_id", sa.Uuid, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("dossier", JSONB, nullable=False),
        sa.Column("dossier_hash", sa.Text, nullable=False),
        sa.Column("unit_price", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("qualified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accept_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True)),
        sa.Column("accepted_by", sa.Text),
        sa.Column("accepted_basis", sa.Text),
        sa.Column("voided_at", sa.DateTime(timezone=True)),
        sa.Column("void_reason", sa.Text),
        sa.Column("external_ref", sa.Text),
        sa.Column("metadata", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        of_candidate(),
        parent("campaign", "campaign_id"),
        parent("usage_entry", "entry_id"),
        has_siblings(),
        sa.UniqueConstraint("tenant_id", "entry_id"),
        one_of("status", "pending", "disputed", "accepted", "voided"),
        one_of("accepted_basis", "person", "silence", "decision"),
        sa.CheckConstraint("status <> 'accepted' OR accepted_at IS NOT NULL", name="accepted"),
        sa.CheckConstraint("(status = 'voided') = (voided_at IS NOT NULL)", name="voided"),
        sa.CheckConstraint("generation > 0", name="generation"),
        sa.CheckConstraint("unit_price >= 0", name="unit_price"),
        sa.Index(
            "qualification_live_key",
            "tenant_id",
            "candidate_id",
            unique=True,
            postgresql_where=sa.text("status <> 'voided'"),
        ),
        sa.Index(None, "tenant_id", "campaign_id", "status"),
        sa.Index(None, "tenant_id", "updated_at", "id"),
        kind="candidate",
        grants="SIU",
        update_only=(
            "status",
            "accept_by",
            "accepted_at",
            "accepted_by",
            "accepted_basis",
            "voided_at",
            "void_reason",
            "external_ref",
            "metadata",
            "updated_at",
            "version",
        ),
    )
    schema.tenant_table(
        "dispute",
        sa.Column("candidate_id", sa.Uuid, nullable=False),
        sa.Column("qualification_id", sa.Uuid, nullable=False),
        sa.Column("criterion", sa.Text, nullable=False),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("evidence", JSONB, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("opened_by", sa.Text, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer_by", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", JSONB),
        sa.Column("answered_by", sa.Text),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("decide_by", sa.DateTime(timezone=True)),
        sa.Column("decision", sa.Text),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        of_candidate(),
        sibling("qualification", "qualification_id"),
        sa.UniqueConstraint("tenant_id", "candidate_id", "qualification_id"),
        one_of("status", "open", "answered", "confirmed", "voided"),
        one_of("decision", "confirmed", "voided"),
        sa.Index(None, "tenant_id", "updated_at", "id"),
        kind="candidate",
        grants="SIU",
    )
    schema.tenant_table(
        "qualification_review",
        sa.Column("candidate_id", sa.Uuid, nullable=False),
        sa.Column("qualification_id", sa.Uuid, nullable=False),
        sa.Column("touchpoint_id", sa.Uuid, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        of_candidate(),
        sibling("qualification", "qualification_id"),
        sibling("touchpoint", "touchpoint_id"),
        one_of("status", "open", "confirmed", "voided"),
        sa.Index(
            "qualification_review_open_key",
            "tenant_id",
            "candidate_id",
            "qualification_id",
            unique=True,
            postgresql_where=sa.text("status = 'open'"),
        ),
        kind="candidate",
        grants="SIU",
    )
    schema.agency_table(
        "dispute_card",
        sa.Column("dispute_id", sa.Uuid, nullable=False),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("qualification_id", sa.Uuid, nullable=False),
        sa.Column("candidate_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("criterion", sa.Text, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        realm_parent("organization", "tenant_id"),
        sa.Index(None, "realm_id", "state", "due_at", "dispute_id"),
        grants="SIU",
        key=("dispute_id",),
    )


def downgrade() -> None:
    schema.drop_tables("dispute_card", "qualification_review", "dispute", "qualification")
