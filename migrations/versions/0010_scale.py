"""What the largest tenant's reads need.

A company's name as it is compared, the hunter on a candidate's card, and indexes in the order in
which pages are read.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from flatbed.app.campaigns.exclusions.names import name_key
from flatbed.tenants.kit.database import schema
from flatbed.tenants.kit.ids import ZERO

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BATCH = 10_000
CORRELATED = "candidate_tenant_id_campaign_id_stat"
NEVER = "'9999-01-01 00:00:00+00'::timestamptz"

INDEXES = (
    ("tenant_company", ["tenant_id", "name_key"]),
    ("candidate", ["tenant_id", "campaign_id", "status", "updated_at", "id"]),
    ("candidate", ["tenant_id", "stage", "updated_at", "id"]),
    ("candidate", ["tenant_id", "status", "updated_at", "id"]),
    ("candidate", ["tenant_id", "hunter_id", "updated_at", "id"]),
    ("qualification", ["tenant_id", "campaign_id", "updated_at", "id"]),
    ("qualification", ["tenant_id", "status", "updated_at", "id"]),
    ("exclusion", ["tenant_id", "status", "updated_at", "id"]),
    ("assignment", ["realm_id", "staff_id", "started_at", "id"]),
    ("assignment", ["realm_id", "tenant_id", "started_at", "id"]),
    ("assignment", ["realm_id", "staff_id", "tenant_id", "started_at", "id"]),
    ("audit_entry", ["tenant_id", "action", "sequence"]),
    ("agency_audit_entry", ["realm_id", "action", "sequence"]),
    ("wakeup", ["realm_id", "topic", "due_at"]),
)
LIVE = (
    ("assignment_live_idx", ["realm_id", "started_at", "id"]),
    ("assignment_live_staff_idx", ["realm_id", "staff_id", "started_at", "id"]),
    ("assignment_live_tenant_idx", ["realm_id", "tenant_id", "started_at", "id"]),
    ("assignment_live_staff_tenant_idx", ["realm_id", "staff_id", "tenant_id", "started_at", "id"]),
)
LIVE_STAFF = ("assignment_live_staff_idx", ["realm_id", "staff_id", "kind"])
REFERENCES = (
    ("candidate", "tenant_id"),
    ("qualification", "tenant_id"),
    ("exclusion", "tenant_id"),
    ("company", "realm_id"),
)


def upgrade() -> None:
    op.add_column("tenant_company", sa.Column("name_key", sa.Text))
    op.add_column("candidate_card", sa.Column("staff_id", sa.Uuid))
    with schema.without_force("tenant_company", "candidate_card", "assignment"):
        _write_name_keys()
        op.execute(
            "UPDATE candidate_card AS card SET staff_id = live.staff_id FROM assignment AS live"
            " WHERE live.realm_id = card.realm_id AND live.candidate_id = card.candidate_id"
            " AND live.kind = 'candidate' AND live.ended_at IS NULL"
        )
    op.alter_column("tenant_company", "name_key", nullable=False)
    op.execute(
        "ALTER TABLE candidate_card ADD COLUMN queue_at timestamptz NOT NULL"
        f" GENERATED ALWAYS AS (coalesce(due_at, {NEVER})) STORED"
    )
    op.create_index(
        "candidate_card_queue_idx",
        "candidate_card",
        ["realm_id", "staff_id", "queue_at", "candidate_id"],
        postgresql_where=sa.text("staff_id IS NOT NULL AND status <> 'exited'"),
    )
    op.drop_index("wakeup_due_at_idx", "wakeup")
    for table, columns in INDEXES:
        op.create_index(_name(table, columns), table, columns)
    op.drop_index("assignment_live_staff_idx", "assignment")
    for name, columns in LIVE:
        _create_live(name, columns)
    # A campaign has one tenant. Unless told so, the planner takes a tenant's campaign for smaller
    # than it is by the number of tenants, and then for no matter by which index it is read.
    op.execute(
        f"CREATE STATISTICS {CORRELATED} (dependencies) ON tenant_id, campaign_id FROM candidate"
    )
    for table, owner in REFERENCES:
        columns = [owner, "external_ref", "updated_at", "id"]
        given = sa.text("external_ref IS NOT NULL")
        op.create_index(_name(table, columns), table, columns, postgresql_where=given)


def downgrade() -> None:
    op.execute(f"DROP STATISTICS {CORRELATED}")
    for table, owner in REFERENCES:
        op.drop_index(_name(table, [owner, "external_ref", "updated_at", "id"]), table)
    for name, _ in LIVE:
        op.drop_index(name, "assignment")
    _create_live(*LIVE_STAFF)
    for table, columns in INDEXES:
        op.drop_index(_name(table, columns), table)
    op.create_index("wakeup_due_at_idx", "wakeup", ["due_at"])
    op.drop_index("candidate_card_queue_idx", "candidate_card")
    op.drop_column("candidate_card", "queue_at")
    op.drop_column("candidate_card", "staff_id")
    op.drop_column("tenant_company", "name_key")


def _create_live(name: str, columns: list[str]) -> None:
    op.create_index(name, "assignment", columns, postgresql_where=sa.text("ended_at IS NULL"))


def _name(table: str, columns: list[str]) -> str:
    return f"{table}_{'_'.join(columns)}_idx"


def _write_name_keys() -> None:
    """Only Python knows how names are compared."""
    connection = op.get_bind()
    for rows in _companies(connection):
        connection.execute(
            sa.text(
                "UPDATE tenant_company AS company SET name_key = fresh.name_key"
                " FROM unnest(CAST(:tenants AS uuid[]), CAST(:ids AS uuid[]),"
                " CAST(:keys AS text[])) AS fresh (tenant_id, id, name_key)"
                " WHERE company.tenant_id = fresh.tenant_id AND company.id = fresh.id"
            ),
            {
                "tenants": [row.tenant_id for row in rows],
                "ids": [row.id for row in rows],
                "keys": [name_key(row.name) for row in rows],
            },
        )


def _companies(connection: sa.Connection) -> Iterator[list[sa.Row[tuple[object, ...]]]]:
    """All companies by key, a batch at a time."""
    after = {"tenant": ZERO, "id": ZERO}
    page = sa.text(
        "SELECT tenant_id, id, name FROM tenant_company WHERE (tenant_id, id) > (:tenant, :id)"
        f" ORDER BY tenant_id, id LIMIT {BATCH}"
    )
    while rows := list(connection.execute(page, after)):
        yield rows
        after = {"tenant": rows[-1].tenant_id, "id": rows[-1].id}
