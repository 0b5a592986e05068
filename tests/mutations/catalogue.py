"""The holes: each a change that a hurried developer might make, and who must notice it.

They stand in ``holes/*.toml``. A hole is planted in a copy of the tree by exact replacements, each
of which must fit exactly once, or by SQL at the end of the newest migration.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HOLES: Final = Path(__file__).parent / "holes"
MIGRATIONS: Final = "migrations/versions"
_END_OF_UPGRADE: Final = "\n\n\ndef downgrade("
# What a template is made from: with one of these changed it must be made anew.
_SHAPES_SCHEMA: Final = (
    "migrations/",
    "flatbed/tenants/kit/database/schema.py",
    "flatbed/tenants/kit/database/provision.py",
    "flatbed/tenants/kit/database/migrate.py",
)
_MEMBERS: Final = {"name", "why", "tests", "edit", "sql", "short", "refusal"}


class StaleHoleError(Exception):
    """A hole does not fit the program any more: mend the hole, or it proves nothing."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement in one file."""

    file: str
    find: str
    replace: str

    def changed(self, root: Path, hole: str) -> str:
        """The file's text with the hole.

        Raises:
            StaleHoleError: the text to replace is not there exactly once.
        """
        path = root / self.file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if (found := text.count(self.find)) != 1:
            raise StaleHoleError(f"{hole}: {self.file} holds {found} times: {self.find!r}")
        return text.replace(self.find, self.replace)

    def apply(self, root: Path, hole: str) -> None:
        """Write the changed file anew, for it may be linked to the original."""
        text, path = self.changed(root, hole), root / self.file
        path.unlink()
        path.write_text(text, encoding="utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()


@dataclass(frozen=True, slots=True)
class Hole:
    """One hole.

    ``tests`` are the pytest node ids that must notice it. ``refusal`` names the program's own
    error where it, and no test, refuses, be it in a fixture. ``short`` are run by ``make check``,
    the others by ``make check-long``.
    """

    name: str
    why: str
    tests: tuple[str, ...]
    edits: tuple[Edit, ...]
    sql: tuple[str, ...]
    short: bool
    refusal: str

    @property
    def shapes_schema(self) -> bool:
        """Whether it is in what the migrations make."""
        return bool(self.sql) or any(edit.file.startswith(_SHAPES_SCHEMA) for edit in self.edits)

    @property
    def modules(self) -> tuple[str, ...]:
        """The changed files of the program, which a run must have imported."""
        return tuple(edit.file for edit in self.edits if edit.file.endswith(".py"))

    def plant(self, root: Path) -> None:
        """Change the copy of the tree.

        Raises:
            StaleHoleError: it does not fit.
        """
        for edit in (*self.edits, *self._in_migration(root)):
            edit.apply(root, self.name)

    def check(self, root: Path) -> None:
        """Raise `StaleHoleError` unless it fits the tree and its tests are there."""
        for edit in (*self.edits, *self._in_migration(root)):
            edit.changed(root, self.name)
        if gone := [test for test in self.tests if not _is_there(root, test)]:
            raise StaleHoleError(f"{self.name}: there is no {gone[0]}")

    def _in_migration(self, root: Path) -> Iterator[Edit]:
        if self.sql:
            newest = max(path.name for path in (root / MIGRATIONS).glob("[0-9]*.py"))
            lines = "".join(f"\n    op.execute({statement!r})" for statement in self.sql)
            if not re.search(r"\bop\.", (root / MIGRATIONS / newest).read_text(encoding="utf-8")):
                lines = "\n    from alembic import op" + lines
            yield Edit(f"{MIGRATIONS}/{newest}", _END_OF_UPGRADE, lines + _END_OF_UPGRADE)


def load(folder: Path = HOLES) -> tuple[Hole, ...]:
    """Every hole, in the order of the files.

    Raises:
        ValueError: a hole is not whole, has the name of another, or would run this tool.
    """
    holes = [
        _hole(table)
        for path in sorted(folder.glob("*.toml"))
        for table in tomllib.loads(path.read_text(encoding="utf-8"))["hole"]
    ]
    names = [hole.name for hole in holes]
    if len(set(names)) != len(names):
        raise ValueError(f"two holes of one name: {sorted(names)}")
    return tuple(holes)


def chosen(holes: Iterable[Hole], names: Iterable[str]) -> tuple[Hole, ...]:
    """The holes of these names.

    Raises:
        ValueError: there is no such hole.
    """
    by_name = {hole.name: hole for hole in holes}
    wanted = list(names)
    if unknown := [name for name in wanted if name not in by_name]:
        raise ValueError(f"no such hole: {', '.join(unknown)}")
    return tuple(by_name[name] for name in wanted)


def _is_there(root: Path, test: str) -> bool:
    file, *names = test.split("::")
    text = (root / file).read_text(encoding="utf-8") if (root / file).is_file() else None
    return text is not None and all(
        re.search(rf"^\s*(class|def|async def) {name}\b", text, re.MULTILINE) for name in names
    )


def _hole(table: Mapping[str, Any]) -> Hole:
    name = table.get("name", "?")
    tests, edits = tuple(table.get("tests", ())), table.get("edit", ())
    whole = table.get("why") and tests and (edits or "sql" in table) and set(table) <= _MEMBERS
    if not whole or any(test.startswith("tests/mutations") for test in tests):
        raise ValueError(f"{name}: a hole has a name, a why, tests outside this folder, a change")
    return Hole(
        name=name,
        why=table["why"],
        tests=tests,
        edits=tuple(Edit(**edit) for edit in edits),
        sql=tuple(table.get("sql", ())),
        short=table.get("short", False),
        refusal=table.get("refusal", ""),
    )
