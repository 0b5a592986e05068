"""The embedded server ends with the program that brought it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that the server's own user can reach, also when we are root."""
    made = Path(tempfile.mkdtemp(prefix="flatbed-stop-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def _serve(folder: Path, port: int) -> subprocess.Popen[bytes]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("FLATBED_")}
    code = "from flatbed.app.cli.main import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--port", str(port)],
        env={**kept, "FLATBED_DATA_DIR": str(folder)},
        stderr=subprocess.DEVNULL,
    )


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise TimeoutError


class TestStop:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_the_program_in_order_and_its_database_with_it(
        self, folder: Path, number: signal.Signals
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        process = _serve(folder, port)
        try:
            _wait(port)
            [pid_file] = folder.rglob("postmaster.pid")
            process.send_signal(number)
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()
        # The server removes it as the last thing that it does.
        assert not pid_file.exists()
