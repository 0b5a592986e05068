"""Start-up refusals against a real server."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flatbed.tenants.kit.database import guard
from flatbed.tenants.kit.database.guard import (
    UnsafeRoleError,
    migrations_suffice,
    refuse_unsafe_role,
    takes_writes,
)
from flatbed.tenants.kit.database.migrate import head
from flatbed.tenants.kit.database.urls import Plain, connect, with_login
from flatbed.tenants.kit.embedded.home import settle
from flatbed.tenants.kit.embedded.server import EmbeddedPostgres
from tests.support.postgres import TestDatabase


class TestRefuseUnsafeRole:
    async def test_the_program_starts_as_the_app_role(self, database: TestDatabase) -> None:
        connection = await connect(database.app_url)
        try:
            assert await connection.fetchval("SELECT current_user") == "flatbed_app"
            await refuse_unsafe_role(connection)
        finally:
            await connection.close()

    async def test_the_program_refuses_to_start_as_a_superuser(
        self, admin_connection: Plain
    ) -> None:
        with pytest.raises(UnsafeRoleError, match="is a superuser"):
            await refuse_unsafe_role(admin_connection)

    async def test_a_superuser_who_became_the_app_role_is_refused_too(
        self, admin_connection: Plain
    ) -> None:
        await admin_connection.execute("SET ROLE flatbed_app")
        with pytest.raises(UnsafeRoleError, match="is a superuser"):
            await refuse_unsafe_role(admin_connection)

    async def test_the_program_refuses_to_start_as_the_owner(self, owner_connection: Plain) -> None:
        with pytest.raises(UnsafeRoleError, match="flatbed_owner owns tables or the database"):
            await refuse_unsafe_role(owner_connection)

    async def test_the_program_refuses_to_start_as_the_backup_role(
        self, database: TestDatabase
    ) -> None:
        connection = await connect(database.backup_url)
        try:
            with pytest.raises(UnsafeRoleError, match="BYPASSRLS"):
                await refuse_unsafe_role(connection)
        finally:
            await connection.close()

    @pytest.mark.parametrize(
        ("attribute", "reason"),
        [
            ("BYPASSRLS", "has BYPASSRLS"),
            ("CREATEROLE", "has CREATEROLE"),
            ("REPLICATION", "has REPLICATION"),
            ("IN ROLE pg_read_all_data", "is a member of another role"),
        ],
    )
    async def test_a_role_that_can_get_past_row_security_is_refused(
        self, admin_connection: Plain, database: TestDatabase, attribute: str, reason: str
    ) -> None:
        role = f"unsafe_{secrets.token_hex(4)}"
        await admin_connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x' {attribute}")
        name = await admin_connection.fetchval("SELECT current_database()")
        await admin_connection.execute(f"GRANT CONNECT ON DATABASE {name} TO {role}")
        try:
            connection = await connect(with_login(database.admin_url, role, "x"))
            try:
                with pytest.raises(UnsafeRoleError, match=reason):
                    await refuse_unsafe_role(connection)
            finally:
                await connection.close()
        finally:
            await admin_connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")

    async def test_the_owner_of_a_single_table_is_refused(
        self, admin_connection: Plain, database: TestDatabase
    ) -> None:
        await admin_connection.execute("CREATE TABLE given_away ()")
        await admin_connection.execute("ALTER TABLE given_away OWNER TO flatbed_app")
        connection = await connect(database.app_url)
        try:
            with pytest.raises(UnsafeRoleError, match="flatbed_app owns tables"):
                await refuse_unsafe_role(connection)
        finally:
            await connection.close()
            await admin_connection.execute("DROP TABLE given_away")

    async def test_a_release_with_known_leaks_is_refused(
        self, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = await connect(database.app_url)
        try:
            number = int(await connection.fetchval("SHOW server_version_num"))
            major = number // 10000
            monkeypatch.setitem(guard.FIRST_SAFE, major, number + 1)
            with pytest.raises(UnsafeRoleError, match="known leaks past row security"):
                await refuse_unsafe_role(connection)
            monkeypatch.setitem(guard.FIRST_SAFE, major, number)
            await refuse_unsafe_role(connection)
        finally:
            await connection.close()

    def test_the_first_safe_releases_are_those_of_reliability_md(self) -> None:
        assert guard.FIRST_SAFE == {15: 150014, 16: 160010, 17: 170006}


class TestMigrationsSuffice:
    async def test_the_app_role_sees_that_the_schema_is_the_newest(
        self, database: TestDatabase
    ) -> None:
        connection = await connect(database.app_url)
        try:
            assert await migrations_suffice(connection)
        finally:
            await connection.close()

    async def test_a_newer_revision_than_the_program_knows_suffices(
        self, owner_connection: Plain
    ) -> None:
        """The next release migrates first; the processes that run serve until replaced."""
        async with _changed(owner_connection, "UPDATE alembic_version SET version_num = 'x'"):
            assert await migrations_suffice(owner_connection)

    async def test_an_older_revision_that_the_program_knows_does_not(
        self, owner_connection: Plain
    ) -> None:
        assert head() != "0010"
        for older in ("0001", "0010"):
            at = f"UPDATE alembic_version SET version_num = '{older}'"
            async with _changed(owner_connection, at):
                assert not await migrations_suffice(owner_connection)
                # Beside a branch that is newer, too.
                await owner_connection.execute("INSERT INTO alembic_version VALUES ('x')")
                assert not await migrations_suffice(owner_connection)

    @pytest.mark.parametrize("change", ["DROP TABLE", "DELETE FROM"])
    async def test_a_database_without_migrations_does_not(
        self, owner_connection: Plain, change: str
    ) -> None:
        async with _changed(owner_connection, f"{change} alembic_version"):
            assert not await migrations_suffice(owner_connection)


@pytest.fixture
def standby() -> Iterator[EmbeddedPostgres]:
    """A server in recovery without a primary, which answers and takes no writes."""
    # Named as the suite's own folder, which sweeps up what a killed run leaves.
    folder = Path(tempfile.mkdtemp(prefix="flatbed-test-"))
    folder.chmod(0o711)  # the server's user passes through when we are root
    server = EmbeddedPostgres(folder / "server", durable=False)
    try:
        server.start()
        server.stop()
        home = settle(folder / "server")
        home.account.write(home.data / "standby.signal", "")
        server.start()
        yield server
    finally:
        server.destroy()
        shutil.rmtree(folder, ignore_errors=True)


class TestTakesWrites:
    async def test_a_primary_does_and_a_standby_only_once_it_is_promoted(
        self, database: TestDatabase, standby: EmbeddedPostgres
    ) -> None:
        primary = await connect(database.app_url)
        connection = await connect(standby.admin_url())
        try:
            assert await takes_writes(primary)
            assert not await takes_writes(connection)
            assert await connection.fetchval("SELECT pg_promote()")
            async with asyncio.timeout(30):
                while not await takes_writes(connection):  # noqa: ASYNC110 - the server sets no event
                    await asyncio.sleep(0.05)
            await connection.execute("CREATE TABLE written ()")
        finally:
            await primary.close()
            await connection.close()


@asynccontextmanager
async def _changed(connection: Plain, statement: str) -> AsyncIterator[None]:
    change = connection.transaction()
    await change.start()
    try:
        await connection.execute(statement)
        yield
    finally:
        await change.rollback()
