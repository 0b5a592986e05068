"""How migrations make tables: no table without row security, tenant-led keys and named grants.

A tenant's table is made by `tenant_table` alone, an agency's by `agency_table`. Both enable and
force row-level security, write the policies of the table's kind and grant to the program what is
named, nothing else. `flatbed_backup` reads by default privileges (`provision.py`).

Each kind stands as a comment on its table, where the catalogue test reads it. Policies are bare
expressions without sub-selects: Citus refuses those, and the planner uses the index.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Literal

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

from flatbed.tenants.kit.database.provision import APP
from flatbed.tenants.kit.ids import MAX, ZERO

TenantKind = Literal["shared", "candidate", "closed"]
Command = Literal["SELECT", "INSERT", "UPDATE", "DELETE"]
Table = sa.Table


def _uuid(setting: str) -> str:
    # After a transaction the setting is '', not null: '' must not reach the cast.
    return f"nullif(current_setting('flatbed.{setting}', true), '')::uuid"


def in_plane(plane: str) -> str:
    """The transaction holds this plane."""
    return f"current_setting('flatbed.plane', true) = '{plane}'"


TENANT: Final = f"tenant_id = {_uuid('tenant_id')}"
OWN_REALM: Final = f"realm_id = {_uuid('realm_id')}"
AGENCY: Final = f"{OWN_REALM} AND {in_plane('agency')}"
IS_TENANT: Final = f"id = {_uuid('tenant_id')}"
IS_REALM: Final = f"id = {_uuid('realm_id')}"
WHOLE_RANGE: Final = (
    f"{_uuid('candidate_from')} = '{ZERO}'::uuid AND {_uuid('candidate_to')} = '{MAX}'::uuid"
)
_RIGHTS: Final = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}
_DENY: Final = "flatbed_append_only"


class UnsafeTableError(Exception):
    """A key or grant of the table would break isolation; the migration is rolled back."""


def in_range(column: str) -> str:
    """The candidate lies in the transaction's range: one for a hunter, all for a tenant."""
    return f"{column} BETWEEN {_uuid('candidate_from')} AND {_uuid('candidate_to')}"


def tenant_table(
    name: str,
    *items: SchemaItem,
    kind: TenantKind,
    grants: str,
    key: Sequence[str] = ("id",),
    candidate_column: str = "candidate_id",
    update_only: Sequence[str] = (),
) -> None:
    """Create a table whose rows belong to one tenant each.

    Args:
        name: the table's.
        items: columns, constraints and indexes, without `tenant_id`, the primary key and (where
            it is the key) `id`, which are added. Each key and unique index leads with `tenant_id`.
        kind: who may see a row: `shared` the tenant and its bound hunters, `candidate` those
            whose range holds the row's candidate, `closed` nobody who is bound to a candidate.
        grants: the program's rights, of the letters S, I, U and D.
        key: what follows `tenant_id` in the primary key.
        candidate_column: what the range of a `candidate` table is compared with.
        update_only: with U, the only columns that may change.

    Raises `UnsafeTableError` for a key that another tenant's row could answer.
    """
    _create(name, "tenant_id", key, items, kind)
    policy(name, "tenant", using=TENANT, check=TENANT)
    if kind != "shared":
        bound = WHOLE_RANGE if kind == "closed" else in_range(candidate_column)
        op.execute(
            f"CREATE POLICY {kind} ON {name} AS RESTRICTIVE USING ({bound}) WITH CHECK ({bound})"
        )
    grant(name, grants, update_only)


def agency_table(
    name: str,
    *items: SchemaItem,
    grants: str,
    key: Sequence[str] = ("id",),
    update_only: Sequence[str] = (),
    id_is_global: bool = False,
) -> None:
    """Create a table of a realm's agency plane; arguments as `tenant_table`.

    With `id_is_global` the id is unique over all realms as well: for what is looked up before
    the realm is known.
    """
    if id_is_global:
        items = (*items, sa.UniqueConstraint("id"))
    _create(name, "realm_id", key, items, "agency", unless_on="id" if id_is_global else None)
    policy(name, "agency", using=AGENCY, check=AGENCY)
    grant(name, grants, update_only)


