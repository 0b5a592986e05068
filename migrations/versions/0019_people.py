"""People: users, memberships, invitations, sessions, grants, codes, refresh tokens, consents."""

import sqlalchemy as sa
from alembic import op

from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import of_realm, one_of, realm_parent

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ROLES = ("owner", "manager", "finance", "viewer")
METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")
TIME = sa.DateTime(timezone=True)
OF_TENANT = f"{schema.OWN_REALM} AND {schema.TENANT} AND {schema.WHOLE_RANGE}"
LOGIN = schema.in_plane("login")
CLIENT_CHECKS = {
    "public": "(kind = 'native') = (token_endpoint_auth_method = 'none')",
    "redirects": "(kind = 'service') = (redirect_uris = '{}')",
    "personal": "owner_kind <> 'staff' OR kind = 'service'",
}


def upgrade() -> None:
    _clients()
    _people()
    _belonging()
    _grants()


def _clients() -> None:
    op.add_column(
        "oauth_client", sa.Column("kind", sa.Text, nullable=False, server_default="service")
    )
    redirects: sa.Column[list[str]] = sa.Column(
        "redirect_uris", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")
    )
    op.add_column("oauth_client", redirects)
    words = one_of("kind", "service", "web", "native")
    op.create_check_constraint("kind", "oauth_client", words.sqltext)
    _methods(*METHODS, "none")
    for name, condition in CLIENT_CHECKS.items():
        op.create_check_constraint(name, "oauth_client", condition)
    op.add_column("client_secret", sa.Column("tenant_id", sa.Uuid))
    with schema.without_force("client_secret", "oauth_client"):
        op.execute(
            "UPDATE client_secret SET tenant_id = c.tenant_id FROM oauth_client c"
            " WHERE c.realm_id = client_secret.realm_id AND c.id = oauth_client_id"
        )
    for table in ("oauth_client", "client_secret"):
        schema.policy(table, "tenant", using=OF_TENANT, check=OF_TENANT)
    op.add_column("staff", sa.Column("user_id", sa.Uuid))
    op.create_unique_constraint(
        op.f("staff_realm_id_user_id_key"), "staff", ["realm_id", "user_id"]
    )
    op.create_index(op.f("staff_user_id_idx"), "staff", ["user_id"])


def _methods(*methods: str) -> None:
    op.drop_constraint("token_endpoint_auth_method", "oauth_client", type_="check")
    words = one_of("token_endpoint_auth_method", *methods)
    op.create_check_constraint("token_endpoint_auth_method", "oauth_client", words.sqltext)


def _people() -> None:
    schema.own_table(
        "user_account",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("password_at", TIME, nullable=False),
        sa.Column("totp_box", sa.LargeBinary),
        sa.Column("totp_at", TIME),
        sa.Column("totp_step", sa.BigInteger),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.UniqueConstraint("email"),
        sa.CheckConstraint("email = lower(email)", name="email"),
        one_of("locale", "en", "de"),
        sa.CheckConstraint("totp_at IS NULL OR totp_box IS NOT NULL", name="totp"),
        grants="SIU",
    )
    schema.own_table(
        "recovery_code",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("used_at", TIME),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"]),
        grants="SIUD",
        update_only=("used_at",),
    )
    schema.own_table(
        "user_session",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("acr", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("auth_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"]),
        sa.UniqueConstraint("digest"),
        one_of("acr", "pwd", "mfa"),
        sa.Index(None, "user_id", "created_at"),
        sa.Index(None, "expires_at"),
        grants="SIUD",
        update_only=("seen_at", "revoked_at"),
    )
    schema.own_table(
        "password_reset",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"]),
        sa.Index(None, "user_id"),
        sa.Index(None, "expires_at"),
        grants="SIUD",
        update_only=("used_at",),
    )
    schema.own_table(
        "failure_count",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Index(None, "began_at"),
        grants="SIUD",
    )
    schema.own_table(
        "consent",
        sa.Column("user_id", sa.Uuid, primary_key=True),
        sa.Column("oauth_client_id", sa.Uuid, primary_key=True),
        sa.Column("scopes", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("granted_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"]),
        grants="SIUD",
        update_only=("scopes", "granted_at"),
    )
    tables = (
        "user_account",
        "recovery_code",
        "user_session",
        "password_reset",
        "failure_count",
        "consent",
    )
    for table in tables:
        schema.policy(table, "login", using=LOGIN, check=LOGIN)


