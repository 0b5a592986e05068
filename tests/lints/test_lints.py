"""The linter as it is run."""

import subprocess
import sys
from pathlib import Path

from lints.__main__ import RULES, lint, read
from lints.source import SourceFile

ROOT = Path(__file__).resolve().parents[2]


class TestLint:
    def test_each_rule_has_its_own_code_and_a_reason(self) -> None:
        assert len({rule.code for rule in RULES}) == len(RULES)
        assert all(len(rule.reason.split()) > 4 for rule in RULES)

    def test_findings_are_ordered_and_name_file_line_code_and_reason(self) -> None:
        path = "flatbed/app/candidates/service.py"
        text = "session.rollback()\nsession.commit()  # TODO\n"
        everything = lint({path: SourceFile(path, text)})
        assert everything == sorted(everything)
        # The rest says that the listed entrances of the agency plane are not in this tree.
        found = [finding for finding in everything if finding.path == path]
        assert [(f.line, f.code) for f in found] == [(1, "FB001"), (2, "FB001"), (2, "FB007")]
        assert str(found[0]).startswith(f"{path}:1: FB001 calls .rollback(): one request is one")

    def test_it_reads_every_root_that_exists(self, tmp_path: Path) -> None:
        for name in ("flatbed/app/a.py", "migrations/env.py", "tests/b.py", "var/c.py"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        assert sorted(read(tmp_path)) == ["flatbed/app/a.py", "migrations/env.py", "tests/b.py"]


class TestCommand:
    def run(self, root: Path) -> subprocess.CompletedProcess[str]:
        """Run the linter over a copy of itself beside the given sources."""
        (root / "lints").mkdir()
        for file in (ROOT / "lints").glob("*.py"):
            (root / "lints" / file.name).write_bytes(file.read_bytes())
        (root / "lints" / "agency_plane.py").write_text("ENTRANCES: dict[str, str] = {}\n")
        return subprocess.run(
            [sys.executable, "-m", "lints"], cwd=root, capture_output=True, text=True, check=False
        )

    def test_a_breach_is_printed_and_ends_in_one(self, tmp_path: Path) -> None:
        (tmp_path / "flatbed").mkdir()
        (tmp_path / "flatbed" / "a.py").write_text("session.commit()\n")
        done = self.run(tmp_path)
        assert done.returncode == 1
        assert "flatbed/a.py:1: FB001" in done.stdout

    def test_a_clean_tree_ends_in_zero(self, tmp_path: Path) -> None:
        (tmp_path / "flatbed").mkdir()
        (tmp_path / "flatbed" / "a.py").write_text("x = 1\n")
        done = self.run(tmp_path)
        assert (done.returncode, "0 findings" in done.stdout) == (0, True)

    def test_no_source_at_all_is_a_mistake_not_a_pass(self, tmp_path: Path) -> None:
        assert self.run(tmp_path).returncode == 2
