"""Server, worker and fake Stripe as processes of their own, which end with the demo."""

import asyncio
import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from flatbed.app.demo.client import DemoError

HOST: Final = "127.0.0.1"
PORT: Final = 8080
READY_SECONDS: Final = 90
GRACE_SECONDS: Final = 15
POLL_SECONDS: Final = 0.1
TAIL_LINES: Final = 15
OK: Final = 200
PR_SET_PDEATHSIG: Final = 1


def free_port(wanted: int | None, usual: int = PORT) -> int:
    """The wanted port, else the usual one, else one that is free.

    Raises:
        DemoError: the wanted port is taken.
    """
    if wanted is not None:
        if not _is_free(wanted):
            raise DemoError(f"port {wanted} is taken")
        return wanted
    return usual if _is_free(usual) else _any_port()


def spare_ports(servers: int) -> list[int]:
    """Free ports for so many servers."""
    return [_any_port() for _ in range(servers)]


def url_of(port: int) -> str:
    """Where a server on this port answers."""
    return f"http://{HOST}:{port}"


@dataclass
class Processes:
    """Commands of ours that run beside the demo.

    Forked, so that nothing is loaded twice: enter it outside an event loop. Each is the leader of
    a session of its own, and gets a SIGTERM when the demo ends, also when the demo is killed.

    Args:
        base_url: where the server among them answers.
        folder: where they write what they log.
        commands: what each does, by name.
    """

    base_url: str
    folder: Path
    commands: Mapping[str, Callable[[], None]]
    _running: dict[str, ForkProcess] = field(default_factory=dict)

    def log(self, command: str) -> Path:
        """Where a command writes what it logs."""
        port = self.base_url.rpartition(":")[2]
        return self.folder / f"demo-{command}-{port}.log"

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("fork")
        for name, command in self.commands.items():
            child = context.Process(
                target=_become, args=(os.getpid(), self.log(name), command), name=name
            )
            child.start()
            self._running[name] = child
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self._running.values():
            child.terminate()
        for child in self._running.values():
            child.join(GRACE_SECONDS)
            if child.is_alive():
                child.kill()
                child.join()

    async def ready(self, base_url: str | None = None) -> None:
        """Wait until the server, or the one of another address, takes requests.

        Raises:
            DemoError: a process ended, or it takes too long.
        """
        end = time.monotonic() + READY_SECONDS
        async with httpx.AsyncClient(base_url=base_url or self.base_url, trust_env=False) as http:
            while time.monotonic() < end:
                self.check()
                with suppress(httpx.HTTPError):
                    if (await http.get("/readyz")).status_code == OK:
                        return
                await asyncio.sleep(POLL_SECONDS)
        raise DemoError(f"the server is not ready after {READY_SECONDS} s; see {self.log('serve')}")

    def check(self) -> None:
        """Make sure that all still run.

        Raises:
            DemoError: one has ended; with the last lines that it logged.
        """
        for command, child in self._running.items():
            if not child.is_alive():
                lines = self.log(command).read_text(encoding="utf-8", errors="replace")
                tail = "\n".join(lines.splitlines()[-TAIL_LINES:])
                raise DemoError(f"flatbed {command} ended with {child.exitcode}:\n{tail}")


def _become(parent: int, log: Path, command: Callable[[], None]) -> None:
    """In the child: leave the terminal, follow the parent into its end, and do the command."""
    os.setsid()  # Ctrl-C is the demo's: it tells us in its own time
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return  # it was gone before we asked
    with log.open("wb") as stream:
        for output in (1, 2):
            os.dup2(stream.fileno(), output)
    command()


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
