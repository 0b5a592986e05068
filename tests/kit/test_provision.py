"""Roles and databases on a real server, by a superuser and by a lesser administrator."""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from flatbed.tenants.kit.database.provision import (
    APP,
    BACKUP,
    OWNER,
    ProvisionError,
    provision,
)
from flatbed.tenants.kit.database.urls import Plain, connect, with_database, with_login
from flatbed.tenants.kit.embedded.server import EmbeddedPostgres
from tests.support.postgres import ADMIN_URL, passwords

ATTRIBUTES = (
    "SELECT rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,"
    " rolbypassrls FROM pg_roles WHERE rolname = $1"
)


@dataclass(frozen=True)
class Place:
    """A database name of our own on a server whose roles no other test uses meanwhile."""

    admin_url: str
    name: str
    passwords: dict[str, str]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of our own: these tests change roles, which all databases of a server share.

    The one of FLATBED_TEST_ADMIN_URL serves when no other process uses it (`pytest -n0`).
    """
    given = os.environ.get(ADMIN_URL)
    if given and "PYTEST_XDIST_WORKER" not in os.environ:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="provision-"))
    folder.chmod(0o711)
    postgres = EmbeddedPostgres(folder / "server", durable=False)
    try:
        yield postgres.start().url()
    finally:
        postgres.destroy()
        folder.rmdir()


@pytest_asyncio.fixture
async def admin(server: str) -> AsyncIterator[Plain]:
    connection = await connect(server)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def place(server: str, admin: Plain) -> AsyncIterator[Place]:
    name = f"flatbed_provision_{secrets.token_hex(4)}"
    yield Place(server, name, passwords(server))
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest_asyncio.fixture
async def lesser(server: str, admin: Plain) -> AsyncIterator[str]:
    """An administrator who may make roles and databases but is no superuser."""
    try:
        await admin.execute(f"DROP ROLE IF EXISTS {OWNER}, {APP}, {BACKUP}")
    except asyncpg.DependentObjectsStillExistError:
        pytest.skip("this server's roles are in use")
    await admin.execute("CREATE ROLE lesser LOGIN CREATEROLE CREATEDB PASSWORD 'lesser'")
    yield with_login(server, "lesser", "lesser")
    for row in await admin.fetch("SELECT datname FROM pg_database WHERE datname ~ '_lesser$'"):
        await admin.execute(f"DROP DATABASE {row['datname']} WITH (FORCE)")
    await admin.execute(f"DROP ROLE IF EXISTS {OWNER}, {APP}, {BACKUP}, lesser")


async def fetch(url: str, query: str) -> object:
    connection = await connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def run(url: str, statements: str) -> None:
    connection = await connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


class TestProvision:
    async def test_three_roles_sign_in_and_each_has_its_own_rights(
        self, place: Place, admin: Plain
    ) -> None:
        made = await provision(place.admin_url, place.name, passwords=place.passwords)
        assert made.notes == ()
        assert made.backup_url is not None
        for url, role in ((made.owner_url, OWNER), (made.app_url, APP), (made.backup_url, BACKUP)):
            assert await fetch(url, "SELECT current_user") == role
            assert await fetch(url, "SELECT current_database()") == place.name
        found = {
            role: tuple(await admin.fetchrow(ATTRIBUTES, role) or ())
            for role in (OWNER, APP, BACKUP)
        }
        login_only = (False, False, False, False, True, False, False)
        assert found == {
            OWNER: (False, True, False, False, True, False, False),
            APP: login_only,
            BACKUP: (False, False, False, False, True, False, True),
        }

    async def test_the_app_role_can_make_nothing_and_reads_only_what_it_is_granted(
        self, place: Place
    ) -> None:
        made = await provision(place.admin_url, place.name, passwords=place.passwords)
        await fetch(made.owner_url, "CREATE TABLE thing (id int)")
        for forbidden in (
            "CREATE TABLE mine (id int)",
            "CREATE TEMP TABLE mine (id int)",
            "CREATE SCHEMA mine",
            "SELECT count(*) FROM thing",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await fetch(made.app_url, forbidden)

    async def test_the_backup_role_reads_past_row_security_and_writes_nothing(
        self, place: Place
    ) -> None:
        made = await provision(place.admin_url, place.name, passwords=place.passwords)
        assert made.backup_url is not None
        await run(
            made.owner_url,
            "CREATE TABLE thing AS SELECT 1 AS id; ALTER TABLE thing ENABLE ROW LEVEL SECURITY;"
            " ALTER TABLE thing FORCE ROW LEVEL SECURITY",
        )
        assert await fetch(made.owner_url, "SELECT count(*) FROM thing") == 0
        assert await fetch(made.backup_url, "SELECT count(*) FROM thing") == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await fetch(made.backup_url, "DELETE FROM thing")

    async def test_nobody_else_may_connect(self, place: Place, admin: Plain) -> None:
        await provision(place.admin_url, place.name, passwords=place.passwords)
        stranger = f"stranger_{secrets.token_hex(4)}"
        await admin.execute(f"CREATE ROLE {stranger} LOGIN PASSWORD 'x'")
        try:
            url = with_login(with_database(place.admin_url, place.name), stranger, "x")
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="CONNECT"):
                await fetch(url, "SELECT 1")
        finally:
            await admin.execute(f"DROP ROLE {stranger}")

    async def test_a_second_time_repairs_and_keeps_the_data(
        self, place: Place, admin: Plain
    ) -> None:
        first = await provision(place.admin_url, place.name, passwords=place.passwords)
        await fetch(first.owner_url, "CREATE TABLE kept AS SELECT 42 AS answer")
        await admin.execute(f"ALTER ROLE {APP} INHERIT CREATEDB")
        await admin.execute(f"GRANT {OWNER} TO {APP}")
        await admin.execute(f"GRANT TEMP ON DATABASE {place.name} TO PUBLIC")
        second = await provision(place.admin_url, place.name, passwords=place.passwords)
        assert second == first
        assert await fetch(second.owner_url, "SELECT answer FROM kept") == 42
        facts = await admin.fetchrow(ATTRIBUTES, APP)
        assert facts is not None
        assert not facts["rolinherit"]
        assert not facts["rolcreatedb"]
        assert not await admin.fetchval(
            "SELECT count(*) FROM pg_auth_members WHERE member = to_regrole($1)", APP
        )
        assert not await admin.fetchval(
            "SELECT has_database_privilege($1, $2, 'TEMP')", APP, place.name
        )

    async def test_a_role_that_is_not_named_gets_a_new_password(self, place: Place) -> None:
        made = await provision(
            place.admin_url, place.name, passwords={OWNER: "owner-key", APP: "app-key"}
        )
        assert made.backup_url is not None
        assert await fetch(made.backup_url, "SELECT 1") == 1
        again = await provision(place.admin_url, place.name, passwords=place.passwords)
        assert await fetch(again.app_url, "SELECT 1") == 1
        for old in (made.app_url, made.backup_url):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await fetch(old, "SELECT 1")

    async def test_a_password_that_needs_normalising_is_refused(self, place: Place) -> None:
        with pytest.raises(ProvisionError, match="printable ASCII"):
            await provision(place.admin_url, place.name, passwords={OWNER: "Schlüssel"})


class TestProvisionByALesserAdministrator:
    """Managed servers give nobody a superuser."""

    async def test_owner_and_app_are_made_and_the_missing_backup_role_is_noted(
        self, lesser: str, place: Place, admin: Plain
    ) -> None:
        name = f"{place.name}_lesser"
        made = await provision(lesser, name)
        assert made.backup_url is None
        assert "flatbed_backup was not made" in made.notes[0]
        await run(made.owner_url, "CREATE TABLE thing (id int); CREATE EXTENSION btree_gist")
        assert await fetch(made.app_url, "SELECT current_user") == APP
        assert not await admin.fetchval("SELECT pg_has_role('lesser', $1, 'USAGE')", OWNER)
        again = await provision(lesser, name)
        assert await fetch(again.owner_url, "SELECT count(*) FROM thing") == 0
        complete = await provision(place.admin_url, name)
        assert complete.notes == ()
        assert complete.backup_url is not None
        assert await fetch(complete.backup_url, "SELECT count(*) FROM thing") == 0

    async def test_one_who_may_not_change_the_roles_is_told_so(
        self, lesser: str, place: Place, admin: Plain
    ) -> None:
        await admin.execute("ALTER ROLE lesser NOCREATEROLE")
        with pytest.raises(ProvisionError, match="may not make or change the role flatbed_owner"):
            await provision(lesser, f"{place.name}_lesser")
