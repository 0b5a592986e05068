"""The job library's tables, as its installed release makes them.

Infrastructure without row security: jobs carry opaque ids only. Its NOTIFY trigger is dropped in
favour of polling.
"""

from alembic import op
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment

from flatbed.tenants.kit.database.provision import APP

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

RIGHTS = {
    "queue_table": "SELECT, INSERT, UPDATE, DELETE",
    "queue_table_log": "SELECT, INSERT, UPDATE, DELETE",
    "schedules_table": "SELECT, INSERT, UPDATE, DELETE",
    "statistics_table": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    library = QueryBuilderEnvironment()
    names = library.settings
    # asyncpg takes one statement at a time; a block is one.
    op.execute(f"DO $install$ BEGIN {library.build_install_query()} END $install$")
    op.execute(f"DROP TRIGGER {names.trigger} ON {names.queue_table}")
    op.execute(f"DROP FUNCTION {names.function}()")
    for table, rights in RIGHTS.items():
        op.execute(f"GRANT {rights} ON {getattr(names, table)} TO {APP}")
    for table in ("queue_table", "schedules_table", "statistics_table"):
        op.execute(f"GRANT USAGE ON SEQUENCE {getattr(names, table)}_id_seq TO {APP}")


def downgrade() -> None:
    names = QueryBuilderEnvironment().settings
    for table in reversed(RIGHTS):
        op.drop_table(getattr(names, table))
    op.execute(f"DROP TYPE {names.queue_status_type}")
