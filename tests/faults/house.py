"""A deployment of its own on real sockets, whose parts are killed and started again.

The PostgreSQL is durable: what COMMIT answered must be there after -9. API and worker are forked
by a nursery (``nursery.py``), since importing them takes seconds.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
from pydantic import SecretStr

from flatbed.tenants.kit.database.migrate import upgrade
from flatbed.tenants.kit.database.provision import provision
from flatbed.tenants.kit.database.urls import connect, with_database
from flatbed.tenants.kit.embedded.home import Home, settle
from flatbed.tenants.kit.embedded.locks import FileLock
from flatbed.tenants.kit.embedded.server import EmbeddedPostgres
from flatbed.tenants.kit.failpoints import kill_server
from flatbed.tenants.kit.settings import KernelSettings
from tests.api.support import SECRET
from tests.faults.till import Till

DATABASE: Final = "flatbed"
HOST: Final = "127.0.0.1"
SECONDS: Final = 20.0
"""What anything here may take at most before it counts as stuck."""
_ARMED: Final = '"failpoints_armed"'
T = TypeVar("T")


class HouseError(AssertionError):
    """A part did not do what the test rests on."""


@dataclass
class Child:
    """A process of the program; ``spec`` is the file that it is armed from on SIGUSR1."""

    role: str
    pid: int
    log: Path
    spec: Path
    code: int | None = None

    @property
    def logged(self) -> str:
        """What it has logged."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def fired(self) -> int:
        """How many failpoints fired in it, as it reports itself."""
        return self.logged.count('"failpoint_fired"')


