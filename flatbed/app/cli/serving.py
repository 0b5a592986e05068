"""What ``flatbed serve`` and ``flatbed worker`` do once the settings name a database."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

import uvicorn

from flatbed.app.main import create_app
from flatbed.app.wiring import build
from flatbed.app.worker import run_worker
from flatbed.tenants.kit.settings import KernelSettings

GRACE_SECONDS: Final = 10


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and SIGINT end the block in order, with exit code 0.

    Uvicorn raises the signal again when it has shut down, which would kill the process before the
    embedded server is stopped.
    """

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise SystemExit(0)

    before = {one: signal.signal(one, leave) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class CannotListenError(Exception):
    """The address is taken, or is not this machine's."""


def serve_http(
    settings: KernelSettings, host: str, port: int, *, ready: Callable[[], None] = lambda: None
) -> None:
    """Serve the API until interrupted.

    Args:
        settings: they name a database.
        host: address to listen on.
        port: port to listen on.
        ready: called when nothing stands in the way any more.

    Raises:
        CannotListenError: another program has the port.
        UnsafeRoleError: row-level security would not bind the database role.
    """
    # Uvicorn would say both in a log that is off, since it holds exceptions' texts.
    asyncio.run(_try(settings))
    try:
        listener = socket.create_server((host, port), family=_family(host), backlog=2048)
    except OSError as error:
        raise CannotListenError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    ready()
    config = uvicorn.Config(
        create_app(lambda: build(settings)),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


async def _try(settings: KernelSettings) -> None:
    program = build(settings)
    try:
        await program.start()
    finally:
        await program.close()


def work_jobs(settings: KernelSettings) -> None:
    """Run jobs, deadlines and sealing until interrupted."""
    asyncio.run(_work(settings))


async def _work(settings: KernelSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    program = build(settings)
    try:
        await program.start()
        await run_worker(program, stop)
    finally:
        await program.close()