def own_table(name: str, *items: SchemaItem, grants: str, update_only: Sequence[str] = ()) -> None:
    """Create a table with policies of its own: nobody sees a row until `policy` is called."""
    op.create_table(name, *items, comment="flatbed:own")
    _protect(name)
    grant(name, grants, update_only)


def policy(
    table: str,
    name: str,
    command: Command | None = None,
    *,
    using: str | None = None,
    check: str | None = None,
) -> None:
    """Add a permissive policy, for all commands unless one is named."""
    parts = [f"CREATE POLICY {name} ON {table} FOR {command or 'ALL'}"]
    parts += [f"USING ({using})"] if using else []
    parts += [f"WITH CHECK ({check})"] if check else []
    op.execute(" ".join(parts))


def drop_policy(table: str, name: str) -> None:
    """Take a policy of `policy` away again."""
    op.execute(f"DROP POLICY {name} ON {table}")


def grant(table: str, letters: str, update_only: Sequence[str] = ()) -> None:
    """Grant the program the rights of these letters; updates of the named columns only, if any."""
    unknown = set(letters) - set(_RIGHTS)
    if unknown or (update_only and "U" not in letters):
        raise UnsafeTableError(f"{table}: grants {letters!r} with {update_only!r}")
    rights = [_RIGHTS[letter] for letter in letters]
    if update_only:
        rights[letters.index("U")] = f"UPDATE ({', '.join(update_only)})"
    op.execute(f"GRANT {', '.join(rights)} ON {table} TO {APP}")


def make_append_only() -> None:
    """Create the function behind `append_only`."""
    op.execute(
        f"CREATE FUNCTION {_DENY}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog"
        " AS $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME"
        " USING ERRCODE = 'insufficient_privilege'; END $$"
    )
    op.execute(f"REVOKE ALL ON FUNCTION {_DENY}() FROM PUBLIC")


def drop_append_only() -> None:
    """Drop that function."""
    op.execute(f"DROP FUNCTION {_DENY}()")


def append_only(*tables: str) -> None:
    """Refuse any change of existing rows, the owner's too.

    An extra beside the missing grants: no rule rests on it, since Citus has no such triggers.
    """
    for table in tables:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {_DENY}()"
        )


def drop_tables(*tables: str) -> None:
    """Drop tables in the given order."""
    for table in tables:
        op.drop_table(table)


@contextmanager
def without_force(*tables: str) -> Iterator[None]:
    """Let the owner see all rows of the tables for a backfill, and force row security again.

    Both happen in the migration's transaction, so no other session ever meets the tables open;
    an exception rolls everything back.
    """
    for table in tables:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    yield
    for table in tables:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _create(
    name: str,
    leader: str,
    key: Sequence[str],
    items: Sequence[SchemaItem],
    kind: str,
    *,
    unless_on: str | None = None,
) -> None:
    columns = [sa.Column(leader, sa.Uuid(), nullable=False)]
    columns += [sa.Column("id", sa.Uuid(), nullable=False)] if "id" in key else []
    table = op.create_table(
        name, *columns, *items, sa.PrimaryKeyConstraint(leader, *key), comment=f"flatbed:{kind}"
    )
    # Looked at once made, where names are resolved; raising rolls the migration back.
    for lead, what in _leads(table):
        if lead not in {leader, unless_on}:
            raise UnsafeTableError(f"{name}: {what} does not lead with {leader}")
    _protect(name)


def _leads(table: Table) -> Iterator[tuple[str, str]]:
    """The first column of each key, exclusion and unique index, at the parent's end too."""
    for constraint in table.constraints:
        if isinstance(constraint, sa.ForeignKeyConstraint):
            first = constraint.elements[0]
            yield constraint.column_keys[0], f"the foreign key {constraint.column_keys}"
            if first.target_fullname.split(".")[-1] != constraint.column_keys[0] and (
                first.target_fullname != "realm.id"
            ):
                yield first.target_fullname, f"the parent of {constraint.column_keys}"
        elif isinstance(constraint, sa.schema.ColumnCollectionConstraint) and not isinstance(
            constraint, sa.CheckConstraint
        ):
            names = [str(column.name) for column in constraint.columns] or [str(constraint.name)]
            yield names[0], f"the key {names}"
    for index in table.indexes:
        if index.unique:
            names = [str(getattr(part, "name", part)) for part in index.expressions]
            yield names[0], f"the unique index {index.name}"


def _protect(name: str) -> None:
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
