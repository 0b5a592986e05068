"""Signing keys turn: one next at most, a retired one without its private part, and revoked ones."""

import sqlalchemy as sa
from alembic import op

from flatbed.tenants.kit.database import schema

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLE = "signing_key"
NEXT = "signing_key_next_key"
CHECKS = {
    "erased": "(private_box IS NULL) = (state = 'retired')",
    "revoked": "revoked_at IS NULL OR state = 'retired'",
}


def upgrade() -> None:
    op.add_column(TABLE, sa.Column("revoked_at", sa.DateTime(timezone=True)))
    op.alter_column(TABLE, "private_box", nullable=True)
    with schema.without_force(TABLE):
        op.execute(f"UPDATE {TABLE} SET private_box = NULL WHERE state = 'retired'")
    op.create_index(NEXT, TABLE, ["state"], unique=True, postgresql_where=sa.text("state = 'next'"))
    for name, condition in CHECKS.items():
        op.create_check_constraint(name, TABLE, condition)


def downgrade() -> None:
    for name in CHECKS:
        op.drop_constraint(op.f(f"{TABLE}_{name}_check"), TABLE, type_="check")
    op.drop_index(NEXT, TABLE)
    with schema.without_force(TABLE):
        op.execute(f"UPDATE {TABLE} SET private_box = '' WHERE private_box IS NULL")
    op.alter_column(TABLE, "private_box", nullable=False)
    op.drop_column(TABLE, "revoked_at")
