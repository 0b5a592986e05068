"""The migrations make what the models say, can be undone, and refuse a table that is not safe."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
import sqlalchemy as sa
from alembic import op
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from flatbed.app.campaigns.exclusions.names import name_key
from flatbed.app.tables import metadata
from flatbed.tenants.kit.database import migrate, schema
from flatbed.tenants.kit.database.provision import OWNER
from flatbed.tenants.kit.database.urls import connect, for_sqlalchemy, with_database
from flatbed.tenants.kit.ids import uuid7
from tests.support.postgres import TestDatabase

COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid), obj_description(c.oid, 'pg_class')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
AND NOT a.attisdropped AND c.relname <> 'alembic_version' AND NOT starts_with(c.relname, 'pgq')
"""
CONSTRAINTS = """
SELECT c.relname, conname, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid
WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
AND c.relname <> 'alembic_version' AND NOT starts_with(c.relname, 'pgq')
"""
INDEXES = """
SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
AND tablename <> 'alembic_version' AND NOT starts_with(tablename, 'pgq')
"""
LEFTOVERS = """
SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace
AND relname NOT IN ('alembic_version', 'alembic_version_pkc')
AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e')
UNION ALL
SELECT proname FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
UNION ALL
SELECT typname FROM pg_type t WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
"""