def _belonging() -> None:
    schema.agency_table(
        "membership",
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        of_realm(),
        realm_parent("organization", "tenant_id"),
        sa.UniqueConstraint("realm_id", "tenant_id", "email"),
        sa.UniqueConstraint("realm_id", "tenant_id", "user_id"),
        sa.CheckConstraint("email = lower(email)", name="email"),
        one_of("role", *ROLES),
        sa.Index(None, "realm_id", "tenant_id", "updated_at", "id"),
        sa.Index(None, "user_id"),
        grants="SIU",
    )
    schema.agency_table(
        "invitation",
        sa.Column("tenant_id", sa.Uuid),
        sa.Column("membership_id", sa.Uuid),
        sa.Column("staff_id", sa.Uuid),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("invited_by", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("accepted_at", TIME),
        sa.Column("revoked_at", TIME),
        of_realm(),
        realm_parent("organization", "tenant_id"),
        realm_parent("membership", "membership_id"),
        realm_parent("staff", "staff_id"),
        sa.CheckConstraint(
            "(membership_id IS NULL) = (tenant_id IS NULL)"
            " AND (membership_id IS NULL) <> (staff_id IS NULL)",
            name="whom",
        ),
        sa.Index(None, "realm_id", "membership_id"),
        sa.Index(None, "realm_id", "staff_id"),
        grants="SIU",
        update_only=("accepted_at", "revoked_at"),
        id_is_global=True,
    )
    schema.agency_table(
        "sign_in_policy",
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("owners_need_totp", sa.Boolean, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
        of_realm(),
        realm_parent("organization", "tenant_id"),
        key=("tenant_id",),
        grants="SIU",
    )
    for table in ("membership", "invitation", "sign_in_policy"):
        schema.policy(table, "login", "SELECT", using=LOGIN)
        schema.policy(table, "tenant", using=OF_TENANT, check=OF_TENANT)


def _grants() -> None:
    schema.agency_table(
        "oauth_grant",
        sa.Column("oauth_client_id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("tenant_id", sa.Uuid),
        sa.Column("membership_id", sa.Uuid),
        sa.Column("staff_id", sa.Uuid),
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("acr", sa.Text, nullable=False),
        sa.Column("auth_at", TIME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.Column("revoke_reason", sa.Text),
        of_realm(),
        realm_parent("oauth_client", "oauth_client_id"),
        realm_parent("organization", "tenant_id"),
        realm_parent("membership", "membership_id"),
        realm_parent("staff", "staff_id"),
        one_of("acr", "pwd", "mfa"),
        sa.CheckConstraint(
            "(membership_id IS NULL) = (tenant_id IS NULL)"
            " AND (membership_id IS NULL) <> (staff_id IS NULL)",
            name="whose",
        ),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoke_reason IS NULL)", name="revoked"),
        sa.Index(None, "user_id", "oauth_client_id"),
        sa.Index(None, "session_id"),
        sa.Index(None, "ends_at"),
        sa.Index(None, "realm_id", "membership_id"),
        sa.Index(None, "realm_id", "staff_id"),
        sa.Index(None, "realm_id", "oauth_client_id"),
        grants="SIUD",
        update_only=("revoked_at", "revoke_reason"),
        id_is_global=True,
    )
    schema.policy("oauth_grant", "login", using=LOGIN, check=LOGIN)
    schema.policy("oauth_grant", "tenant", using=OF_TENANT, check=OF_TENANT)
    schema.own_table(
        "authorization_code",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("grant_id", sa.Uuid, nullable=False),
        sa.Column("oauth_client_id", sa.Uuid, nullable=False),
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("redirect_uri", sa.Text, nullable=False),
        sa.Column("challenge", sa.Text, nullable=False),
        sa.Column("nonce", sa.Text),
        sa.Column("resource", sa.Text),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
        sa.Index(None, "expires_at"),
        grants="SIUD",
        update_only=("used_at",),
    )
    schema.own_table(
        "refresh_token",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("grant_id", sa.Uuid, nullable=False),
        sa.Column("oauth_client_id", sa.Uuid, nullable=False),
        sa.Column("issued_at", TIME, nullable=False),
        sa.Column("first_used_at", TIME),
        sa.Column("siblings", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("idle_until", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Index(None, "grant_id"),
        sa.Index(None, "idle_until"),
        grants="SIUD",
        update_only=("first_used_at", "siblings", "idle_until"),
    )
    for table in ("authorization_code", "refresh_token"):
        schema.policy(table, "login", using=LOGIN, check=LOGIN)


def downgrade() -> None:
    schema.drop_tables(
        "refresh_token",
        "authorization_code",
        "oauth_grant",
        "sign_in_policy",
        "invitation",
        "membership",
        "consent",
        "failure_count",
        "password_reset",
        "user_session",
        "recovery_code",
        "user_account",
    )
    op.drop_column("staff", "user_id")
    for table in ("oauth_client", "client_secret"):
        schema.drop_policy(table, "tenant")
    op.drop_column("client_secret", "tenant_id")
    for name in CLIENT_CHECKS:
        op.drop_constraint(name, "oauth_client", type_="check")
    _methods(*METHODS)
    op.drop_column("oauth_client", "redirect_uris")
    op.drop_column("oauth_client", "kind")
