"""Assignments and candidate cards."""

import sqlalchemy as sa

from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import one_of, realm_parent

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema.agency_table(
        "assignment",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("staff_id", sa.Uuid, nullable=False),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("campaign_id", sa.Uuid, nullable=False),
        sa.Column("candidate_id", sa.Uuid),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        realm_parent("staff", "staff_id"),
        realm_parent("organization", "tenant_id"),
        one_of("kind", "sourcing", "candidate"),
        sa.CheckConstraint("(kind = 'candidate') = (candidate_id IS NOT NULL)", name="candidate"),
        sa.Index(
            "assignment_live_candidate_key",
            "realm_id",
            "candidate_id",
            unique=True,
            postgresql_where=sa.text("kind = 'candidate' AND ended_at IS NULL"),
        ),
        sa.Index(
            "assignment_live_sourcing_key",
            "realm_id",
            "staff_id",
            "campaign_id",
            unique=True,
            postgresql_where=sa.text("kind = 'sourcing' AND ended_at IS NULL"),
        ),
        sa.Index(
            "assignment_live_staff_idx",
            "realm_id",
            "staff_id",
            "kind",
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
        sa.Index(None, "realm_id", "started_at", "id"),
        grants="SIU",
        update_only=("ended_at",),
    )
    schema.agency_table(
        "candidate_card",
        sa.Column("candidate_id", sa.Uuid, nullable=False),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("campaign_id", sa.Uuid, nullable=False),
        sa.Column("campaign_name", sa.Text, nullable=False),
        sa.Column("company_name", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        realm_parent("organization", "tenant_id"),
        sa.Index(None, "realm_id", "tenant_id", "campaign_id"),
        grants="SIU",
        key=("candidate_id",),
    )


def downgrade() -> None:
    schema.drop_tables("candidate_card", "assignment")
