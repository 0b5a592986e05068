"""What is collected at Stripe, what it reports, and what the reconciliation finds."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import one_of, parent

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    schema.tenant_table(
        "collection",
        sa.Column("invoice_id", sa.Uuid, nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("bodies", JSONB),
        sa.Column("epoch", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("error", sa.Text),
        sa.Column("external_id", sa.Text),
        sa.Column("external_status", sa.Text),
        sa.Column("amount_due", sa.BigInteger),
        sa.Column("amount_paid", sa.BigInteger),
        sa.Column("hosted_url", sa.Text),
        sa.Column("overdue_since", INSTANT),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False, server_default=sa.text("0")),
        parent("invoice", "invoice_id"),
        one_of("state", "pending", "done", "quarantined", "not_collected"),
        one_of("external_status", "draft", "open", "paid", "uncollectible", "void", "issued"),
        sa.CheckConstraint("part > 0", name="part"),
        sa.Index(None, "tenant_id", "state"),
        sa.Index("collection_external_idx", "tenant_id", "external_id"),
        kind="closed",
        grants="SIU",
        key=("invoice_id", "part"),
    )
    schema.own_table(
        "gateway_event",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("object_type", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text),
        sa.Column("live", sa.Boolean, nullable=False),
        sa.Column("happened_at", INSTANT, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("handled_at", INSTANT),
        sa.Column("outcome", sa.Text),
        sa.UniqueConstraint("event_id"),
        one_of("outcome", "applied", "not_ours", "gone"),
        sa.Index(None, "happened_at"),
        grants="SIU",
        update_only=("handled_at", "outcome"),
    )
    login, worker = schema.in_plane("login"), schema.in_plane("worker")
    schema.policy("gateway_event", "received", "INSERT", check=f"{login} OR {worker}")
    schema.policy("gateway_event", "seen", "SELECT", using=f"{login} OR {worker}")
    schema.policy("gateway_event", "handled", "UPDATE", using=worker, check=worker)
    schema.tenant_table(
        "billing_finding",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("detail", JSONB, nullable=False),
        sa.Column("found_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("resolved_at", INSTANT),
        one_of(
            "kind",
            "missing",
            "orphan_draft",
            "amount_drift",
            "status_drift",
            "unknown_invoice",
            "ledger_drift",
            "quarantined",
        ),
        sa.Index(
            "billing_finding_open_key",
            "tenant_id",
            "kind",
            "subject",
            unique=True,
            postgresql_where=sa.text("resolved_at IS NULL"),
        ),
        sa.Index(None, "tenant_id", "found_at", "id"),
        kind="closed",
        grants="SIU",
        update_only=("detail", "seen_at", "resolved_at"),
    )
    schema.tenant_table(
        "reconciliation",
        sa.Column("ran_at", INSTANT, nullable=False),
        sa.Column("collects", sa.Boolean, nullable=False),
        sa.Column("statements", sa.Integer, nullable=False),
        sa.Column("invoices", sa.Integer, nullable=False),
        sa.Column("findings", sa.Integer, nullable=False),
        sa.Index(None, "tenant_id", "ran_at", "id"),
        kind="closed",
        grants="SI",
    )


def downgrade() -> None:
    schema.drop_tables("reconciliation", "billing_finding")
    op.drop_table("gateway_event")
    schema.drop_tables("collection")
