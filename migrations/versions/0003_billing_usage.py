"""Price lists and the append-only ledger.

`btree_gist` is a trusted extension: the database's owner may create it. A downgrade
leaves it, since it may have been there before.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint

from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import of_realm, one_of, parent

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public")
    schema.agency_table(
        "price_list",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("unit_price", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("external_ref", sa.Text),
        sa.Column("metadata", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        of_realm(),
        sa.UniqueConstraint("realm_id", "name", "number"),
        sa.CheckConstraint("unit_price > 0", name="unit_price"),
        sa.CheckConstraint("number > 0", name="number"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        grants="SIU",
    )
    schema.tenant_table(
        "period",
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_ends_at", sa.DateTime(timezone=True)),
        sa.Column("status", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "previous_ends_at"], ["period.tenant_id", "period.ends_at"]
        ),
        sa.UniqueConstraint("tenant_id", "ends_at"),
        ExcludeConstraint(
            (sa.column("tenant_id"), "="),
            (sa.func.tstzrange(sa.column("starts_at"), sa.column("ends_at")), "&&"),
            name="period_overlap_excl",
            using="gist",
        ),
        sa.CheckConstraint("starts_at < ends_at", name="bounds"),
        sa.CheckConstraint(
            "previous_ends_at IS NULL OR previous_ends_at = starts_at", name="no_gap"
        ),
        one_of("status", "open", "closed"),
        sa.Index(
            "period_first_key",
            "tenant_id",
            unique=True,
            postgresql_where=sa.text("previous_ends_at IS NULL"),
        ),
        kind="shared",
        grants="SIU",
        update_only=("status",),
    )
    schema.tenant_table(
        "ledger_head",
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("open_period_id", sa.Uuid),
        parent("period", "open_period_id"),
        kind="shared",
        grants="SIU",
        key=(),
    )
    schema.tenant_table(
        "usage_entry",
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("units", sa.Integer, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("unit_key", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("source_id", sa.Uuid, nullable=False),
        sa.Column("reverses_id", sa.Uuid),
        sa.Column("campaign_ref", sa.Uuid, nullable=False),
        sa.Column("programme_ref", sa.Uuid, nullable=False),
        sa.Column("price_ref", sa.Uuid, nullable=False),
        sa.Column("evidence_hash", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("period_id", sa.Uuid, nullable=False),
        parent("usage_entry", "reverses_id"),
        parent("period", "period_id"),
        sa.UniqueConstraint("tenant_id", "sequence"),
        sa.UniqueConstraint("tenant_id", "reverses_id"),
        one_of("kind", "qualified", "reversal"),
        sa.CheckConstraint(
            "(kind = 'qualified' AND units = 1 AND amount >= 0"
            " AND reverses_id IS NULL) OR (kind = 'reversal' AND units = -1"
            " AND amount <= 0 AND reverses_id IS NOT NULL)",
            name="shape",
        ),
        sa.CheckConstraint("sequence > 0", name="sequence"),
        sa.CheckConstraint("generation > 0", name="generation"),
        sa.CheckConstraint("month ~ '^[0-9]{4}-[0-9]{2}$'", name="month"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        sa.Index(
            "usage_entry_source_key",
            "tenant_id",
            "source",
            "source_id",
            unique=True,
            postgresql_where=sa.text("kind = 'qualified'"),
        ),
        sa.Index(None, "tenant_id", "campaign_ref", "occurred_at"),
        sa.Index(None, "tenant_id", "occurred_at", "id"),
        sa.Index(None, "tenant_id", "period_id"),
        sa.Index(
            "usage_entry_unit_key",
            "tenant_id",
            "unit_key",
            "generation",
            unique=True,
            postgresql_where=sa.text("kind = 'qualified'"),
        ),
        kind="shared",
        grants="SI",
    )
    schema.tenant_table(
        "usage_decision",
        sa.Column("entry_id", sa.Uuid, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("basis", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        parent("usage_entry", "entry_id"),
        one_of("decision", "accepted", "disputed", "confirmed", "withdrawn"),
        one_of("basis", "person", "silence", "decision"),
        sa.Index(None, "tenant_id", "entry_id", "at", "id"),
        kind="shared",
        grants="SI",
    )
    schema.tenant_table(
        "cap_counter",
        sa.Column("campaign_ref", sa.Uuid, nullable=False),
        sa.Column("bucket", sa.Text, nullable=False),
        sa.Column("units", sa.Integer, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.CheckConstraint("bucket ~ '^(total|[0-9]{4}-[0-9]{2})$'", name="bucket"),
        sa.CheckConstraint("units >= 0", name="units"),
        sa.CheckConstraint("amount >= 0", name="amount"),
        kind="shared",
        grants="SIU",
        key=("campaign_ref", "bucket"),
    )
    schema.append_only("usage_entry", "usage_decision")


def downgrade() -> None:
    schema.drop_tables(
        "cap_counter", "usage_decision", "usage_entry", "ledger_head", "period", "price_list"
    )
