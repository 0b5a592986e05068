"""Realms, idempotency keys, audit, events, deadlines and wake-ups."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import one_of

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema.make_append_only()
    schema.own_table(
        "realm",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("clock_offset_us", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("slug"),
        one_of("kind", "live", "sandbox"),
        sa.CheckConstraint("clock_offset_us >= 0", name="clock_offset_us"),
        sa.CheckConstraint("kind = 'sandbox' OR clock_offset_us = 0", name="live_clock"),
        grants="SIU",
        update_only=("name", "clock_offset_us"),
    )
    schema.tenant_table(
        "idempotency_key",
        sa.Column("client_id", sa.Uuid, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("headers", JSONB),
        sa.Column("body", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Index(None, "tenant_id", "created_at"),
        kind="shared",
        grants="SIUD",
        key=("client_id", "key"),
    )
    schema.agency_table(
        "agency_idempotency_key",
        sa.Column("client_id", sa.Uuid, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("headers", JSONB),
        sa.Column("body", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Index(None, "realm_id", "created_at"),
        grants="SIUD",
        key=("client_id", "key"),
    )
    schema.tenant_table(
        "audit_pending",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("object_type", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("detail", JSONB, nullable=False),
        sa.Column("request_id", sa.Text),
        kind="shared",
        grants="SID",
    )
    schema.tenant_table(
        "audit_entry",
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("object_type", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("detail", JSONB, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.UniqueConstraint("tenant_id", "id"),
        sa.Index(None, "tenant_id", "object_id", "sequence"),
        kind="closed",
        grants="SI",
        key=("sequence",),
    )
    schema.tenant_table(
        "audit_head",
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        kind="closed",
        grants="SIU",
        key=(),
    )
    schema.tenant_table(
        "event_pending",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("object_type", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("data", JSONB, nullable=False),
        kind="shared",
        grants="SID",
    )
    schema.tenant_table(
        "event",
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("object_type", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.UniqueConstraint("tenant_id", "id"),
        kind="closed",
        grants="SI",
        key=("sequence",),
    )
    schema.tenant_table(
        "event_head",
        sa.Column("sequence", sa.BigInteger, nullable=False),
        kind="closed",
        grants="SIU",
        key=(),
    )
    schema.agency_table(
        "agency_audit_pending",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("object_type", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("detail", JSONB, nullable=False),
        sa.Column("request_id", sa.Text),
        grants="SID",
    )
    schema.agency_table(
        "agency_audit_entry",
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("object_type", sa.Text, nullable=False),
        sa.Column("object_id", sa.Text, nullable=False),
        sa.Column("detail", JSONB, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.UniqueConstraint("realm_id", "id"),
        sa.Index(None, "realm_id", "object_id", "sequence"),
        grants="SI",
        key=("sequence",),
    )
    schema.agency_table(
        "agency_audit_head",
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        grants="SIU",
        key=(),
    )
    schema.agency_table(
        "access_log",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Index(None, "realm_id", "tenant_id", "at"),
        grants="SI",
    )
    schema.tenant_table(
        "deadline",
        sa.Column("candidate_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("retry_at", sa.DateTime(timezone=True)),
        sa.Index(
            "deadline_due_idx",
            "tenant_id",
            "due_at",
            "id",
            postgresql_where=sa.text("done_at IS NULL"),
        ),
        sa.Index(
            "deadline_open_key",
            "tenant_id",
            "candidate_id",
            "kind",
            "subject_id",
            unique=True,
            postgresql_where=sa.text("done_at IS NULL"),
        ),
        kind="candidate",
        grants="SIU",
    )
    schema.own_table(
        "wakeup",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("realm_id", sa.Uuid, nullable=False),
        sa.Column("tenant_id", sa.Uuid),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        one_of("topic", "seal", "deadline"),
        sa.Index(None, "due_at"),
        grants="SID",
    )
    schema.policy("realm", "own", "SELECT", using=schema.IS_REALM)
    schema.policy("realm", "login", "SELECT", using=schema.in_plane("login"))
    schema.policy("realm", "worker", "SELECT", using=schema.in_plane("worker"))
    schema.policy(
        "realm", "opened", "INSERT", check=f"{schema.IS_REALM} AND {schema.in_plane('agency')}"
    )
    schema.policy(
        "realm",
        "changed",
        "UPDATE",
        using=f"{schema.IS_REALM} AND {schema.in_plane('agency')}",
        check=f"{schema.IS_REALM} AND {schema.in_plane('agency')}",
    )
    schema.policy("wakeup", "tenant", "INSERT", check=f"{schema.TENANT} AND {schema.OWN_REALM}")
    schema.policy("wakeup", "agency", "INSERT", check=f"tenant_id IS NULL AND {schema.AGENCY}")
    schema.policy("wakeup", "seen", "SELECT", using=schema.in_plane("worker"))
    schema.policy("wakeup", "handled", "DELETE", using=schema.in_plane("worker"))
    schema.append_only("audit_entry", "agency_audit_entry")


def downgrade() -> None:
    schema.drop_tables(
        "wakeup",
        "deadline",
        "access_log",
        "agency_audit_head",
        "agency_audit_entry",
        "agency_audit_pending",
        "event_head",
        "event",
        "event_pending",
        "audit_head",
        "audit_entry",
        "audit_pending",
        "agency_idempotency_key",
        "idempotency_key",
        "realm",
    )
    schema.drop_append_only()
