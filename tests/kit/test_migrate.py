"""The migration runner, on databases and migrations of its own."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError

from flatbed.tenants.kit.database import migrate
from flatbed.tenants.kit.database.urls import Plain, connect, with_database
from tests.support.postgres import TestDatabase

FIRST = """
from alembic import op

revision = "{revision}"
down_revision = {after!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    {up}


def downgrade() -> None:
    {down}
"""
LIMITS = ("lock_timeout", "statement_timeout", "row_security")


class Migrations:
    """A folder of migrations that a test writes itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._last: str | None = None

    def add(self, revision: str, up: str, down: str = "pass") -> None:
        text = FIRST.format(revision=revision, after=self._last, up=up, down=down)
        (self.folder / "versions" / f"{revision}.py").write_text(text)
        self._last = revision


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Migrations:
    shutil.copy(migrate.directory() / "env.py", tmp_path)
    (tmp_path / "versions").mkdir()
    monkeypatch.setenv("FLATBED_MIGRATIONS", str(tmp_path))
    return Migrations(tmp_path)


@pytest_asyncio.fixture
async def empty(database: TestDatabase, admin_connection: Plain) -> AsyncIterator[str]:
    """The owner's address of a database without tables."""
    name = f"flatbed_migrate_{secrets.token_hex(4)}"
    await admin_connection.execute(
        f"CREATE DATABASE {name} OWNER flatbed_owner TEMPLATE template0 ENCODING 'UTF8'"
    )
    yield with_database(database.owner_url, name)
    await admin_connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def fetch(url: str, query: str) -> list[tuple[object, ...]]:
    connection = await connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


class TestUpgrade:
    async def test_every_migration_runs_with_the_limits_of_a_busy_table(
        self, migrations: Migrations, empty: str
    ) -> None:
        shown = ", ".join(f"current_setting('{name}') AS {name}" for name in LIMITS)
        migrations.add("1", f'op.execute("CREATE TABLE one AS SELECT {shown}")')
        migrations.add("2", f'op.execute("CREATE TABLE two AS SELECT {shown}")')
        await migrate.upgrade(empty)
        for table in ("one", "two"):
            assert await fetch(empty, f"SELECT * FROM {table}") == [("3s", "1min", "off")]

    async def test_a_statement_that_row_security_would_empty_fails_and_changes_nothing(
        self, migrations: Migrations, empty: str
    ) -> None:
        migrations.add(
            "1",
            'op.execute("CREATE TABLE thing AS SELECT 1 AS id");'
            'op.execute("ALTER TABLE thing ENABLE ROW LEVEL SECURITY");'
            'op.execute("ALTER TABLE thing FORCE ROW LEVEL SECURITY")',
        )
        migrations.add("2", 'op.execute("UPDATE thing SET id = 2")')
        with pytest.raises(DBAPIError, match="row-level security"):
            await migrate.upgrade(empty)
        assert await migrate.current(empty) == "1"

    async def test_a_failed_migration_leaves_those_before_it_and_nothing_of_itself(
        self, migrations: Migrations, empty: str
    ) -> None:
        migrations.add("1", 'op.execute("CREATE TABLE one ()")')
        migrations.add("2", 'op.execute("CREATE TABLE two ()"); op.execute("SELECT 1 / 0")')
        with pytest.raises(DBAPIError, match="division by zero"):
            await migrate.upgrade(empty)
        assert await migrate.current(empty) == "1"
        found = await fetch(empty, "SELECT to_regclass('one')::text, to_regclass('two')::text")
        assert found == [("one", None)]

    async def test_programs_that_migrate_at_once_wait_for_each_other(
        self, migrations: Migrations, empty: str
    ) -> None:
        migrations.add("1", 'op.execute("CREATE TABLE one ()")')
        # Alembic's context is one per process: the second program is played by its lock alone.
        other = await connect(empty)
        await other.execute(f"SELECT pg_advisory_lock({migrate.LOCK})")
        running = asyncio.create_task(migrate.upgrade(empty))
        await asyncio.sleep(0.3)
        assert not running.done()
        assert await migrate.current(empty) is None
        await other.close()
        await running
        assert await migrate.current(empty) == "1"

    async def test_a_second_time_does_nothing(self, migrations: Migrations, empty: str) -> None:
        migrations.add("1", 'op.execute("CREATE TABLE one ()")')
        await migrate.upgrade(empty)
        await migrate.upgrade(empty)
        assert await migrate.current(empty) == "1"

    async def test_the_app_role_may_read_the_revision(
        self, migrations: Migrations, empty: str
    ) -> None:
        migrations.add("1", "pass")
        await migrate.upgrade(empty)
        found = await fetch(
            empty,
            "SELECT has_table_privilege('flatbed_app', 'alembic_version', 'SELECT'),"
            " has_table_privilege('flatbed_app', 'alembic_version', 'UPDATE')",
        )
        assert found == [(True, False)]


class TestDowngrade:
    async def test_down_to_base_undoes_each_migration(
        self, migrations: Migrations, empty: str
    ) -> None:
        migrations.add("1", 'op.execute("CREATE TABLE one ()")', 'op.execute("DROP TABLE one")')
        await migrate.upgrade(empty)
        await migrate.downgrade(empty, "base")
        assert await migrate.current(empty) is None
        assert await fetch(empty, "SELECT to_regclass('one')::text") == [(None,)]
