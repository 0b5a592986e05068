"""Plants holes one at a time in copies of the tree and judges what the suite says.

Every run imports the copy, never the installed program: the witness says so, or nothing counts.
The same tests must pass on the copy without a hole, or nothing would be proved.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from flatbed.tenants.kit.database.migrate import upgrade
from flatbed.tenants.kit.database.provision import provision, quoted
from flatbed.tenants.kit.database.urls import connect, with_database
from flatbed.tenants.kit.embedded.locks import FileLock
from flatbed.tenants.kit.embedded.server import EmbeddedPostgres
from tests.mutations.catalogue import Hole, StaleHoleError
from tests.mutations.witness import REPORT
from tests.support.postgres import ADMIN_URL, PREFIX, TEMPLATE, passwords

ROOT: Final = Path(__file__).parents[2]
SECONDS_PER_TEST: Final = 90
SECONDS_PER_RUN: Final = 400
# Only what the suite needs: loading every installed plugin takes longer than most of the tests.
_PLUGINS: Final = ("pytest_asyncio.plugin", "pytest_timeout", "_hypothesis_pytestplugin")
_OPTIONS: Final = ("-x", "-q", "-p", "no:cacheprovider", "-o", f"timeout={SECONDS_PER_TEST}")
_FOREIGN: Final = ("PYTEST_", "PYTHON", "FLATBED_", "COV", "RUN_LONG", "MUTATION_")
# A test that finds something wrong says so; whatever else is raised may be a mistake of the plant.
_FINDINGS: Final = frozenset({"AssertionError", "Failed"})

Said = Literal["caught", "survived", "broken"]


class BaselineError(Exception):
    """The chosen tests do not pass without a hole: what they say with one means nothing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a hole: by which test it was caught, or what else happened."""

    hole: str
    said: Said
    by: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """One run of pytest on a copy: its exit code, what the witness saw and what it printed."""

    code: int
    modules: frozenset[str]
    passed: Sequence[str]
    failed: Sequence[dict[str, str]]
    output: str


@dataclass(frozen=True, slots=True)
class Laboratory:
    """A pristine copy of the tree, and a database server of its own."""

    folder: Path
    admin_url: str

    @property
    def template(self) -> str:
        """The name of the migrated database that runs copy theirs from."""
        return f"{self.folder.name.replace('-', '_')}_template"

    @property
    def pristine(self) -> Path:
        """The copy without a hole."""
        return self.folder / "pristine"

    def baseline(self, tests: Sequence[str]) -> float:
        """Run the tests without a hole. Returns the seconds that it took.

        Raises:
            BaselineError: they do not pass, or the run did not import the copy.
        """
        began = time.monotonic()
        limit = SECONDS_PER_RUN + SECONDS_PER_TEST * len(tests)
        run = self._run(self.pristine, tests, fresh_schema=False, limit=limit)
        strays = _strays(run, self.pristine)
        if run.code != 0 or not run.passed or strays:
            raise BaselineError(f"{strays or ''}\n{run.output}")
        return time.monotonic() - began

    def judge(self, hole: Hole) -> Verdict:
        """Plant the hole and run its tests.

        Raises:
            StaleHoleError: it does not fit.
        """
        began = time.monotonic()
        copy = Path(tempfile.mkdtemp(prefix="hole-", dir=self.folder)) / "tree"
        try:
            # Linked, not copied: a plant, a compiled file and a report are all written anew.
            shutil.copytree(self.pristine, copy, copy_function=os.link)
            hole.plant(copy)
            run = self._run(copy, hole.tests, fresh_schema=hole.shapes_schema)
            said, by = verdict_of(hole, run, copy)
        finally:
            shutil.rmtree(copy.parent, ignore_errors=True)
        return Verdict(hole.name, said, by, round(time.monotonic() - began, 1))

    def _run(
        self,
        tree: Path,
        tests: Sequence[str],
        *,
        fresh_schema: bool,
        limit: int = SECONDS_PER_RUN,
    ) -> Run:
        report = tree.parent / f"{tree.name}.json"
        report.unlink(missing_ok=True)
        env = {
            name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)
        } | {
            "PYTHONPATH": str(tree),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            REPORT: str(report),
            ADMIN_URL: self.admin_url,
        }
        if not fresh_schema:
            env[TEMPLATE] = self.template
        plugins = [part for name in (*_PLUGINS, _WITNESS) for part in ("-p", name)]
        command = [sys.executable, "-m", "pytest", *plugins, *_OPTIONS, *tests]
        try:
            done = subprocess.run(
                command,
                cwd=tree,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return Run(-1, frozenset(), (), (), f"no end after {error.timeout} s")
        seen: dict[str, Any] = {"modules": [], "passed": [], "failed": []}
        if report.is_file():
            seen = json.loads(report.read_text(encoding="utf-8"))
        return Run(
            done.returncode,
            frozenset(seen["modules"]),
            seen["passed"],
            seen["failed"],
            done.stdout,
        )


_WITNESS: Final = "tests.mutations.witness"


def verdict_of(hole: Hole, run: Run, tree: Path) -> tuple[Said, str]:
    """What a run says of a hole, and which test or what reason.

    Caught is what a test of the suite itself found wrong, or the program's own refusal that the
    hole names. An import or collection error, a time that ran out, a mistake of the plant, or a
    run of another program than the copy proves nothing.
    """
    if reason := _strays(run, tree) or _unloaded(hole, run, tree):
        return "broken", reason
    if run.code == 0 and run.passed:
        return "survived", f"{len(run.passed)} tests pass"
    if run.code != 1 or not run.failed:
        return "broken", f"exit code {run.code}: {_last_line(run.output)}"
    first = run.failed[0]
    line = first["text"].strip().partition("\n")[0][:160]
    shown = f"{first['test']} ({first['error']}: {line})"
    if first["error"] not in _FINDINGS | {hole.refusal} or line.startswith("Timeout"):
        return "broken", f"an accident, no finding: {shown}"
    if first["when"] != "call" and first["error"] != hole.refusal:
        return "broken", f"in {first['when']}, where nothing is tested: {shown}"
    return "caught", shown


def _unloaded(hole: Hole, run: Run, tree: Path) -> str:
    """Changed modules of the program that the run did not import, as a reason."""
    wanted = (file for file in hole.modules if file.startswith("flatbed/"))
    missing = [file for file in wanted if str((tree / file).resolve()) not in run.modules]
    return f"never imported: {', '.join(missing)}" if missing and run.code in {0, 1} else ""


def _strays(run: Run, tree: Path) -> str:
    """Modules of another program than the copy, as a reason; empty when there are none."""
    home = f"{(tree / 'flatbed').resolve()}{os.sep}"
    found = sorted(file for file in run.modules if not file.startswith(home))
    if found:
        return f"imported from elsewhere: {found[0]}"
    return "" if run.modules or run.code != 0 else "the program was never imported"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no output"


def check(holes: Sequence[Hole]) -> list[str]:
    """The holes that do not fit the tree of now, each with the reason."""
    found = []
    for hole in holes:
        try:
            hole.check(ROOT)
        except StaleHoleError as error:
            found.append(str(error))
    return found


def try_all(
    holes: Sequence[Hole], *, jobs: int = 1, tell: Callable[[str, float], None] | None = None
) -> list[Verdict]:
    """Judge the holes, after their tests have passed without one.

    Args:
        holes: which.
        jobs: how many at once.
        tell: called with the name and the seconds of each step done.

    Raises:
        BaselineError: the tests do not pass without a hole.
        StaleHoleError: a hole does not fit.
    """
    with laboratory() as lab:
        tests = list(dict.fromkeys(test for hole in holes for test in hole.tests))
        seconds = lab.baseline(tests)
        if tell is not None:
            tell("without a hole", seconds)

        def one(hole: Hole) -> Verdict:
            verdict = lab.judge(hole)
            if tell is not None:
                tell(f"{hole.name}: {verdict.said}", verdict.seconds)
            return verdict

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, holes))


@contextmanager
def laboratory() -> Iterator[Laboratory]:
    """A copy of the tree and a server, gone at the end.

    The server is the one that the suite was told to use, if any.
    """
    # Laid out as the suite's own folder, which sweeps up what a killed run leaves.
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder.chmod(0o711)  # the server's user passes through when we are root
    alive = FileLock(folder / "alive")
    alive.share()
    server = EmbeddedPostgres(folder / "server", durable=False)
    lab = Laboratory(folder, os.environ.get(ADMIN_URL) or server.start().url())
    try:
        asyncio.run(_make_template(lab))
        copy_tree(lab.pristine)
        yield lab
    finally:
        if ADMIN_URL in os.environ:
            asyncio.run(_drop_template(lab))
        server.destroy()
        alive.release()
        shutil.rmtree(folder, ignore_errors=True)


async def _make_template(lab: Laboratory) -> None:
    made = await provision(lab.admin_url, lab.template, passwords=passwords(lab.admin_url))
    await upgrade(made.owner_url)


async def _drop_template(lab: Laboratory) -> None:
    server = await connect(with_database(lab.admin_url, "postgres"))
    try:
        await server.execute(f"DROP DATABASE IF EXISTS {quoted(lab.template)} WITH (FORCE)")
    finally:
        await server.close()


def copy_tree(target: Path) -> None:
    """Copy what git knows or would take, with what Python has compiled of it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git is where the developer has it
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        source = ROOT / name
        if not name or not source.is_file():
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target / name)
