"""Guarantee, disputes that are withdrawn or end in a replacement, free rides, changes of terms."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import of_candidate, one_of, parent, sibling

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
EMPTY = sa.text("'[]'::jsonb")
CHECKS = {
    ("qualification", "accepted_basis"): (
        ("person", "silence", "decision"),
        ("signing",),
    ),
    ("dispute", "status"): (
        ("open", "answered", "confirmed", "voided"),
        ("replaced", "withdrawn"),
    ),
    ("dispute", "decision"): (("confirmed", "voided"), ("replaced",)),
    ("dispute_card", "kind"): (("dispute", "review"), ("guarantee", "free_ride")),
    ("dispute_card", "state"): (
        ("open", "answered", "confirmed", "voided"),
        ("replaced", "withdrawn", "refused"),
    ),
}
"""The words of each check before, and those that come."""


def upgrade() -> None:
    for (table, column), (before, more) in CHECKS.items():
        _words(table, column, *before, *more)
    op.add_column(
        "qualification",
        sa.Column("origin", sa.Text, nullable=False, server_default=sa.text("'gates'")),
    )
    op.add_column("qualification", sa.Column("replaces_id", sa.Uuid))
    op.create_check_constraint("origin", "qualification", "\"origin\" IN ('gates', 'free_ride')")
    with schema.without_force("qualification"):
        op.create_foreign_key(
            None,
            "qualification",
            "qualification",
            ["tenant_id", "replaces_id"],
            ["tenant_id", "id"],
        )
    op.add_column("dispute", sa.Column("withdrawn_by", sa.Text))
    op.add_column("dispute", sa.Column("withdrawn_at", INSTANT))
    op.create_check_constraint(
        "withdrawn", "dispute", "(status = 'withdrawn') = (withdrawn_at IS NOT NULL)"
    )
    op.alter_column("dispute_card", "qualification_id", nullable=True)
    _make_terms_changes()
    _make_partner_requests()
    _make_cases()
    _make_free_rides()


def downgrade() -> None:
    schema.drop_tables("free_ride", "guarantee_case", "partner_request", "programme_terms_change")
    op.alter_column("dispute_card", "qualification_id", nullable=False)
    op.drop_constraint(op.f("dispute_withdrawn_check"), "dispute")
    op.drop_column("dispute", "withdrawn_at")
    op.drop_column("dispute", "withdrawn_by")
    op.drop_column("qualification", "replaces_id")
    op.drop_column("qualification", "origin")
    for (table, column), (before, _) in CHECKS.items():
        _words(table, column, *before)


def _words(table: str, column: str, *words: str) -> None:
    op.drop_constraint(op.f(f"{table}_{column}_check"), table)
    listed = ", ".join(f"'{word}'" for word in words)
    op.create_check_constraint(column, table, f'"{column}" IN ({listed})')


def _tracked() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
    )


def _decided() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_at", INSTANT),
        sa.Column("decision_reason", sa.Text),
    )


def _make_terms_changes() -> None:
    schema.tenant_table(
        "programme_terms_change",
        sa.Column("programme_id", sa.Uuid, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("recorded_by", sa.Text, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        parent("programme", "programme_id"),
        sa.Index(None, "tenant_id", "programme_id", "changed_at", "id"),
        kind="shared",
        grants="SI",
    )


def _make_partner_requests() -> None:
    schema.tenant_table(
        "partner_request",
        sa.Column("candidate_id", sa.Uuid, nullable=False),
        sa.Column("qualification_id", sa.Uuid, nullable=False),
        sa.Column("touchpoint_id", sa.Uuid, nullable=False),
        sa.Column("marked_by", sa.Text, nullable=False),
        sa.Column("marked_at", INSTANT, nullable=False),
        of_candidate(),
        sibling("qualification", "qualification_id"),
        sibling("touchpoint", "touchpoint_id"),
        sa.UniqueConstraint("tenant_id", "candidate_id", "touchpoint_id"),
        kind="candidate",
        grants="SI",
    )


def _make_cases() -> None:
    schema.tenant_table(
        "guarantee_case",
        sa.Column("candidate_id", sa.Uuid, nullable=False),
        sa.Column("campaign_id", sa.Uuid, nullable=False),
        sa.Column("qualification_id", sa.Uuid, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("entry_id", sa.Uuid, nullable=False),
        sa.Column("paid_entry_id", sa.Uuid, nullable=False),
        sa.Column("withdrew_at", INSTANT),
        sa.Column("reason", sa.Text),
        sa.Column("evidence", JSONB, nullable=False, server_default=EMPTY),
        sa.Column("reported_by", sa.Text, nullable=False),
        sa.Column("reported_at", INSTANT, nullable=False),
        *_decided(),
        sa.Column("day", sa.Integer),
        sa.Column("percent", sa.Integer),
        sa.Column("replace_by", INSTANT),
        sa.Column("replacement_id", sa.Uuid),
        sa.Column("credit_entry_id", sa.Uuid),
        sa.Column("credited_amount", sa.BigInteger),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("ended_at", INSTANT),
        *_tracked(),
        of_candidate(),
        parent("campaign", "campaign_id"),
        parent("qualification", "qualification_id"),
        parent("qualification", "replacement_id"),
        parent("usage_entry", "entry_id"),
        parent("usage_entry", "paid_entry_id"),
        parent("usage_entry", "credit_entry_id"),
        one_of("cause", "withdrawal", "dispute"),
        one_of(
            "status",
            "reported",
            "refused",
            "open",
            "held",
            "replaced",
            "due",
            "credited",
            "lapsed",
            "cancelled",
        ),
        sa.CheckConstraint(
            "(cause = 'withdrawal') = (withdrew_at IS NOT NULL)", name="withdrew_at"
        ),
        sa.CheckConstraint("day BETWEEN 1 AND 90", name="day"),
        sa.CheckConstraint("percent BETWEEN 1 AND 100", name="percent"),
        sa.CheckConstraint("(day IS NULL) = (percent IS NULL)", name="share"),
        sa.CheckConstraint("(status = 'replaced') = (replacement_id IS NOT NULL)", name="replaced"),
        sa.CheckConstraint(
            "(status = 'credited') = (credit_entry_id IS NOT NULL)"
            " AND (credit_entry_id IS NULL) = (credited_amount IS NULL)",
            name="credited",
        ),
        sa.CheckConstraint("credited_amount > 0", name="credited_amount"),
        sa.CheckConstraint(
            "status IN ('reported', 'refused', 'cancelled') OR replace_by IS NOT NULL",
            name="replace_by",
        ),
        sa.Index(
            "guarantee_case_live_key",
            "tenant_id",
            "qualification_id",
            unique=True,
            postgresql_where=sa.text("status NOT IN ('refused', 'cancelled')"),
        ),
        sa.Index(
            "guarantee_case_replacement_key",
            "tenant_id",
            "replacement_id",
            unique=True,
            postgresql_where=sa.text("replacement_id IS NOT NULL"),
        ),
        sa.Index(
            "guarantee_case_owed_idx",
            "tenant_id",
            "campaign_id",
            "replace_by",
            "id",
            postgresql_where=sa.text("status = 'open'"),
        ),
        sa.Index(None, "tenant_id", "qualification_id", "reported_at"),
        sa.Index(None, "tenant_id", "updated_at", "id"),
        sa.Index(None, "tenant_id", "campaign_id", "updated_at", "id"),
        sa.Index(None, "tenant_id", "status", "updated_at", "id"),
        kind="shared",
        grants="SIU",
        update_only=(
            "status",
            "decided_by",
            "decided_at",
            "decision_reason",
            "day",
            "percent",
            "replace_by",
            "replacement_id",
            "credit_entry_id",
            "credited_amount",
            "ended_at",
            "updated_at",
            "version",
        ),
    )


def _make_free_rides() -> None:
    schema.tenant_table(
        "free_ride",
        sa.Column("candidate_id", sa.Uuid, nullable=False),
        sa.Column("campaign_id", sa.Uuid, nullable=False),
        sa.Column("contracted_on", sa.Date, nullable=False),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("evidence", JSONB, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reported_by", sa.Text, nullable=False),
        sa.Column("reported_at", INSTANT, nullable=False),
        *_decided(),
        sa.Column("qualification_id", sa.Uuid),
        *_tracked(),
        of_candidate(),
        parent("campaign", "campaign_id"),
        sibling("qualification", "qualification_id"),
        one_of("status", "reported", "confirmed", "refused"),
        sa.CheckConstraint(
            "(status = 'confirmed') = (qualification_id IS NOT NULL)", name="confirmed"
        ),
        sa.CheckConstraint("(status = 'reported') = (decided_at IS NULL)", name="decided"),
        sa.Index(
            "free_ride_reported_key",
            "tenant_id",
            "candidate_id",
            unique=True,
            postgresql_where=sa.text("status = 'reported'"),
        ),
        sa.Index(None, "tenant_id", "updated_at", "id"),
        sa.Index(None, "tenant_id", "status", "updated_at", "id"),
        kind="candidate",
        grants="SIU",
        update_only=(
            "status",
            "decided_by",
            "decided_at",
            "decision_reason",
            "qualification_id",
            "updated_at",
            "version",
        ),
    )
