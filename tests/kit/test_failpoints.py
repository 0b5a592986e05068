"""Failpoints: declared and placed once each, off unless the environment arms them, then exact."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
import timeit
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flatbed.tenants.kit.failpoints import (
    EXIT_CODE,
    Failpoint,
    FailpointError,
    FailpointSpecError,
    arm,
    failpoint,
    kill_server,
    passed,
)

ROOT = Path(__file__).parents[2]
POINT = Failpoint.LEDGER_INSERTED


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm("")


def calls(text: str) -> list[ast.Call]:
    """The calls of ``failpoint`` in a module."""
    return [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "failpoint"
    ]


def placed() -> list[tuple[Path, str]]:
    """Every failpoint that a module of the product passes, by the member's name."""
    found = []
    for path in sorted((ROOT / "flatbed").rglob("*.py")):
        for call in calls(path.read_text(encoding="utf-8")):
            [argument] = call.args
            assert isinstance(argument, ast.Attribute), f"{path}: not a member"
            found.append((path.relative_to(ROOT), argument.attr))
    return found


class TestPlaces:
    def test_each_declared_one_is_placed_once_and_no_other_is(self) -> None:
        counts = Counter(name for _, name in placed())
        assert counts == Counter(one.name for one in Failpoint)
        assert len(counts) >= 40

    def test_the_pure_rules_pass_none(self) -> None:
        parts = {part for path, _ in placed() for part in path.with_suffix("").parts}
        assert not parts & {"rules", "chain", "periods"}

    def test_each_says_what_it_stands_for(self) -> None:
        source = (ROOT / "flatbed/tenants/kit/failpoints.py").read_text(encoding="utf-8")
        for one in Failpoint:
            [line] = [line for line in source.splitlines() if f'{one.name} = "' in line]
            assert len(line.partition("  # ")[2]) > 10, one

    def test_nothing_but_the_commands_arms_them(self) -> None:
        users = [
            str(path.relative_to(ROOT))
            for path in (ROOT / "flatbed").rglob("*.py")
            if "failpoints import arm" in path.read_text(encoding="utf-8")
        ]
        assert users == ["flatbed/app/cli/main.py"]


class TestOff:
    def test_it_does_nothing_and_counts_nothing(self) -> None:
        arm("")
        for one in Failpoint:
            failpoint(one)
        assert passed() == {}

    def test_it_costs_about_what_an_empty_function_costs(self) -> None:
        def empty(name: Failpoint) -> None:
            """Nothing."""

        def seconds(work: Callable[[Failpoint], None]) -> float:
            return min(timeit.repeat(lambda: work(POINT), number=20_000, repeat=15))

        ratio = seconds(failpoint) / seconds(empty)
        assert ratio < 2, ratio


class TestArm:
    def test_an_error_is_raised_at_the_named_passing_only(self) -> None:
        arm(f"{POINT}=error@3;{Failpoint.JOB_DONE}=error")
        failpoint(POINT)
        failpoint(POINT)
        with pytest.raises(FailpointError):
            failpoint(POINT)
        failpoint(POINT)
        assert passed() == {POINT: 4, Failpoint.JOB_DONE: 0}
        with pytest.raises(FailpointError):
            failpoint(Failpoint.JOB_DONE)

    @pytest.mark.parametrize(
        "spec",
        [
            "ledger.nowhere=exit",
            "exit",
            f"{POINT}",
            f"{POINT}=explode",
            f"{POINT}=exit:now",
            f"{POINT}=kill",
            f"{POINT}=exit@0",
            f"{POINT}=exit@soon",
            f"{POINT}=",
        ],
    )
    def test_what_cannot_be_read_is_refused(self, spec: str) -> None:
        with pytest.raises(FailpointSpecError):
            arm(spec)

    def test_the_environment_arms_a_command_and_a_wrong_word_stops_it(self) -> None:
        code = "from flatbed.app.cli.main import main; main()"
        for command in ("serve", "worker"):
            ended = subprocess.run(
                [sys.executable, "-c", code, command],
                env={
                    **os.environ,
                    "FLATBED_FAILPOINTS": "nowhere=exit",
                    "FLATBED_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
                },
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert ended.returncode == 3
            assert "no failpoint is called 'nowhere'" in ended.stderr


def run(body: str, spec: str) -> subprocess.CompletedProcess[str]:
    """A process that is armed from its environment and passes a failpoint."""
    code = (
        "from flatbed.tenants.kit.failpoints import Failpoint, arm, failpoint\n"
        f"arm()\n{body}\nprint('went on')"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "FLATBED_FAILPOINTS": spec},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestActions:
    def test_exit_ends_the_process_at_once_and_says_so_before(self) -> None:
        ended = run("failpoint(Failpoint.JOB_DONE)\n" * 2, "job.done=exit@2")
        assert ended.returncode == EXIT_CODE
        assert "went on" not in ended.stdout
        assert "failpoints_armed" in ended.stdout + ended.stderr
        assert "failpoint_fired" in ended.stdout + ended.stderr

    def test_kill_takes_the_server_with_its_children_and_goes_on(self, tmp_path: Path) -> None:
        # Named like a server, since no other process is ever killed.
        family = (
            "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c',"
            " 'import time; time.sleep(60)']); print(p.pid, flush=True); time.sleep(60)"
        )
        server = subprocess.Popen(
            [sys.executable, "-c", family, "postgres"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            child = int(server.stdout.readline())
            pid_file = tmp_path / "postmaster.pid"
            pid_file.write_text(f"{server.pid}\nmore\n", encoding="utf-8")
            ended = run("failpoint(Failpoint.JOB_DONE)", f"job.done=kill:{pid_file}")
            assert (ended.returncode, "went on" in ended.stdout) == (0, True)
            assert server.wait(10) == -signal.SIGKILL
            assert state_of(child) in {None, "Z"}
        finally:
            server.kill()
            server.communicate()

    def test_a_process_that_is_no_server_is_left_alone(self, tmp_path: Path) -> None:
        pid_file = tmp_path / "postmaster.pid"
        for text in (f"{os.getpid()}\n", "", "words\n", "999999999\n"):
            pid_file.write_text(text, encoding="utf-8")
            kill_server(pid_file)
        kill_server(tmp_path / "nowhere")

    def test_stop_holds_the_process_until_it_is_told_to_go_on(self) -> None:
        code = (
            "from flatbed.tenants.kit.failpoints import Failpoint, arm, failpoint\n"
            "arm()\nfailpoint(Failpoint.JOB_DONE)\nprint('went on')"
        )
        held = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "FLATBED_FAILPOINTS": "job.done=stop"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            end = time.monotonic() + 30
            while state_of(held.pid) != "T" and time.monotonic() < end:
                time.sleep(0.01)
            assert state_of(held.pid) == "T"
            held.send_signal(signal.SIGCONT)
            assert "went on" in held.communicate(timeout=30)[0]
        finally:
            held.kill()
            held.communicate()


def state_of(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return None


class TestScan:
    def test_it_sees_a_call_and_only_a_call(self) -> None:
        text = "failpoint(Failpoint.JOB_DONE)\n# failpoint(Failpoint.JOB_TAKEN)\nother(1)\n"
        assert len(calls(text)) == 1
        assert json.dumps([ast.unparse(one) for one in calls(text)]) == (
            '["failpoint(Failpoint.JOB_DONE)"]'
        )
