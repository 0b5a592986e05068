"""How a client signs in and from where, that it is deleted, and which assertions were used."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import one_of
from flatbed.tenants.kit.database.provision import APP

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")
CHECKS = {
    "jwks": "(token_endpoint_auth_method = 'private_key_jwt') = (jwks IS NOT NULL)",
    "deleted": "deleted_at IS NULL OR NOT active",
}
COLUMNS = ("token_endpoint_auth_method", "jwks", "allowed_cidrs", "deleted_at")


def upgrade() -> None:
    table = "oauth_client"
    method = sa.Column(
        "token_endpoint_auth_method", sa.Text, nullable=False, server_default=METHODS[0]
    )
    networks: sa.Column[list[str]] = sa.Column(
        "allowed_cidrs", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")
    )
    op.add_column(table, method)
    op.add_column(table, sa.Column("jwks", JSONB))
    op.add_column(table, networks)
    op.add_column(table, sa.Column("deleted_at", sa.DateTime(timezone=True)))
    words = one_of("token_endpoint_auth_method", *METHODS)
    op.create_check_constraint("token_endpoint_auth_method", table, words.sqltext)
    for name, condition in CHECKS.items():
        op.create_check_constraint(name, table, condition)
    schema.grant("client_secret", "D")
    schema.own_table(
        "used_assertion",
        sa.Column("oauth_client_id", sa.Uuid, primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Index(None, "expires_at"),
        grants="SIUD",
        update_only=("request_id",),
    )
    login = schema.in_plane("login")
    schema.policy("used_assertion", "login", using=login, check=login)


def downgrade() -> None:
    schema.drop_tables("used_assertion")
    op.execute(f"REVOKE DELETE ON client_secret FROM {APP}")
    for column in COLUMNS:
        op.drop_column("oauth_client", column)
