"""Told to stop, a program finishes what it has begun, and its embedded server ends with it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from typer.testing import CliRunner

from flatbed.app.cli.main import app
from flatbed.tenants.kit.edge.protocol import MOST_HEADERS
from flatbed.tenants.kit.ids import uuid7
from tests.api.support import SECRET
from tests.support.postgres import TestDatabase


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that the server's own user can reach, also when we are root."""
    made = Path(tempfile.mkdtemp(prefix="flatbed-stop-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def _start(*words: str, **settings: str) -> subprocess.Popen[bytes]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("FLATBED_")}
    code = "from flatbed.app.cli.main import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        env={**kept, **{f"FLATBED_{name.upper()}": text for name, text in settings.items()}},
        stderr=subprocess.DEVNULL,
    )


def _serve(port: int, **settings: str) -> subprocess.Popen[bytes]:
    return _start("serve", "--port", str(port), **settings)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise TimeoutError


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _with_headers_without_end(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MOST_HEADERS + 2))
        return connection.recv(65_536)


def _deployment(database: TestDatabase) -> dict[str, str]:
    return {"database_url": database.app_url, "secret_key": SECRET}


class TestStop:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_the_program_in_order_and_its_database_with_it(
        self, folder: Path, number: signal.Signals
    ) -> None:
        port = _free_port()
        process = _serve(port, data_dir=str(folder))
        try:
            _wait(f"http://127.0.0.1:{port}/readyz")
            [pid_file] = folder.rglob("postmaster.pid")
            process.send_signal(number)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
        # The server removes it as the last thing that it does.
        assert not pid_file.exists()

    @pytest.mark.parametrize("command", ["serve", "worker"])
    def test_the_signals_that_follow_the_first_change_nothing(
        self, folder: Path, command: str
    ) -> None:
        """`make run` sends two by itself: Ctrl-C reaches everybody, then the worker is killed."""
        port = _free_port()
        option, page = {"serve": ("--port", "readyz"), "worker": ("--metrics-port", "metrics")}[
            command
        ]
        process = _start(command, option, str(port), data_dir=str(folder))
        try:
            _wait(f"http://127.0.0.1:{port}/{page}")
            [pid_file] = folder.rglob("postmaster.pid")
            process.send_signal(signal.SIGINT)
            end = time.monotonic() + 60
            while pid_file.exists() and process.poll() is None and time.monotonic() < end:
                process.send_signal(signal.SIGTERM)
                time.sleep(0.02)
            assert process.wait(60) == 0
            assert not pid_file.exists()
        finally:
            process.kill()
            process.wait()


class TestServe:
    def test_while_it_drains_it_serves_not_ready_and_then_finishes_what_is_in_flight(
        self, database: TestDatabase
    ) -> None:
        """The second signal ends the drain; a request begun before the first gets its 2xx."""
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        process = _serve(port, drain_seconds="60", **_deployment(database))
        try:
            _wait(f"{url}/readyz")
            assert "server" not in httpx.get(f"{url}/healthz").headers
            assert _with_headers_without_end(port).startswith(b"HTTP/1.1 431 ")
            form = _token_form(database)
            with httpx.Client(base_url=url) as kept, _half_a_request(port, form) as flying:
                assert "connection" not in kept.get("/healthz").headers
                process.send_signal(signal.SIGTERM)
                _until(lambda: httpx.get(f"{url}/readyz").status_code == 503)
                refusal = httpx.get(f"{url}/readyz")
                assert refusal.json()["code"] == "not-ready"
                served = kept.get("/openapi.json")
                assert served.status_code == 200
                assert served.headers["connection"] == "close"
                assert httpx.get(f"{url}/healthz").status_code == 200
                process.send_signal(signal.SIGTERM)
                _until(lambda: not _is_open(port))
                assert process.poll() is None
                answer = flying.finish()
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" in answer
            assert b'"access_token":"' in answer
            assert process.wait(5) == 0
        finally:
            process.kill()
            process.wait()

    def test_the_drain_ends_by_itself(self, database: TestDatabase) -> None:
        port = _free_port()
        process = _serve(port, drain_seconds="1", **_deployment(database))
        try:
            _wait(f"http://127.0.0.1:{port}/readyz")
            told = time.monotonic()
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
            assert process.wait(10) == 0
            assert 0.9 < time.monotonic() - told < 5
        finally:
            process.kill()
            process.wait()


class TestWorker:
    def test_it_shows_its_figures_to_this_machine_and_stops_in_order(
        self, database: TestDatabase, folder: Path
    ) -> None:
        """In time, whatever the tests before have left to do; their mails go into the folder."""
        port = _free_port()
        settings = {**_deployment(database), "data_dir": str(folder)}
        process = _start("worker", "--metrics-port", str(port), **settings)
        try:
            _wait(f"http://127.0.0.1:{port}/metrics")
            text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
            for name in ("jobs_queued", "jobs_dead", "deadlines_dead", "oldest_wakeup_age_seconds"):
                assert f"\nflatbed_{name} " in text
            assert "flatbed_database_connections_limit 10" in text
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait()

    def test_a_port_that_is_taken_is_told(self, database: TestDatabase, folder: Path) -> None:
        settings = {**_deployment(database), "data_dir": str(folder)}
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            process = _start("worker", "--metrics-port", port, **settings)
            assert process.wait(30) == 3


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def _token_form(database: TestDatabase) -> bytes:
    """A request for a token, by the first client of a new realm."""
    words = ["realm", "create", f"stop-{uuid7().hex[-12:]}", "--name", "A", "--json"]
    env = {"FLATBED_DATABASE_URL": database.app_url, "FLATBED_SECRET_KEY": SECRET}
    made = json.loads(CliRunner().invoke(app, words, env=env).stdout)
    form = {name: made[name] for name in ("client_id", "client_secret")}
    return urlencode({"grant_type": "client_credentials", **form}).encode()


@dataclass
class _Flying:
    """A request whose body has not arrived whole."""

    connection: socket.socket
    rest: bytes

    def finish(self) -> bytes:
        """Send the rest; the whole answer, until the server closes the connection."""
        self.connection.sendall(self.rest)
        parts = []
        while part := self.connection.recv(65_536):
            parts.append(part)
        return b"".join(parts)


@contextmanager
def _half_a_request(port: int, body: bytes) -> Iterator[_Flying]:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(
            b"POST /oauth/token HTTP/1.1\r\nHost: flatbed\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body[:20])
        )
        yield _Flying(connection, body[20:])
