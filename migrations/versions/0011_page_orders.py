"""Indexes in the order in which the agency's lists are read."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ORDERS = {
    "organization": "updated_at",
    "staff": "updated_at",
    "oauth_client": "updated_at",
    "price_list": "updated_at",
    "company_group": "created_at",
}


def upgrade() -> None:
    for table, order in ORDERS.items():
        op.create_index(_name(table, order), table, ["realm_id", order, "id"])


def downgrade() -> None:
    for table, order in ORDERS.items():
        op.drop_index(_name(table, order), table)


def _name(table: str, order: str) -> str:
    return f"{table}_realm_id_{order}_id_idx"