async def shape(url: str) -> dict[str, set[tuple[object, ...]]]:
    """Everything that tables are made of, as the server writes it."""
    connection = await connect(url)
    try:
        return {
            name: {tuple(row) for row in await connection.fetch(query)}
            for name, query in (
                ("columns", COLUMNS),
                ("constraints", CONSTRAINTS),
                ("indexes", INDEXES),
            )
        }
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def empty(database: TestDatabase) -> AsyncIterator[str]:
    """The owner's address of a database without anything in it."""
    admin = await connect(database.admin_url)
    name = f"empty_{await admin.fetchval('SELECT current_database()')}"
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template0")
    yield with_database(database.owner_url, name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def as_owner(url: str, work: Callable[[Connection], None]) -> None:
    engine = create_async_engine(for_sqlalchemy(url), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(work)


class TestMigrations:
    async def test_the_models_make_the_same_tables_keys_checks_and_indexes(
        self, database: TestDatabase, empty: str
    ) -> None:
        def make(connection: Connection) -> None:
            connection.exec_driver_sql("CREATE EXTENSION btree_gist")
            metadata.create_all(connection)

        await as_owner(empty, make)
        modelled, migrated = await shape(empty), await shape(database.owner_url)
        for part, expected in migrated.items():
            assert len(expected) > len(metadata.tables) > 0
            assert modelled[part] == expected

    async def test_alembic_finds_no_difference(self, database: TestDatabase) -> None:
        await migrate.check(database.owner_url)

    async def test_up_down_up_leaves_nothing_behind_and_arrives_at_the_same_place(
        self, database: TestDatabase, empty: str
    ) -> None:
        await migrate.upgrade(empty)
        await migrate.downgrade(empty, "base")
        connection = await connect(empty)
        left = await connection.fetch(LEFTOVERS)
        await connection.close()
        assert [row[0] for row in left] == []
        await migrate.upgrade(empty)
        assert await migrate.current(empty) == migrate.head()
        assert await shape(empty) == await shape(database.owner_url)


TENANT, REALM = uuid7(), uuid7()
PLACED = """
INSERT INTO tenant_company (tenant_id, id, name, domain, created_at, updated_at)
SELECT $1, gen_random_uuid(), 'Müller & Söhne GmbH ' || n, n || '.example', now(), now()
FROM generate_series(1, $3::int) AS n;
"""
CARDS = """
INSERT INTO candidate_card (realm_id, tenant_id, candidate_id, campaign_id, campaign_name,
                            company_name, stage, status, due_at, updated_at)
SELECT $2, $1, md5(n::text)::uuid, md5('c')::uuid, 'C', 'Co', 'identified', 'active',
       CASE WHEN n % 2 = 0 THEN now() END, now()
FROM generate_series(1, 6) AS n
"""
ASSIGNED = """
INSERT INTO assignment (realm_id, id, kind, staff_id, tenant_id, campaign_id, candidate_id,
                        started_at, ended_at)
SELECT $2, gen_random_uuid(), 'candidate', md5('s' || n)::uuid, $1, md5('c')::uuid,
       md5(n::text)::uuid, now(), CASE WHEN n = 3 THEN now() END
FROM generate_series(1, 3) AS n
"""
SHOWN = """
SELECT candidate_id, staff_id, due_at, queue_at FROM candidate_card ORDER BY candidate_id
"""


class TestScale:
    async def test_rows_that_are_there_get_what_the_largest_tenants_reads_need(
        self, empty: str, database: TestDatabase
    ) -> None:
        """More companies than one batch; hunters of live assignments only."""
        await migrate.upgrade(empty, "0009")
        admin = await connect(with_database(database.admin_url, empty.rsplit("/", 1)[1]))
        try:
            await admin.execute("SET session_replication_role = replica")
            await admin.execute(PLACED.replace("$1", f"'{TENANT}'").replace("$3", "10050"))
            for statement in (CARDS, ASSIGNED):
                filled = statement.replace("$1", f"'{TENANT}'").replace("$2", f"'{REALM}'")
                await admin.execute(filled)
            cards = "SELECT * FROM candidate_card ORDER BY candidate_id"
            before = [dict(row) for row in await admin.fetch(cards)]
            for _ in range(2):
                await migrate.upgrade(empty, "0010")
                named = await admin.fetch("SELECT name, name_key FROM tenant_company")
                assert len(named) == 10_050
                assert all(row["name_key"] == name_key(row["name"]) for row in named)
                hunted = {
                    row[0]: row[1]
                    for row in await admin.fetch(
                        "SELECT candidate_id, staff_id FROM assignment WHERE ended_at IS NULL"
                    )
                }
                shown = await admin.fetch(SHOWN)
                assert len(hunted) == 2
                assert len(shown) == 6
                assert {row[0]: row[1] for row in shown if row[1]} == hunted
                assert {row["queue_at"].year for row in shown if row["due_at"] is None} == {9999}
                assert all(row["queue_at"] == row["due_at"] for row in shown if row["due_at"])
                forced = "SELECT relforcerowsecurity FROM pg_class WHERE relname = $1"
                for table in ("tenant_company", "candidate_card", "assignment"):
                    assert await admin.fetchval(forced, table)
                await migrate.downgrade(empty, "0009")
                assert [dict(row) for row in await admin.fetch(cards)] == before
        finally:
            await admin.close()


class TestKeyRotation:
    async def test_a_retired_key_loses_its_private_part_and_another_keeps_it(
        self, empty: str, database: TestDatabase
    ) -> None:
        await migrate.upgrade(empty, "0016")
        admin = await connect(with_database(database.admin_url, empty.rsplit("/", 1)[1]))
        boxes = "SELECT state, private_box FROM signing_key ORDER BY state"
        try:
            await admin.execute(
                "INSERT INTO signing_key (kid, public_jwk, private_box, state, created_at)"
                " SELECT state, '{}', 'box', state, now()"
                " FROM unnest(ARRAY['active', 'retired']) AS state"
            )
            for _ in range(2):
                await migrate.upgrade(empty, "0017")
                found = [tuple(row) for row in await admin.fetch(boxes)]
                assert found == [("active", b"box"), ("retired", None)]
                forced = "SELECT relforcerowsecurity FROM pg_class WHERE relname = 'signing_key'"
                assert await admin.fetchval(forced)
                await migrate.downgrade(empty, "0016")
                found = [tuple(row) for row in await admin.fetch(boxes)]
                assert found == [("active", b"box"), ("retired", b"")]
        finally:
            await admin.close()


@pytest_asyncio.fixture
async def owner(database: TestDatabase) -> AsyncIterator[AsyncConnection]:
    """The owner's connection in a transaction that is rolled back."""
    engine = create_async_engine(for_sqlalchemy(database.owner_url), poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection
        await connection.rollback()


async def migrating(owner: AsyncConnection, work: Callable[[], object]) -> None:
    def run(connection: Connection) -> None:
        with Operations.context(MigrationContext.configure(connection)):
            work()

    await owner.run_sync(run)


class TestTenantTable:
    @pytest.mark.parametrize(
        "item",
        [
            lambda: sa.UniqueConstraint("code"),
            lambda: sa.UniqueConstraint("code", "tenant_id"),
            lambda: sa.Column("slug", sa.Text, unique=True),
            lambda: sa.Index("t_code_idx", "code", unique=True),
            lambda: sa.Index("t_lower_idx", sa.text("lower(code)"), unique=True),
            lambda: sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"]),
            lambda: sa.Column("ref", sa.Uuid, sa.ForeignKey("campaign.id")),
            lambda: sa.ForeignKeyConstraint(
                ["tenant_id", "campaign_id"], ["campaign.id", "campaign.tenant_id"]
            ),
        ],
        ids=[
            "unique",
            "unique_tenant_second",
            "unique_column",
            "unique_index",
            "unique_expression",
            "simple_foreign_key",
            "foreign_key_of_a_column",
            "crossed_foreign_key",
        ],
    )
    async def test_a_key_that_does_not_lead_with_the_tenant_is_refused(
        self, owner: AsyncConnection, item: Callable[[], sa.schema.SchemaItem]
    ) -> None:
        # PostgreSQL itself refuses some of the foreign keys, which is as good.
        with pytest.raises((schema.UnsafeTableError, sa.exc.ProgrammingError)):
            await migrating(
                owner,
                lambda: schema.tenant_table(
                    "t",
                    sa.Column("code", sa.Text),
                    sa.Column("campaign_id", sa.Uuid),
                    item(),
                    kind="shared",
                    grants="S",
                ),
            )

    @pytest.mark.parametrize("grants", ["SX", "SELECT"])
    async def test_rights_beyond_the_four_are_refused(
        self, owner: AsyncConnection, grants: str
    ) -> None:
        with pytest.raises(schema.UnsafeTableError):
            await migrating(owner, lambda: schema.tenant_table("t", kind="closed", grants=grants))

    async def test_a_table_made_plainly_is_protected(self, owner: AsyncConnection) -> None:
        await migrating(owner, lambda: schema.tenant_table("t", kind="closed", grants="S"))
        row = await owner.execute(
            sa.text(
                "SELECT relrowsecurity, relforcerowsecurity,"
                " (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid)"
                " FROM pg_class c WHERE relname = 't'"
            )
        )
        assert tuple(row.one()) == (True, True, 2)


class TestWithoutForce:
    async def test_the_owner_sees_rows_inside_and_none_after(self, owner: AsyncConnection) -> None:
        insert = "INSERT INTO audit_head VALUES (gen_random_uuid(), 1, '')"
        count = sa.text("SELECT count(*) FROM audit_head")
        seen: list[int] = []

        def backfill() -> None:
            with schema.without_force("audit_head"):
                connection = op.get_bind()
                connection.exec_driver_sql(insert)
                seen.append(connection.execute(count).scalar_one())

        await migrating(owner, backfill)
        assert seen[0] > 0
        assert (await owner.execute(count)).scalar_one() == 0
