"""The servers that are measured, each a process of its own on one embedded PostgreSQL."""

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.cores import cpu_seconds, pinned
from bench.load import Endpoint, until_up
from flatbed.tenants.kit.database.provision import provision
from flatbed.tenants.kit.database.urls import connect, with_database
from flatbed.tenants.kit.embedded.server import EmbeddedPostgres

ROOT: Final = Path(__file__).resolve().parent.parent
VENV: Final = ROOT / "var" / "bench" / "venv" / "bin"
LOGS: Final = ROOT / "var" / "bench" / "logs"
FLATBED: Final = str(Path(sys.executable).with_name("flatbed"))
PEER_DATABASE: Final = "bench_dot"
_PATIENCE_S: Final = 120


@dataclass(frozen=True, slots=True)
class Databases:
    """Addresses on the one server, passwords included."""

    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)
    peer_url: str = field(repr=False)
    version: str


@dataclass(frozen=True, slots=True)
class Server:
    """A server at work, its process group, and its token endpoint.

    ``name`` is ``flatbed``, or the settings of the peer.
    """

    name: str
    group: int
    endpoint: Endpoint

    def cpu_seconds(self) -> float:
        """What its processes have used of a processor."""
        return cpu_seconds(self.group)


@asynccontextmanager
async def databases() -> AsyncIterator[Databases]:
    """A fresh PostgreSQL without fsync: nobody's disk is measured."""
    postgres = EmbeddedPostgres(ROOT / "var" / "bench" / "postgres", durable=False)
    await asyncio.to_thread(postgres.destroy)
    try:
        await asyncio.to_thread(postgres.start)
        admin = postgres.admin_url()
        made = await provision(admin)
        server = await connect(admin)
        try:
            await server.execute(f"CREATE DATABASE {PEER_DATABASE}")
            version = str(await server.fetchval("SHOW server_version"))
        finally:
            await server.close()
        peer = with_database(admin, PEER_DATABASE)
        yield Databases(made.owner_url, made.app_url, peer, version)
    finally:
        await asyncio.to_thread(postgres.destroy)


class Flatbed:
    """Our program, set up by its own commands."""

    python: Final = (sys.executable, "-m")

    def __init__(self, found: Databases) -> None:
        self.port = _free_port()
        self.environment = {
            "FLATBED_DATABASE_URL": found.app_url,
            "FLATBED_OWNER_DATABASE_URL": found.owner_url,
            "FLATBED_SECRET_KEY": secrets.token_urlsafe(32),
            "FLATBED_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
        }
        ran([FLATBED, "db", "migrate"], self.environment)
        said = ran(
            [FLATBED, "realm", "create", "bench", "--name", "Bench", "--json"], self.environment
        )
        made = json.loads(said)
        login = (made["client_id"], made["client_secret"])
        self.endpoint = Endpoint(self.port, "/oauth/token", *login)

    @asynccontextmanager
    async def serving(self, core: int | None) -> AsyncIterator[Server]:
        """One process of the API."""
        command = [FLATBED, "serve", "--port", str(self.port)]
        with _process(pinned(core, command), self.environment) as group:
            await until_up(self.endpoint)
            yield Server("flatbed", group, self.endpoint)


KINDS: Final = ("gunicorn sync", "gunicorn threads", "uvicorn")
DOCUMENTED, PLAIN, FASTEST = "documented", "documented, secret not hashed", "fastest"


class Peer:
    """django-oauth-toolkit, on a project like its tutorial's."""

    def __init__(self, found: Databases) -> None:
        self._environment = {
            "BENCH_DATABASE_URL": found.peer_url,
            "BENCH_SECRET": secrets.token_urlsafe(48),
            "DJANGO_SETTINGS_MODULE": "bench.dot.settings",
        }
        self._clients: dict[str, list[str]] = json.loads(self.run("bench.dot.seed"))

    def run(self, module: str, *more: str, core: int | None = None, sent: str = "") -> str:
        """What a module of the project prints, at its fastest settings."""
        environment = self._environment | {"BENCH_DOT": FASTEST}
        command = pinned(core, [str(VENV / "python"), "-m", module, *more])
        return ran(command, environment, sent)

    @asynccontextmanager
    async def serving(self, kind: str, settings: str, core: int | None) -> AsyncIterator[Server]:
        """One process of a kind of server, with these settings."""
        port = _free_port()
        client = self._clients["hashed" if settings == DOCUMENTED else "plain"]
        endpoint = Endpoint(port, "/o/token/", *client)
        environment = self._environment | {"BENCH_DOT": settings}
        with _process(pinned(core, _command(kind, port)), environment) as group:
            await until_up(endpoint)
            yield Server(settings, group, endpoint)


def _command(kind: str, port: int) -> list[str]:
    if kind == "uvicorn":
        more = ["--port", str(port), "--log-level", "warning", "--no-access-log"]
        return [str(VENV / "uvicorn"), "bench.dot.asgi:application", "--lifespan", "off", *more]
    worker = ["sync"] if kind == "gunicorn sync" else ["gthread", "--threads", "8"]
    where = ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--log-level", "warning"]
    return [str(VENV / "gunicorn"), "bench.dot.wsgi:application", *where, "--worker-class", *worker]


def ran(command: list[str], environment: Mapping[str, str], sent: str = "") -> str:
    """What a command prints, when it is given a text.

    Raises:
        CalledProcessError: it failed.
    """
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=_environment(environment),
        input=sent,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_PATIENCE_S,
        check=True,
    )
    return done.stdout


@contextmanager
def _process(command: list[str], environment: Mapping[str, str]) -> Iterator[int]:
    """A process in a group of its own; terminated at the end, and killed if it will not go."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        log = stack.enter_context((LOGS / f"{Path(command[-1]).name}.log").open("wb"))
        process = stack.enter_context(
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        )
        stack.callback(_ended, process)
        yield process.pid


def _ended(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FLATBED_", "DJANGO_"))}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
