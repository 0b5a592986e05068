"""The agency's registry of companies."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import of_realm, realm_parent

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema.agency_table(
        "company_group",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("merged_into_id", sa.Uuid),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        of_realm(),
        realm_parent("company_group", "merged_into_id"),
        grants="SIU",
    )
    schema.agency_table(
        "company",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("country", sa.Text),
        sa.Column("industry", sa.Text),
        sa.Column("employees", sa.Integer),
        sa.Column("revenue", sa.BigInteger),
        sa.Column("attributes", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("group_id", sa.Uuid),
        sa.Column("external_ref", sa.Text),
        sa.Column("metadata", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        of_realm(),
        realm_parent("company_group", "group_id"),
        sa.UniqueConstraint("realm_id", "domain"),
        sa.Index(None, "realm_id", "group_id"),
        sa.Index(None, "realm_id", "updated_at", "id"),
        grants="SIU",
    )
    schema.agency_table(
        "registry_fact",
        sa.Column("company_id", sa.Uuid, nullable=False),
        sa.Column("attribute", sa.Text),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("value", JSONB),
        sa.Column("source_kind", sa.Text, nullable=False),
        sa.Column("source_url", sa.Text),
        sa.Column("observed_on", sa.Date, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        realm_parent("company", "company_id"),
        sa.Index(None, "realm_id", "company_id", "observed_on"),
        grants="SI",
    )
    schema.agency_table(
        "company_link",
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("tenant_company_id", sa.Uuid, nullable=False),
        sa.Column("company_id", sa.Uuid, nullable=False),
        realm_parent("company", "company_id"),
        realm_parent("organization", "tenant_id"),
        sa.UniqueConstraint("realm_id", "tenant_id", "tenant_company_id"),
        sa.UniqueConstraint("realm_id", "tenant_id", "company_id"),
        sa.Index(None, "realm_id", "company_id"),
        grants="SI",
    )


def downgrade() -> None:
    schema.drop_tables("company_link", "registry_fact", "company", "company_group")
