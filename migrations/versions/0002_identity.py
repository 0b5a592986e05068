"""Organizations, staff, OAuth clients with their secrets, signing keys."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import of_realm, one_of, realm_parent

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema.agency_table(
        "organization",
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("country", sa.Text, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("external_ref", sa.Text),
        sa.Column("metadata", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        of_realm(),
        sa.UniqueConstraint("realm_id", "slug"),
        one_of("status", "active", "suspended"),
        sa.CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        grants="SIU",
        id_is_global=True,
    )
    schema.agency_table(
        "staff",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("external_ref", sa.Text),
        sa.Column("metadata", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        of_realm(),
        sa.UniqueConstraint("realm_id", "email"),
        sa.CheckConstraint("email = lower(email)", name="email"),
        one_of("role", "hunter", "lead", "finance", "compliance", "admin"),
        grants="SIU",
    )
    schema.agency_table(
        "oauth_client",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("owner_kind", sa.Text, nullable=False),
        sa.Column("tenant_id", sa.Uuid),
        sa.Column("staff_id", sa.Uuid),
        sa.Column("scopes", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        of_realm(),
        realm_parent("organization", "tenant_id"),
        realm_parent("staff", "staff_id"),
        one_of("owner_kind", "isv", "agency", "staff"),
        sa.CheckConstraint(
            "(owner_kind = 'isv') = (tenant_id IS NOT NULL)"
            " AND (owner_kind = 'staff') = (staff_id IS NOT NULL)",
            name="owner",
        ),
        sa.Index(None, "realm_id", "staff_id"),
        sa.Index(None, "realm_id", "tenant_id"),
        grants="SIU",
        id_is_global=True,
    )
    schema.agency_table(
        "client_secret",
        sa.Column("oauth_client_id", sa.Uuid, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("pepper_version", sa.Integer, nullable=False),
        sa.Column("last_four", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        realm_parent("oauth_client", "oauth_client_id"),
        sa.Index(None, "realm_id", "oauth_client_id"),
        grants="SIU",
    )
    schema.own_table(
        "signing_key",
        sa.Column("kid", sa.Text, primary_key=True),
        sa.Column("public_jwk", JSONB, nullable=False),
        sa.Column("private_box", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True)),
        sa.Column("retired_at", sa.DateTime(timezone=True)),
        one_of("state", "next", "active", "retired"),
        sa.Index(
            "signing_key_active_key",
            "state",
            unique=True,
            postgresql_where=sa.text("state = 'active'"),
        ),
        grants="SIU",
    )
    schema.policy("organization", "own", "SELECT", using=schema.IS_TENANT)
    for table in ("organization", "staff", "oauth_client", "client_secret"):
        schema.policy(table, "login", "SELECT", using=schema.in_plane("login"))
    schema.policy("organization", "worker", "SELECT", using=schema.in_plane("worker"))
    login = schema.in_plane("login")
    schema.policy("client_secret", "last_used", "UPDATE", using=login, check=login)
    schema.policy("signing_key", "login", using=login, check=login)


def downgrade() -> None:
    schema.drop_tables("signing_key", "client_secret", "oauth_client", "staff", "organization")