@dataclass
class House:
    """PostgreSQL, an API and a worker."""

    folder: Path
    server: EmbeddedPostgres
    port: int
    urls: dict[str, str] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    till: Till = field(init=False)
    _nursery: subprocess.Popen[str] | None = None
    _number: int = 0
    _home: Home = field(init=False)
    _alive: FileLock = field(init=False)

    def __post_init__(self) -> None:
        self._alive = FileLock(self.folder / "alive")
        self.till = Till(f"{self.base_url}/stripe/webhooks")

    @classmethod
    def open(cls) -> "House":
        """Set it up: a fresh cluster, migrated, and the nursery; API and worker are not started."""
        # Laid out as the suite's own folder, which sweeps up what a killed run leaves.
        folder = Path(tempfile.mkdtemp(prefix="flatbed-test-"))
        folder.chmod(0o711)  # the server's user passes through when we are root
        house = cls(folder, EmbeddedPostgres(folder / "server", durable=True), _free_port())
        house._alive.share()
        try:
            house.till.start()
            house._begin_nursery()
            house._provision()
            house._hear()
        except BaseException:
            house.close()
            raise
        return house

    def close(self) -> None:
        """End and remove everything."""
        if self._nursery is not None:
            self._nursery.kill()  # its children get the signal with it
            self._nursery.wait()
            for stream in (self._nursery.stdin, self._nursery.stdout):
                if stream is not None:
                    stream.close()
        self.till.stop()
        self.server.destroy()
        self._alive.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def base_url(self) -> str:
        """Where the API answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid_file(self) -> Path:
        """PostgreSQL's own, which its killers read."""
        [found] = (self.folder / "server").glob("cluster/data/postmaster.pid")
        return found

    @property
    def anchors(self) -> Path:
        """The file of ledger heads."""
        return self.folder / "anchors"

    @property
    def admin_url(self) -> str:
        """The superuser, in the program's database."""
        return with_database(self.server.admin_url(), DATABASE)

    def settings(self) -> KernelSettings:
        """What the parts run with."""
        return KernelSettings(
            database_url=SecretStr(self.urls["app"]),
            secret_key=SecretStr(SECRET),
            public_url=self.base_url,
            anchor_file=self.anchors,
        )

    def start(self, role: str, failpoints: str = "", **more: Any) -> Child:
        """Fork ``api``, ``worker``, ``realm`` or ``keys``.

        Args:
            role: which.
            failpoints: ``FLATBED_FAILPOINTS``, armed from its first step on.
            more: what the role needs beside.
        """
        self._number += 1
        log = self.folder / f"{role}-{self._number}.log"
        spec = log.with_suffix(".spec")
        order = {
            "do": "start",
            "role": role,
            "log": str(log),
            "failpoints": failpoints,
            "spec": str(spec),
            "port": self.port,
            "environment": {
                "FLATBED_DATABASE_URL": self.urls["app"],
                "FLATBED_SECRET_KEY": SECRET,
                "FLATBED_PUBLIC_URL": self.base_url,
                "FLATBED_ANCHOR_FILE": str(self.anchors),
                **self.till.environment,
            },
            **more,
        }
        child = Child(role, self._ask(order)["pid"], log, spec)
        self.children[role] = child
        return child

    async def ready(self) -> None:
        """Wait until the API takes connections."""
        await self.until(self._listens, "the API does not listen")

    async def arm(self, role: str, failpoints: str) -> None:
        """Arm a running process; passings count from now on."""
        child = self.children[role]
        before = child.logged.count(_ARMED)
        child.spec.write_text(failpoints, encoding="utf-8")
        os.kill(child.pid, signal.SIGUSR1)
        await self.until(
            lambda: child.logged.count(_ARMED) > before, f"{role} was not armed", child
        )

    async def kill(self, role: str) -> None:
        """-9."""
        child = self.children[role]
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        await self.ended(role)

    async def ended(self, role: str) -> int:
        """Wait until a process has ended; its exit code."""
        child = self.children[role]
        await self.until(lambda: self.code(child) is not None, f"{role} goes on", child)
        return child.code if child.code is not None else -1

    def code(self, child: Child) -> int | None:
        """Its exit code, None while it runs."""
        if child.code is None:
            child.code = self._ask({"do": "poll", "pid": child.pid})["code"]
        return child.code

    def kill_postgres(self) -> None:
        """-9 to the server and all its processes."""
        kill_server(self.pid_file)

    async def start_postgres(self) -> None:
        """Start the killed server on its port and wait until it has recovered.

        ``EmbeddedPostgres.start`` would do it too; it looks at everything anew and takes seconds.
        """
        home = self._home
        # Where nobody reaps orphans the killed process still wears the id in it.
        (home.data / "postmaster.pid").unlink(missing_ok=True)
        started = home.account.run(
            [
                home.binaries / "pg_ctl",
                *("start", f"--pgdata={home.data}", "--no-wait"),
                f"--log={home.cluster / 'server.log'}",
            ],
            seconds=SECONDS,
        )
        if started.returncode != 0:
            raise HouseError(started.stdout)
        end = time.monotonic() + SECONDS
        while True:
            try:
                await (await connect(self.admin_url)).close()
            except (OSError, asyncpg.PostgresError):
                if time.monotonic() > end:
                    log = (home.cluster / "server.log").read_text(encoding="utf-8")
                    raise HouseError(f"no PostgreSQL: {log[-2000:]}") from None
                await asyncio.sleep(0.01)
            else:
                return

    async def until(
        self, holds: Callable[[], bool], otherwise: str, child: Child | None = None
    ) -> None:
        """Look until it holds.

        Raises:
            HouseError: it does not, with the end of the child's log.
        """
        end = time.monotonic() + SECONDS
        while not holds():
            if time.monotonic() > end:
                raise HouseError(f"{otherwise}: {child.logged[-2000:] if child else ''}")
            await asyncio.sleep(0.005)

    def _listens(self) -> bool:
        api = self.children["api"]
        if self.code(api) is not None:
            raise HouseError(f"the API ended with {api.code}: {api.logged[-2000:]}")
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    def _provision(self) -> None:
        self.server.start()
        made = run_apart(provision(self.server.admin_url(), DATABASE))
        self.urls = {"app": made.app_url, "owner": made.owner_url}
        run_apart(upgrade(made.owner_url))
        self._home = settle(self.folder / "server")
        run_apart(self._tune())

    async def _tune(self) -> None:
        """Start faster. What was handed to the kernel outlives a process: fsync adds nothing."""
        admin = await connect(self.admin_url)
        for setting in ("fsync = off", "shared_buffers = '16MB'", "max_connections = 60"):
            await admin.execute(f"ALTER SYSTEM SET {setting}")
        await admin.close()
        self.kill_postgres()
        await self.start_postgres()

    def _begin_nursery(self) -> None:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("FLATBED_")}
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=Path(__file__).parents[2],
            env=kept,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        if self._nursery is None or self._nursery.stdin is None:
            raise HouseError("no nursery")
        self._nursery.stdin.write(json.dumps(order) + "\n")
        self._nursery.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        line = (
            ""
            if self._nursery is None or self._nursery.stdout is None
            else (self._nursery.stdout.readline())
        )
        if not line:
            raise HouseError("the nursery is gone")
        found: dict[str, Any] = json.loads(line)
        return found


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run it on a loop in a thread of its own: pytest-asyncio's is left alone."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def _free_port() -> int:
    """Below the range that outgoing connections take theirs from."""
    for port in range(30_000 + os.getpid() % 1_000, 32_768):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((HOST, port))
                return port
    raise HouseError("no port is free")
