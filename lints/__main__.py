"""`python -m lints`: print every breach as file:line, and exit with 1 if there is any."""

import sys
from collections.abc import Sequence
from pathlib import Path

from lints.database import AgencyPlaneListed, NoCommit, NoSessionSettings, SqlInRepositories
from lints.schema import NothingSwallowed, RowSecurityHolds, TablesByHelper
from lints.source import Finding, Rule, SourceFile
from lints.style import ClockOnly, FileLength, NoFloats, NothingUnfinished, SuppressionsReasoned
from lints.web import (
    AsyncOnly,
    BodiesAtTheEdge,
    CommitBeforeAnswer,
    NoExceptionText,
    ProblemsOnly,
    PureLayers,
)

ROOTS = ("flatbed", "migrations", "lints", "tests", "bench")
AGENCY_PLANE = AgencyPlaneListed()
RULES: tuple[Rule, ...] = (
    NoCommit(),
    SqlInRepositories(),
    NoSessionSettings(),
    AGENCY_PLANE,
    NoFloats(),
    FileLength(),
    NothingUnfinished(),
    SuppressionsReasoned(),
    ClockOnly(),
    NoExceptionText(),
    PureLayers(),
    AsyncOnly(),
    CommitBeforeAnswer(),
    BodiesAtTheEdge(),
    ProblemsOnly(),
    TablesByHelper(),
    RowSecurityHolds(),
    NothingSwallowed(),
)


def read(root: Path) -> dict[str, SourceFile]:
    """Every Python file below the roots that exist, by its path from the repository's root."""
    return {
        path.relative_to(root).as_posix(): SourceFile(
            path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        )
        for place in ROOTS
        for path in sorted((root / place).rglob("*.py"))
    }


def lint(sources: dict[str, SourceFile], rules: Sequence[Rule] = RULES) -> list[Finding]:
    """Every finding, ordered by file and line."""
    found = [finding for s in sources.values() for rule in rules for finding in rule.findings(s)]
    return sorted([*found, *AGENCY_PLANE.stale(sources)])


def main() -> int:
    """Lint the repository that this package lies in; 0 when clean, 1 with findings."""
    sources = read(Path(__file__).resolve().parent.parent)
    if not any(path.startswith("flatbed/") for path in sources):
        print("lints: found no source to read", file=sys.stderr)
        return 2
    findings = lint(sources)
    for finding in findings:
        print(finding)
    print(f"lints: {len(sources)} files, {len(RULES)} rules, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
