"""One database cluster in our folder: made whole or not at all, started, found, stopped."""

import os
import random
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path

from flatbed.tenants.kit.embedded.account import read
from flatbed.tenants.kit.embedded.errors import EmbeddedPostgresError
from flatbed.tenants.kit.embedded.home import Home

HOST = "127.0.0.1"
SUPERUSER = "postgres"
START_SECONDS = 300
"""How long a start may take: after a crash the log is replayed first."""
STOP_SECONDS = 60
LOG_BYTES = 10_000_000
"""The log is moved aside at a start when it is larger."""

# Terse and without statements: details and literals hold personal data. TCP only: the path of a
# socket in a deep folder is longer than the system allows.
_SETTINGS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
max_connections = 200
shared_buffers = '128MB'
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_error_verbosity = 'terse'
log_min_error_statement = 'panic'
jit = off
"""
_VOLATILE = """\
fsync = off
synchronous_commit = off
full_page_writes = off
"""
_INCLUDE = "\ninclude_if_exists = '../flatbed.conf'\n"


class Cluster:
    """The data directory with its password, port and log, and what runs on it.

    The caller holds the start lock: nothing here expects a second program at the same time.
    """

    def __init__(self, home: Home, *, durable: bool) -> None:
        self._home = home
        self._durable = durable
        self._password = home.cluster / "password"
        self._port = home.cluster / "port"
        self._log = home.cluster / "server.log"

    @property
    def password(self) -> str:
        """The superuser's password."""
        found = read(self._password)
        if not found:
            raise EmbeddedPostgresError(f"{self._password} is missing: the data cannot be opened")
        return found

    def ensure_made(self) -> None:
        """Make the data directory unless it is there; leftovers of a killed attempt go."""
        data, account = self._home.data, self._home.account
        for left in self._home.cluster.glob("data.new-*"):
            shutil.rmtree(left, ignore_errors=True)
        if data.exists():
            self._refuse_other_version()
            return
        if read(self._password) is None:
            account.write(self._password, secrets.token_urlsafe(32))
        fresh = data.with_name(f"data.new-{os.urandom(4).hex()}")
        made = account.run(
            [
                self._home.binaries / "initdb",
                f"--pgdata={fresh}",
                f"--username={SUPERUSER}",
                f"--pwfile={self._password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--text-search-config=simple",
                *([] if self._durable else ["--no-sync"]),
            ],
            seconds=START_SECONDS,
        )
        if made.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise EmbeddedPostgresError(f"initdb failed:\n{made.stdout}")
        conf = fresh / "postgresql.conf"
        account.write(conf, f"{read(conf)}{_INCLUDE}")
        fresh.rename(data)
        _sync(self._home.cluster)

    def ensure_running(self) -> int:
        """Join the server that runs on our data, or start one; return its port."""
        for _ in range(10):
            port = self._join()
            if port is not None:
                return port
            port = self._choose_port()
            self._configure(port)
            started = self._start()
            if started.returncode != 0:
                reason = self._reason(started)
                if "shared memory block" in reason:
                    time.sleep(1)  # the children of a killed server are still leaving
                elif "could not bind" not in reason:
                    raise EmbeddedPostgresError(f"the server did not start:\n{reason}")
        raise EmbeddedPostgresError(f"the server did not start; its log is {self._log}")

    def stop(self) -> None:
        """Stop the server if one runs on our data; connections are cut."""
        if self._postmaster() is None:
            return
        if self._ctl("stop", "--mode=fast", seconds=STOP_SECONDS + 30).returncode == 0:
            return
        stopped = self._ctl("stop", "--mode=immediate", seconds=STOP_SECONDS + 30)
        if stopped.returncode != 0 and self._postmaster() is not None:
            raise EmbeddedPostgresError(f"the server did not stop:\n{stopped.stdout}")

    def _refuse_other_version(self) -> None:
        made_by = (read(self._home.data / "PG_VERSION") or "").strip()
        shown = self._home.account.run([self._home.binaries / "postgres", "--version"], seconds=30)
        ours = shown.stdout.split()[-1].split(".")[0]
        if made_by != ours:
            raise EmbeddedPostgresError(
                f"{self._home.data} was made by PostgreSQL {made_by}, the binaries are {ours}: "
                "dump with the old version and restore into a new folder"
            )

    def _join(self) -> int | None:
        """Wait for a server that is there (it may be recovering, or ending) and return its port."""
        deadline = time.monotonic() + START_SECONDS
        while (port := self._postmaster()) is not None:
            if port and self._answers(port):
                return port
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"a server runs on {self._home.data} but never answers")
            time.sleep(0.1)
        return None

    def _postmaster(self) -> int | None:
        """Return the port of the server process on our data (0: not listening yet), else None.

        The process id alone proves nothing: after a crash another program may wear it.
        """
        lines = (read(self._home.data / "postmaster.pid") or "").splitlines()
        if not lines or not lines[0].strip().isdigit():
            return None
        if str(self._home.data) not in _command_line(int(lines[0])):
            return None
        return int(lines[3]) if len(lines) > 3 and lines[3].strip().isdigit() else 0  # noqa: PLR2004 - line 4 holds the port

    def _answers(self, port: int) -> bool:
        asked = self._home.account.run(
            [
                self._home.binaries / "psql",
                *("--no-psqlrc", "--no-password", "--tuples-only", "--no-align"),
                f"--host={HOST}",
                f"--port={port}",
                f"--username={SUPERUSER}",
                "--dbname=postgres",
                "--command=select current_setting('data_directory')",
            ],
            seconds=30,
            extra={"PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "10"},
        )
        if "password authentication failed" in asked.stdout:
            raise EmbeddedPostgresError(
                f"the server on port {port} refuses the password in {self._password}"
            )
        return asked.returncode == 0 and asked.stdout.strip() == str(self._home.data)

    def _choose_port(self) -> int:
        known = (read(self._port) or "").strip()
        if known.isdigit() and _is_free(int(known)):
            return int(known)
        # Below the range that outgoing connections take theirs from.
        candidates = [*random.SystemRandom().sample(range(20000, 30000), 20), 0]
        port = next(candidate for candidate in candidates if _is_free(candidate))
        if port == 0:
            with socket.socket() as probe:
                probe.bind((HOST, 0))
                port = int(probe.getsockname()[1])
        self._home.account.write(self._port, f"{port}\n")
        return port

    def _configure(self, port: int) -> None:
        text = _SETTINGS.format(port=port) + ("" if self._durable else _VOLATILE)
        self._home.account.write(self._home.cluster / "flatbed.conf", text)
        if self._log.exists() and self._log.lstat().st_size > LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        # Reached only when no server of ours runs: what wears the process id in this file is a
        # stranger, who would keep PostgreSQL from starting. Its shared memory check stays.
        (self._home.data / "postmaster.pid").unlink(missing_ok=True)

    def _start(self) -> subprocess.CompletedProcess[str]:
        return self._ctl(
            "start", f"--log={self._log}", f"--timeout={START_SECONDS}", seconds=START_SECONDS + 30
        )

    def _ctl(self, action: str, *options: str, seconds: float) -> subprocess.CompletedProcess[str]:
        return self._home.account.run(
            [
                self._home.binaries / "pg_ctl",
                action,
                f"--pgdata={self._home.data}",
                "--wait",
                *options,
            ],
            seconds=seconds,
        )

    def _reason(self, started: subprocess.CompletedProcess[str]) -> str:
        log = (read(self._log) or "").splitlines()[-15:]
        return "\n".join([started.stdout.strip(), *log])


def _command_line(pid: int) -> str:
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        pass
    if Path("/proc/self/cmdline").exists():
        return ""
    shown = subprocess.run(  # noqa: S603 - a fixed command
        ["/bin/ps", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
