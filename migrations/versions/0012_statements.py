"""Tiers, credits and replacements in the ledger; accounts, statements and invoices."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from flatbed.billing.usage.models import SHAPE
from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.database.columns import of_realm, one_of, parent

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OLD_SHAPE = (
    "(kind = 'qualified' AND units = 1 AND amount >= 0 AND reverses_id IS NULL)"
    " OR (kind = 'reversal' AND units = -1 AND amount <= 0 AND reverses_id IS NOT NULL)"
)
NEW_COLUMNS = ("credits_id", "replaces_id", "tiers", "country", "agent_ref", "format")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("price_list", sa.Column("tiers", JSONB))
    op.add_column("campaign", sa.Column("price_tiers", JSONB))
    op.add_column("usage_entry", sa.Column("credits_id", sa.Uuid))
    op.add_column("usage_entry", sa.Column("replaces_id", sa.Uuid))
    op.add_column("usage_entry", sa.Column("tiers", JSONB))
    op.add_column("usage_entry", sa.Column("country", sa.Text))
    op.add_column("usage_entry", sa.Column("agent_ref", sa.Uuid))
    op.add_column(
        "usage_entry",
        sa.Column("format", sa.Integer, nullable=False, server_default=sa.text("1")),
    )
    _check("usage_entry", "kind", "\"kind\" IN ('qualified', 'reversal', 'credit')")
    _check("usage_entry", "shape", SHAPE)
    op.create_check_constraint("format", "usage_entry", "format IN (1, 2)")
    with schema.without_force("usage_entry"):
        for column in ("credits_id", "replaces_id"):
            op.create_foreign_key(
                None, "usage_entry", "usage_entry", ["tenant_id", column], ["tenant_id", "id"]
            )
    for name in ("credits", "replaces"):
        op.create_index(
            f"usage_entry_{name}_idx",
            "usage_entry",
            ["tenant_id", f"{name}_id"],
            postgresql_where=sa.text(f"{name}_id IS NOT NULL"),
        )
    op.add_column("usage_decision", sa.Column("reason", sa.Text))
    decisions = "'accepted', 'disputed', 'confirmed', 'withdrawn', 'written_off'"
    _check("usage_decision", "decision", f'"decision" IN ({decisions})')
    bases = "'person', 'silence', 'decision', 'signing'"
    _check("usage_decision", "basis", f'"basis" IN ({bases})')
    _make_accounts()
    _make_statements()


def downgrade() -> None:
    schema.drop_tables(
        "statement_rest",
        "statement_line",
        "invoice",
        "statement",
        "invoice_series",
        "billing_profile",
        "billing_account",
    )
    _check("usage_decision", "basis", "\"basis\" IN ('person', 'silence', 'decision')")
    decisions = "'accepted', 'disputed', 'confirmed', 'withdrawn'"
    _check("usage_decision", "decision", f'"decision" IN ({decisions})')
    op.drop_column("usage_decision", "reason")
    op.drop_constraint(op.f("usage_entry_shape_check"), "usage_entry")
    for column in NEW_COLUMNS:
        op.drop_column("usage_entry", column)
    _check("usage_entry", "kind", "\"kind\" IN ('qualified', 'reversal')")
    op.create_check_constraint("shape", "usage_entry", OLD_SHAPE)
    op.drop_column("campaign", "price_tiers")
    op.drop_column("price_list", "tiers")


def _check(table: str, name: str, condition: str) -> None:
    op.drop_constraint(op.f(f"{table}_{name}_check"), table)
    op.create_check_constraint(name, table, condition)


def _tracked() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
    )


def _make_accounts() -> None:
    schema.tenant_table(
        "billing_account",
        sa.Column("legal_name", sa.Text),
        sa.Column("address", JSONB),
        sa.Column("email", sa.Text),
        sa.Column("tax_ids", JSONB, nullable=False),
        sa.Column("purchase_order", sa.Text),
        sa.Column("payment_terms_days", sa.Integer, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("collection", sa.Text, nullable=False),
        sa.Column("customer_ref", sa.Text),
        sa.Column("payment_method_ref", sa.Text),
        sa.Column("standing", sa.Text, nullable=False, server_default=sa.text("'good'")),
        sa.Column("standing_since", INSTANT),
        *_tracked(),
        one_of("language", "de", "en"),
        one_of("collection", "send_invoice", "charge_automatically"),
        one_of("standing", "good", "overdue", "suspended"),
        sa.CheckConstraint("payment_terms_days BETWEEN 0 AND 120", name="payment_terms_days"),
        kind="closed",
        grants="SIU",
        key=(),
    )
    schema.agency_table(
        "billing_profile",
        sa.Column("legal_name", sa.Text, nullable=False),
        sa.Column("address", JSONB, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("vat_id", sa.Text),
        sa.Column("tax_number", sa.Text),
        sa.Column("account_holder", sa.Text),
        sa.Column("iban", sa.Text),
        sa.Column("bic", sa.Text),
        sa.Column("invoice_prefix", sa.Text, nullable=False),
        *_tracked(),
        of_realm(),
        grants="SIU",
        key=(),
    )
    schema.agency_table(
        "invoice_series",
        sa.Column("last_number", sa.BigInteger, nullable=False),
        of_realm(),
        sa.CheckConstraint("last_number >= 0", name="last_number"),
        grants="SIU",
        key=(),
    )


def _make_statements() -> None:
    schema.tenant_table(
        "statement",
        sa.Column("period_id", sa.Uuid, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("closed_at", INSTANT, nullable=False),
        sa.Column("closed_by", sa.Text, nullable=False),
        sa.Column("seller", JSONB, nullable=False),
        sa.Column("customer", JSONB, nullable=False),
        sa.Column("units", sa.Integer, nullable=False),
        sa.Column("charges", sa.BigInteger, nullable=False),
        sa.Column("credits", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("held_units", sa.Integer, nullable=False),
        sa.Column("held_amount", sa.BigInteger, nullable=False),
        sa.Column("ledger_from", sa.BigInteger, nullable=False),
        sa.Column("ledger_from_hash", sa.Text, nullable=False),
        sa.Column("ledger_to", sa.BigInteger, nullable=False),
        sa.Column("ledger_to_hash", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        parent("period", "period_id"),
        sa.UniqueConstraint("tenant_id", "period_id", "currency"),
        sa.UniqueConstraint("tenant_id", "number"),
        sa.CheckConstraint("number > 0", name="number"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        sa.CheckConstraint(
            "charges >= 0 AND credits <= 0 AND total = charges + credits", name="sum"
        ),
        sa.CheckConstraint("ledger_from <= ledger_to", name="ledger"),
        sa.Index(None, "tenant_id", "closed_at", "id"),
        kind="closed",
        grants="SI",
    )
    schema.tenant_table(
        "invoice",
        sa.Column("statement_id", sa.Uuid, nullable=False),
        sa.Column("corrects_id", sa.Uuid),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("net", sa.BigInteger, nullable=False),
        sa.Column("tax", sa.BigInteger, nullable=False),
        sa.Column("gross", sa.BigInteger, nullable=False),
        sa.Column("tax_category", sa.Text, nullable=False),
        sa.Column("tax_rate", sa.Integer, nullable=False),
        sa.Column("tax_rule", sa.Text, nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("issued_on", sa.Date, nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
        parent("statement", "statement_id"),
        parent("invoice", "corrects_id"),
        sa.UniqueConstraint("tenant_id", "number"),
        one_of("kind", "invoice", "credit_note"),
        sa.CheckConstraint("(kind = 'credit_note') = (corrects_id IS NOT NULL)", name="corrects"),
        sa.CheckConstraint("net > 0 AND tax >= 0 AND gross = net + tax", name="sum"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        sa.Index(None, "tenant_id", "issued_at", "id"),
        sa.Index(None, "tenant_id", "statement_id"),
        sa.Index(None, "tenant_id", "corrects_id"),
        kind="closed",
        grants="SI",
    )
    schema.tenant_table(
        "statement_line",
        sa.Column("entry_id", sa.Uuid, nullable=False),
        sa.Column("statement_id", sa.Uuid, nullable=False),
        sa.Column("invoice_id", sa.Uuid),
        sa.Column("corrects_id", sa.Uuid),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("campaign_ref", sa.Uuid, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("rank", sa.Integer),
        sa.Column("price_text", sa.Text, nullable=False),
        sa.Column("dossier_hash", sa.Text, nullable=False),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("accepted_at", INSTANT),
        sa.Column("late", sa.Boolean, nullable=False),
        sa.Column("carried_over", sa.Boolean, nullable=False),
        parent("usage_entry", "entry_id"),
        parent("statement", "statement_id"),
        parent("invoice", "invoice_id"),
        parent("statement_line", "corrects_id"),
        sa.UniqueConstraint("tenant_id", "entry_id"),
        sa.UniqueConstraint("tenant_id", "statement_id", "position"),
        one_of("kind", "charge", "credit"),
        sa.CheckConstraint(
            "(kind = 'charge' AND amount >= 0 AND corrects_id IS NULL AND accepted_at IS NOT NULL)"
            " OR (kind = 'credit' AND amount < 0 AND corrects_id IS NOT NULL AND rank IS NULL)",
            name="shape",
        ),
        sa.CheckConstraint("position > 0", name="position"),
        sa.CheckConstraint("rank > 0", name="rank"),
        sa.Index(
            "statement_line_rank_key",
            "tenant_id",
            "campaign_ref",
            "currency",
            "rank",
            unique=True,
            postgresql_where=sa.text("rank IS NOT NULL"),
        ),
        sa.Index(None, "tenant_id", "invoice_id"),
        kind="shared",
        grants="SI",
    )
    schema.tenant_table(
        "statement_rest",
        sa.Column("statement_id", sa.Uuid, nullable=False),
        sa.Column("entry_id", sa.Uuid, nullable=False),
        sa.Column("fate", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        parent("usage_entry", "entry_id"),
        parent("statement", "statement_id"),
        sa.UniqueConstraint("tenant_id", "statement_id", "entry_id"),
        one_of("fate", "pending", "disputed", "cancelled", "written_off"),
        sa.Index(None, "tenant_id", "entry_id"),
        kind="closed",
        grants="SI",
    )
    schema.append_only("statement", "statement_line", "statement_rest", "invoice")
