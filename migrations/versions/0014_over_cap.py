"""Qualifications that met a cap and wait for room."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import (
    has_reference,
    of_candidate,
    one_of,
    parent,
    sibling,
)

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
WAITS = sa.text("status = 'waiting'")


def upgrade() -> None:
    schema.tenant_table(
        "waiting_qualification",
        sa.Column("candidate_id", sa.Uuid, nullable=False),
        sa.Column("campaign_id", sa.Uuid, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("unit_key", sa.Text, nullable=False),
        sa.Column("criteria", JSONB, nullable=False),
        sa.Column("dossier", JSONB, nullable=False),
        sa.Column("dossier_hash", sa.Text, nullable=False),
        sa.Column("caps", JSONB, nullable=False),
        sa.Column("hunter_id", sa.Uuid),
        sa.Column("submitted_by", sa.Text, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("qualification_id", sa.Uuid),
        sa.Column("ended_at", INSTANT),
        sa.Column("end_reason", sa.Text),
        sa.Column("external_ref", sa.Text),
        sa.Column("metadata", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
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
        sa.CheckConstraint("(status = 'waiting') = (ended_at IS NULL)", name="ended"),
        sa.CheckConstraint(
            "(status = 'admitted') = (qualification_id IS NOT NULL)", name="admitted"
        ),
        sa.CheckConstraint("(status = 'withdrawn') = (end_reason IS NOT NULL)", name="withdrawn"),
        sa.CheckConstraint("created_at < expires_at", name="term"),
        sa.Index(
            "waiting_qualification_candidate_key",
            "tenant_id",
            "candidate_id",
            unique=True,
            postgresql_where=WAITS,
        ),
        sa.Index(
            "waiting_qualification_unit_key",
            "tenant_id",
            "unit_key",
            unique=True,
            postgresql_where=WAITS,
        ),
        sa.Index(
            "waiting_qualification_line_idx",
            "tenant_id",
            "campaign_id",
            "created_at",
            "id",
            postgresql_where=WAITS,
        ),
        sa.Index(None, "tenant_id", "updated_at", "id"),
        sa.Index(None, "tenant_id", "candidate_id", "updated_at", "id"),
        sa.Index(None, "tenant_id", "campaign_id", "updated_at", "id"),
        sa.Index(None, "tenant_id", "status", "updated_at", "id"),
        has_reference(),
        kind="candidate",
        grants="SIU",
        update_only=(
            "status",
            "qualification_id",
            "ended_at",
            "end_reason",
            "updated_at",
            "version",
        ),
    )
    schema.tenant_table(
        "waiting_line",
        sa.Column("campaign_id", sa.Uuid, nullable=False),
        sa.Column("waiting", sa.Integer, nullable=False),
        sa.Column("last_at", INSTANT),
        parent("campaign", "campaign_id"),
        sa.CheckConstraint("waiting >= 0", name="waiting"),
        kind="shared",
        grants="SIU",
        key=("campaign_id",),
    )


def downgrade() -> None:
    schema.drop_tables("waiting_line", "waiting_qualification")
