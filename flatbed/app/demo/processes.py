"""The server and the worker as processes of their own, which end with the demo."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from flatbed.app.demo.client import DemoError
from flatbed.tenants.kit.settings import KernelSettings

HOST: Final = "127.0.0.1"
PORT: Final = 8080
READY_SECONDS: Final = 90
GRACE_SECONDS: Final = 15
POLL_SECONDS: Final = 0.1
TAIL_LINES: Final = 15
OK: Final = 200


def free_port(wanted: int | None) -> int:
    """The wanted port, else 8080, else one that is free.

    Raises:
        DemoError: the wanted port is taken.
    """
    if wanted is not None:
        if not _is_free(wanted):
            raise DemoError(f"port {wanted} is taken")
        return wanted
    return PORT if _is_free(PORT) else _any_port()


@dataclass
class Processes:
    """``flatbed serve`` and ``flatbed worker`` on one database."""

    settings: KernelSettings
    port: int
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        """Where the server answers."""
        return f"http://{HOST}:{self.port}"

    def log(self, command: str) -> Path:
        """Where a command writes what it logs."""
        return self.settings.data_dir / f"demo-{command}-{self.port}.log"

    def __enter__(self) -> Self:
        self._start("serve", "--host", HOST, "--port", str(self.port))
        self._start("worker")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    async def ready(self) -> None:
        """Wait until the server takes requests.

        Raises:
            DemoError: a process ended, or it takes too long.
        """
        end = time.monotonic() + READY_SECONDS
        async with httpx.AsyncClient(base_url=self.base_url, trust_env=False) as http:
            while time.monotonic() < end:
                self.check()
                with suppress(httpx.HTTPError):
                    if (await http.get("/readyz")).status_code == OK:
                        return
                await asyncio.sleep(POLL_SECONDS)
        raise DemoError(f"the server is not ready after {READY_SECONDS} s; see {self.log('serve')}")

    def check(self) -> None:
        """Make sure that both still run.

        Raises:
            DemoError: one has ended; with the last lines that it logged.
        """
        for command, process in self._running.items():
            if process.poll() is not None:
                lines = self.log(command).read_text(encoding="utf-8", errors="replace")
                tail = "\n".join(lines.splitlines()[-TAIL_LINES:])
                raise DemoError(f"flatbed {command} ended with {process.returncode}:\n{tail}")

    def _start(self, command: str, *options: str) -> None:
        own = "from flatbed.app.cli import main; main()"
        wanted = [sys.executable, "-c", own, command, *options]
        with self.log(command).open("wb") as log:
            self._running[command] = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                [sys.executable, "-m", "flatbed.app.demo.child", str(os.getpid()), *wanted],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is ours: we tell them in our own time.
                start_new_session=True,
                env={**os.environ, **self._environment()},
            )

    def _environment(self) -> dict[str, str]:
        """The settings as the children read them; they need not settle them again."""
        settings = self.settings
        given = {
            "FLATBED_DATA_DIR": str(settings.data_dir.resolve()),
            "FLATBED_PUBLIC_URL": self.base_url,
            "FLATBED_POOL_SIZE": str(settings.pool_size),
        }
        secret = {
            "FLATBED_DATABASE_URL": settings.database_url,
            "FLATBED_OWNER_DATABASE_URL": settings.owner_database_url,
            "FLATBED_SECRET_KEY": settings.secret_key,
        }
        given |= {name: value.get_secret_value() for name, value in secret.items() if value}
        if settings.anchor_file is not None:
            given["FLATBED_ANCHOR_FILE"] = str(settings.anchor_file.resolve())
        return given


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
