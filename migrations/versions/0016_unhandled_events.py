"""An index on the events that nothing was made of, which each worker looks for.

Nobody reads events by when they happened any more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLE = "gateway_event"
OLD, NEW = "gateway_event_happened_at_idx", "gateway_event_unhandled_idx"


def upgrade() -> None:
    op.drop_index(OLD, TABLE)
    op.create_index(
        NEW, TABLE, ["received_at", "id"], postgresql_where=sa.text("handled_at IS NULL")
    )


def downgrade() -> None:
    op.drop_index(NEW, TABLE)
    op.create_index(OLD, TABLE, ["happened_at"])
