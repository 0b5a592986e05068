"""A PostgreSQL for one run of the suite: made by the first test that asks, gone at its end.

All processes of a run (pytest-xdist) share a folder. Whoever asks first starts an embedded server
there, or takes the one of FLATBED_TEST_ADMIN_URL, and migrates a template; each process works on
a copy of its own.
"""

import asyncio
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from flatbed.tenants.kit.database.migrate import upgrade
from flatbed.tenants.kit.database.provision import (
    APP,
    BACKUP,
    OWNER,
    close_database,
    provision,
    quoted,
)
from flatbed.tenants.kit.database.urls import connect, for_sqlalchemy, with_database, with_login
from flatbed.tenants.kit.embedded.errors import EmbeddedPostgresError
from flatbed.tenants.kit.embedded.locks import FileLock
from flatbed.tenants.kit.embedded.server import EmbeddedPostgres

ADMIN_URL = "FLATBED_TEST_ADMIN_URL"
TEMPLATE = "FLATBED_TEST_TEMPLATE"
"""Names a migrated database on the server of `ADMIN_URL` to copy from; absent: one is made."""
PREFIX = "flatbed-test-"
_NEWBORN_SECONDS = 30
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TestDatabase:
    """One process's database by role, as `postgresql://…` (asyncpg, the program's settings)."""

    __test__ = False

    app_url: str
    owner_url: str
    admin_url: str
    backup_url: str

    @property
    def sqlalchemy_app_url(self) -> str:
        """The same as `postgresql+asyncpg://…`."""
        return for_sqlalchemy(self.app_url).render_as_string(hide_password=False)

    @property
    def sqlalchemy_owner_url(self) -> str:
        """The same as `postgresql+asyncpg://…`."""
        return for_sqlalchemy(self.owner_url).render_as_string(hide_password=False)


class Suite:
    """What the processes of one run share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FileLock(folder / "lock")
        self._alive = FileLock(folder / "alive")
        self._server = EmbeddedPostgres(folder / "server", durable=False)
        self._state = folder / "state.json"

    @classmethod
    def begin(cls) -> "Suite":
        """Make the folder of a run, after removing those of runs that were killed."""
        for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            _sweep(left)
        suite = cls(Path(tempfile.mkdtemp(prefix=PREFIX)))
        suite.folder.chmod(0o711)  # the server's user passes through when we are root
        suite._alive.share()
        return suite

    def database(self, process: str) -> TestDatabase:
        """Return a fresh copy of the template for a process (`gw0`, `main`, `gw0_own`)."""
        return _in_thread(self._copy(self._admin_url(), self._name(process)))

    def drop(self, process: str) -> None:
        """Remove that copy."""
        _in_thread(self._drop(self._admin_url(), [self._name(process)]))

    def end(self) -> None:
        """Remove everything that this run made."""
        try:
            state = self._read()
            if state is not None and state["external"]:
                _in_thread(self._drop(str(state["admin_url"]), None))
            self._server.destroy()
        finally:
            self._alive.release()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _name(self, process: str) -> str:
        return f"{self.folder.name.replace('-', '_')}_{process}"

    def _admin_url(self) -> str:
        with self._lock.alone():
            state = self._read()
            if state is not None and state["ready"]:
                return str(state["admin_url"])
            external = os.environ.get(ADMIN_URL)
            url = external or self._server.start().url()
            # Written before the first database is made, so that a killed run can be swept up.
            self._write({"admin_url": url, "external": bool(external), "ready": False})
            _in_thread(self._make_template(url))
            self._write({"admin_url": url, "external": bool(external), "ready": True})
            return url

    def _read(self) -> dict[str, str | bool] | None:
        try:
            found: dict[str, str | bool] = json.loads(self._state.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return found

    def _write(self, state: dict[str, str | bool]) -> None:
        fresh = self._state.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(state), encoding="utf-8")
        fresh.replace(self._state)

    async def _make_template(self, admin_url: str) -> None:
        if TEMPLATE in os.environ:
            return
        made = await provision(admin_url, self._name("template"), passwords=passwords(admin_url))
        await upgrade(made.owner_url)

    async def _copy(self, admin_url: str, name: str) -> TestDatabase:
        server = await connect(with_database(admin_url, "postgres"))
        try:
            await server.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")
            await server.execute(
                f"CREATE DATABASE {quoted(name)} OWNER {OWNER}"
                f" TEMPLATE {quoted(os.environ.get(TEMPLATE) or self._name('template'))}"
            )
            await close_database(server, name)
        finally:
            await server.close()
        keys = passwords(admin_url)
        admin = with_database(admin_url, name)
        return TestDatabase(
            app_url=with_login(admin, APP, keys[APP]),
            owner_url=with_login(admin, OWNER, keys[OWNER]),
            admin_url=admin,
            backup_url=with_login(admin, BACKUP, keys[BACKUP]),
        )

    async def _drop(self, admin_url: str, names: list[str] | None) -> None:
        server = await connect(with_database(admin_url, "postgres"))
        try:
            if names is None:
                found = await server.fetch(
                    "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", self._name("")
                )
                names = [row["datname"] for row in found]
            for name in names:
                await server.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")
        finally:
            await server.close()


def passwords(admin_url: str) -> dict[str, str]:
    """Return the passwords of the roles on this server."""
    # The roles are the server's: runs that share one must agree.
    return {
        role: hashlib.sha256(f"{role} {admin_url}".encode()).hexdigest()[:32]
        for role in (OWNER, APP, BACKUP)
    }


def _sweep(folder: Path) -> None:
    """Remove what a killed run left; a run that is going on holds its lock."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return  # its own run has just removed it
    newborn = time.time() - found.st_mtime < _NEWBORN_SECONDS  # may not hold its lock yet
    if newborn or found.st_uid != os.geteuid() or not (folder / "alive").exists():
        return
    alive = FileLock(folder / "alive")
    if alive.try_alone():
        try:
            with suppress(OSError, asyncpg.PostgresError, EmbeddedPostgresError):
                Suite(folder).end()
        finally:
            alive.release()


def _in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run it on a loop of its own: pytest-asyncio's is left alone."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
