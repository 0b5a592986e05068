"""A process that has imported and built everything, and forks the program's processes.

Run as a module by :mod:`tests.faults.house`, which sends one JSON order a line on stdin and reads
one JSON answer a line on stdout. It ends when stdin does, its children with it.

Intervals of waiting are shortened here (see README.md); nothing else differs from
``flatbed serve`` and ``flatbed worker``.
"""

import asyncio
import ctypes
import gc
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import httpx
import structlog
import uvicorn

from flatbed.app import worker
from flatbed.app.cli.serving import configured
from flatbed.app.main import create_app
from flatbed.app.permissions import PERMISSIONS
from flatbed.app.wiring import build
from flatbed.tenants.kit.failpoints import VARIABLE, arm
from flatbed.tenants.kit.jobs import runner
from flatbed.tenants.kit.logging import configure
from flatbed.tenants.kit.settings import KernelSettings
from flatbed.tenants.oauth.clients.first_client import create_realm

HOST: Final = "127.0.0.1"
PR_SET_PDEATHSIG: Final = 1
LEASE: Final = timedelta(seconds=1)
"""After which a job of a killed worker is taken again, here."""
log = structlog.get_logger(__name__)


def shorten() -> None:
    """Wait less between looks; what is done at a look stays as it is."""
    worker.IDLE = timedelta(milliseconds=50)  # type: ignore[misc]  # Final: shortened for tests
    worker.AFTER_FAILURE = timedelta(milliseconds=100)  # type: ignore[misc]  # as above
    runner.POLL = timedelta(milliseconds=200)  # type: ignore[misc]  # as above
    runner.FIRST_PAUSE = timedelta(milliseconds=200)  # type: ignore[misc]  # as above


class Nursery:
    """The parent; one application is analysed once and inherited by every server."""

    def __init__(self) -> None:
        self._settings = KernelSettings()
        self.app = create_app(lambda: build(self._settings))
        asyncio.run(self._warm())
        gc.collect()
        gc.freeze()

    async def _warm(self) -> None:
        """Let the routes be analysed before anybody waits for them."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://warm.example") as http:
            await http.get("/healthz")

    def serve(self) -> None:
        """Answer orders until stdin ends."""
        _say({"ready": True})
        for line in sys.stdin:
            order: dict[str, Any] = json.loads(line)
            if order["do"] == "start":
                _say({"pid": self._fork(order)})
            else:
                _say({"code": _code(order["pid"])})

    def _fork(self, order: dict[str, Any]) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            self._become(order)
        except BaseException:  # noqa: BLE001 - it must not go on as a second nursery
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)

    def _become(self, order: dict[str, Any]) -> None:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with Path(os.devnull).open("rb") as nothing, Path(order["log"]).open("ab") as stream:
            os.dup2(nothing.fileno(), 0)
            for output in (1, 2):
                os.dup2(stream.fileno(), output)
        os.environ.update(order["environment"])
        os.environ[VARIABLE] = order["failpoints"]
        self._settings = KernelSettings()
        arm()
        signal.signal(signal.SIGUSR1, _arming(Path(order["spec"])))
        roles: dict[str, Callable[[dict[str, Any]], None]] = {
            "api": self._serve_http,
            "worker": lambda _: asyncio.run(_work(self._settings)),
            "realm": self._make_realm,
            "keys": lambda _: asyncio.run(_rotate_keys(self._settings)),
        }
        roles[order["role"]](order)

    def _serve_http(self, order: dict[str, Any]) -> None:
        uvicorn.Server(configured(self.app, HOST, order["port"])).run()

    def _make_realm(self, order: dict[str, Any]) -> None:
        async def make() -> None:
            program = build(self._settings)
            await create_realm(
                program.database,
                program.keyring,
                PERMISSIONS,
                slug=order["slug"],
                name="A realm",
                kind="sandbox",
            )
            await program.close()

        asyncio.run(make())


async def _work(settings: KernelSettings) -> None:
    """As ``flatbed worker``, with the shorter lease."""
    program = build(settings)
    try:
        await program.start()
        await worker.run_worker(program, asyncio.Event(), lease=LEASE)
    finally:
        await program.close()


async def _rotate_keys(settings: KernelSettings) -> None:
    """As ``flatbed keys rotate --now``."""
    program = build(settings)
    await program.rotor.rotate(at_once=True)
    await program.close()


def _arming(spec: Path) -> Callable[[int, FrameType | None], None]:
    """Arm anew in a process that runs, so that one serves several rounds."""

    def again(number: int, frame: FrameType | None) -> None:
        del number, frame
        os.environ[VARIABLE] = spec.read_text(encoding="utf-8")
        # In a thread: the main one may hold the log's lock at this very moment.
        threading.Thread(target=arm).start()

    return again


def _code(pid: int) -> int | None:
    """The exit code of a child that has ended, as a shell says it."""
    found, status = os.waitpid(pid, os.WNOHANG)
    if found == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> NoReturn:
    """Be the nursery."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    configure()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    shorten()
    Nursery().serve()
    sys.exit(0)


if __name__ == "__main__":
    main()
