"""What ``flatbed serve`` and ``flatbed worker`` do once the settings name a database."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

import uvicorn
from prometheus_client import start_http_server
from starlette.types import ASGIApp

from flatbed.app.health import Lifecycle
from flatbed.app.main import create_app
from flatbed.app.wiring import Program, build
from flatbed.app.worker import run_worker
from flatbed.tenants.kit.edge.protocol import LimitedProtocol
from flatbed.tenants.kit.metrics import PoolCollector, together
from flatbed.tenants.kit.settings import KernelSettings

GRACE_SECONDS: Final = 10
"""How long requests in flight may go on when the port is closed."""
LOOPBACK: Final = "127.0.0.1"
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def terminable() -> Iterator[None]:
    """Let the first SIGTERM or SIGINT end the block in order, with exit code 0.

    Uvicorn raises the signal again when it has shut down, which would kill the process before the
    embedded server is stopped.
    """

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        _ignore()
        raise SystemExit(0)

    before = {one: signal.signal(one, leave) for one in SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _ignore() -> None:
    """From here on until the block of `terminable` ends: a second signal has nothing to add.

    It would break off the stop of the embedded server, which then stays behind. Ignored and not
    handled, so that the programs that stop the server inherit it: Ctrl-C reaches them too.
    """
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)


class CannotListenError(Exception):
    """The address is taken, or is not this machine's."""


def serve_http(
    settings: KernelSettings, host: str, port: int, *, ready: Callable[[], None] = lambda: None
) -> None:
    """Serve the API until interrupted; inside `terminable`.

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
    lifecycle = Lifecycle()
    app = create_app(lambda: build(settings), lifecycle)
    config = configured(app, host, port, settings.trusted_proxies)
    with listener:
        try:
            DrainingServer(config, lifecycle, settings.drain_seconds).run(sockets=[listener])
        finally:
            _ignore()


def configured(
    app: ASGIApp, host: str, port: int, trusted_proxies: Sequence[str] = ()
) -> uvicorn.Config:
    """How uvicorn serves the program.

    Said in both ways: left to itself it believes whoever connects from this machine, or from
    where an environment variable of its own says.
    """
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=LimitedProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


class DrainingServer(uvicorn.Server):
    """Uvicorn, which on the first signal goes on for a while, said to be not ready.

    A load balancer that asks /readyz meanwhile sends its requests elsewhere before the port is
    closed. A second signal ends the wait.

    Args:
        config: uvicorn's.
        lifecycle: told when it begins.
        seconds: how long.
    """

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, seconds: float) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._seconds = seconds
        self._until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal arrived."""
        self._lifecycle.leaving = True
        if self._until is None and self._seconds:
            self._until = time.monotonic() + self._seconds
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second. Returns whether to leave."""
        is_over = self._until is not None and time.monotonic() >= self._until
        return await super().on_tick(counter) or is_over


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


async def _try(settings: KernelSettings) -> None:
    program = build(settings)
    try:
        await program.start()
    finally:
        await program.close()


def work_jobs(settings: KernelSettings, metrics_port: int | None = None) -> None:
    """Run jobs, deadlines and sealing until interrupted; inside `terminable`.

    Args:
        settings: they name a database.
        metrics_port: where this machine may read what is counted.

    Raises:
        CannotListenError: another program has the port.
    """
    asyncio.run(_work(settings, metrics_port))


async def _work(settings: KernelSettings, metrics_port: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def leave(number: int, frame: FrameType | None) -> None:
        del number, frame
        _ignore()
        loop.call_soon_threadsafe(stop.set)

    # Handlers of the loop would end with it, and leave the default: to be killed.
    for one in SIGNALS:
        signal.signal(one, leave)
    program = build(settings)
    try:
        await program.start()
        with _metrics(program, metrics_port):
            await run_worker(program, stop)
    finally:
        _ignore()
        await program.close()


@contextmanager
def _metrics(program: Program, port: int | None) -> Iterator[None]:
    """Serve what is counted, to this machine alone and in a thread: also when the loop is busy."""
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(
            port, LOOPBACK, together(PoolCollector(program.database.engine))
        )
    except OSError as error:
        raise CannotListenError(f"cannot listen on {LOOPBACK}:{port}: {error.strerror}") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
