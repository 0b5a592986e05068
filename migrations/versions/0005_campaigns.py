"""Offerings, programmes, profiles and campaigns."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import one_of, parent

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema.tenant_table(
        "offering",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("category", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("archived_at", sa.DateTime(timezone=True)),
        sa.Column("external_ref", sa.Text),
        sa.Column("metadata", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Index(None, "tenant_id", "updated_at", "id"),
        kind="shared",
        grants="SIU",
    )
    schema.tenant_table(
        "programme",
        sa.Column("offering_id", sa.Uuid, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("countries", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        parent("offering", "offering_id"),
        sa.UniqueConstraint("tenant_id", "offering_id", "code"),
        sa.CheckConstraint("cardinality(countries) > 0", name="countries"),
        kind="shared",
        grants="SIU",
    )
    schema.tenant_table(
        "profile",
        sa.Column("offering_id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("current_number", sa.Integer, nullable=False),
        sa.Column("external_ref", sa.Text),
        sa.Column("metadata", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        parent("offering", "offering_id"),
        sa.CheckConstraint("current_number > 0", name="current_number"),
        sa.Index(None, "tenant_id", "offering_id"),
        sa.Index(None, "tenant_id", "updated_at", "id"),
        kind="shared",
        grants="SIU",
    )
    schema.tenant_table(
        "profile_version",
        sa.Column("profile_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("hard", JSONB, nullable=False),
        sa.Column("soft", JSONB, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        parent("profile", "profile_id"),
        sa.UniqueConstraint("tenant_id", "profile_id", "number"),
        kind="shared",
        grants="SI",
    )
    schema.tenant_table(
        "campaign",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("offering_id", sa.Uuid, nullable=False),
        sa.Column("programme_id", sa.Uuid, nullable=False),
        sa.Column("profile_id", sa.Uuid, nullable=False),
        sa.Column("profile_version_id", sa.Uuid),
        sa.Column("price_list_id", sa.Uuid),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price", sa.BigInteger),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("cap_units_total", sa.Integer),
        sa.Column("cap_units_month", sa.Integer),
        sa.Column("cap_money_total", sa.BigInteger),
        sa.Column("cap_money_month", sa.BigInteger),
        sa.Column("fit_floor", sa.Integer, nullable=False),
        sa.Column("revenue_floor", sa.BigInteger, nullable=False),
        sa.Column("shared_partners", sa.Text, nullable=False),
        sa.Column("continue_after_fill", sa.Boolean, nullable=False),
        sa.Column("rubric", JSONB),
        sa.Column("ordered_at", sa.DateTime(timezone=True)),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("accepted_count", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("external_ref", sa.Text),
        sa.Column("metadata", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        parent("offering", "offering_id"),
        parent("programme", "programme_id"),
        parent("profile", "profile_id"),
        parent("profile_version", "profile_version_id"),
        one_of("status", "draft", "ordered", "running", "paused", "filled", "closed", "cancelled"),
        one_of("shared_partners", "allow", "deny"),
        sa.CheckConstraint(
            "status IN ('draft', 'cancelled') OR (profile_version_id IS NOT NULL"
            " AND price_list_id IS NOT NULL AND unit_price IS NOT NULL"
            " AND rubric IS NOT NULL AND ordered_at IS NOT NULL)",
            name="order",
        ),
        sa.CheckConstraint("quantity > 0", name="quantity"),
        sa.CheckConstraint("unit_price > 0", name="unit_price"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        sa.CheckConstraint(
            "cap_units_total >= 0 AND cap_units_month >= 0 AND cap_money_total >= 0"
            " AND cap_money_month >= 0",
            name="caps",
        ),
        sa.CheckConstraint("fit_floor BETWEEN 0 AND 100", name="fit_floor"),
        sa.CheckConstraint("revenue_floor >= 0", name="revenue_floor"),
        sa.CheckConstraint("accepted_count >= 0", name="accepted_count"),
        sa.Index(None, "tenant_id", "status", "updated_at", "id"),
        sa.Index(None, "tenant_id", "updated_at", "id"),
        kind="shared",
        grants="SIU",
    )


def downgrade() -> None:
    schema.drop_tables("campaign", "profile_version", "profile", "programme", "offering")
