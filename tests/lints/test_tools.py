"""The gates beside the rules: secrets, bill of materials, audit, and hooks like the check."""

import json
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

from lints import audit, sbom, secrets
from lints.pins import Pin, pins

ROOT = Path(__file__).resolve().parents[2]
LOCK = (
    f"plain==1.0 \\\n    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n"
    f"Odd_Name==2.0 ; sys_platform == 'win32' \\\n    --hash=sha256:{'c' * 64}\n"
)


class TestPins:
    def test_a_lock_is_read_with_its_hashes_and_conditions(self) -> None:
        assert list(pins(LOCK)) == [
            Pin("plain", "1.0", frozenset({"a" * 64, "b" * 64}), conditional=False),
            Pin("odd-name", "2.0", frozenset({"c" * 64}), conditional=True),
        ]

    @pytest.mark.parametrize("line", ["loose>=1.0", "bare==1.0", "-r other.txt", "x @ https://y"])
    def test_what_is_not_pinned_by_hash_is_refused(self, line: str) -> None:
        with pytest.raises(ValueError, match="not pinned by hash"):
            list(pins(f"{LOCK}{line}\n"))


class TestSecrets:
    """`make check-secrets`."""

    TOKEN = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"  # pragma: allowlist secret - made up
    PASSWORD = "password = 'hunter-two-9'\n"  # pragma: allowlist secret - made up

    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        baseline = json.loads((ROOT / secrets.BASELINE).read_text())
        (tmp_path / secrets.BASELINE).write_text(json.dumps({**baseline, "results": {}}))
        for folder in ("flatbed", "docs", "tests", "var", ".git"):
            (tmp_path / folder).mkdir()
        (tmp_path / "flatbed" / "a.py").write_text("x = 1\n")
        return tmp_path

    @pytest.mark.parametrize("path", ["flatbed/b.py", "docs/b.md", "tests/b.py", "Makefile"])
    def test_a_planted_secret_is_found_and_not_repeated(self, tree: Path, path: str) -> None:
        assert secrets.findings(tree) == []
        (tree / path).write_text(f"x = 1\ntoken = '{self.TOKEN}'\n")
        assert any(line.startswith(f"{path}:2: looks like") for line in secrets.findings(tree))
        assert self.TOKEN not in "".join(secrets.findings(tree))

    def test_a_password_an_address_and_a_key_are_found(self, tree: Path) -> None:
        key = "-----BEGIN PRIVATE KEY-----\n"  # pragma: allowlist secret - the first line alone
        address = "x = 'https://me:myself@host'\n"  # pragma: allowlist secret - made up
        for number, text in enumerate((self.PASSWORD, address, key)):
            (tree / f"{number}.py").write_text(text)
        assert [line.split(":")[0] for line in secrets.findings(tree)] == ["0.py", "1.py", "2.py"]

    def test_a_mark_beside_it_or_a_place_that_is_never_committed_is_left_alone(
        self, tree: Path
    ) -> None:
        mark = "# pragma: allowlist secret - a guess"
        (tree / "tests" / "b.py").write_text(f"{self.PASSWORD.strip()}  {mark}\n")
        (tree / "var" / "b.py").write_text(self.PASSWORD)
        (tree / ".git" / "config").write_text(self.PASSWORD)
        assert secrets.findings(tree) == []

    def test_an_entry_survives_a_moved_line_but_not_the_end_of_its_secret(self, tree: Path) -> None:
        place = tree / "tests" / "b.py"
        place.write_text(self.PASSWORD)
        with transient_settings(json.loads((tree / secrets.BASELINE).read_text())):
            entry = next(iter(scan_file(str(place)))).json()
        self.enter(tree, {**entry, "reason": "a wrong guess"})
        place.write_text(f"\n\n{self.PASSWORD}")
        before = (tree / secrets.BASELINE).read_bytes()
        assert secrets.findings(tree) == []
        assert (tree / secrets.BASELINE).read_bytes() == before
        self.enter(tree, entry)
        assert [line.split()[-3:] for line in secrets.findings(tree)] == [["has", "no", "reason"]]
        self.enter(tree, {**entry, "reason": "a wrong guess"})
        place.write_text("\n")
        assert [line.split()[-1] for line in secrets.findings(tree)] == ["gone"]

    def enter(self, tree: Path, entry: dict[str, Any]) -> None:
        baseline = json.loads((tree / secrets.BASELINE).read_text())
        baseline["results"] = {"tests/b.py": [entry]}
        (tree / secrets.BASELINE).write_text(json.dumps(baseline))

    def test_the_committed_baseline_names_no_machine_and_looks_nothing_up(self) -> None:
        text = (ROOT / secrets.BASELINE).read_text()
        baseline = json.loads(text)
        assert str(ROOT) not in text
        assert "verification" not in text
        assert len(baseline["plugins_used"]) > 20
        assert all(not Path(path).is_absolute() for path in baseline["results"])


class TestSbom:
    """`make sbom`."""

    def test_it_names_every_pin_and_is_the_same_each_time(self) -> None:
        bill = sbom.made(sbom.LOCK)
        pinned = tuple(pins(sbom.LOCK.read_text()))
        assert sbom.missing(bill, pinned) == []
        assert len(pinned) > 40
        assert bill["specVersion"] == "1.6"
        assert sbom.made(sbom.LOCK) == bill
        said = json.dumps(bill)
        assert not re.search(r'serialNumber|timestamp|pypi\.org|"/simple', said)
        assert sbom.invalid(said) is None

    def test_a_package_a_version_or_a_hash_that_is_not_there_is_missed(self) -> None:
        pinned = tuple(pins(sbom.LOCK.read_text()))
        bill = sbom.made(sbom.LOCK)
        gone, other, bare, *_ = bill["components"]
        bill["components"].remove(gone)
        other["version"] = "0"
        bare["externalReferences"][0]["hashes"].pop()
        bill["components"].append({"name": "stranger", "version": "1"})
        names = (gone["name"], other["name"], bare["name"], "stranger")
        assert [line.split()[0] for line in sbom.missing(bill, pinned)] == list(names)

    def test_an_invalid_bill_is_noticed(self) -> None:
        assert sbom.invalid('{"bomFormat": "CycloneDX", "specVersion": "1.6", "x": 1}')


class TestAudit:
    """`make audit`: three outcomes that must never be taken for each other."""

    LOOKED_UP: ClassVar[dict[str, Any]] = {"name": "plain", "version": "1.0", "vulns": []}
    ODD: ClassVar[dict[str, Any]] = {"name": "odd_name", "version": "2.0", "vulns": []}
    SKIPPED: ClassVar[dict[str, Any]] = {"name": "plain", "skip_reason": "Dependency not found"}
    HOLED: ClassVar[dict[str, Any]] = {
        "name": "plain",
        "version": "1.0",
        "vulns": [{"id": "PYSEC-1", "fix_versions": []}],
    }

    def run(
        self,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
        *said: dict[str, Any] | str,
        osv: str = "",
    ) -> tuple[int, str]:
        """The outcome when pip-audit says this of `pypi`, exits with 0, and that of `osv`."""
        (folder / "lock").write_text(LOCK)
        answer = said[0] if said and isinstance(said[0], str) else {"dependencies": said}
        text = answer if isinstance(answer, str) else json.dumps(answer)
        tool = folder / "pip-audit"
        tool.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"print({osv!r} if 'osv' in sys.argv else {text!r})\nprint('a word', file=sys.stderr)\n"
        )
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
        code = audit.main(["--lock", str(folder / "lock"), "--pip-audit", str(tool)])
        return code, capsys.readouterr().out

    def test_all_looked_up_and_none_known(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, said = self.run(tmp_path, capsys, self.LOOKED_UP)
        assert (code, said) == (0, "dependencies: 1 packages, no known vulnerabilities\n")

    def test_a_known_one_is_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, said = self.run(tmp_path, capsys, self.HOLED, self.ODD)
        assert (code, said) == (1, "dependencies: plain 1.0: PYSEC-1\n")

    @pytest.mark.parametrize(
        "answer", ["", "no route to host", '{"dependencies": []}', "[]", '{"dependencies": [{}]}']
    )
    def test_no_answer_is_not_checked(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: str
    ) -> None:
        code, said = self.run(tmp_path, capsys, answer)
        assert code == 3
        assert said == "dependencies: not checked: no source answered\n"

    def test_pip_audits_own_all_clear_without_a_source_is_not_checked(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, said = self.run(tmp_path, capsys, self.SKIPPED)
        assert code == 3
        assert "not checked" in said
        assert "no known" not in said

    def test_one_package_that_was_not_looked_up_is_not_checked_and_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, said = self.run(tmp_path, capsys, self.SKIPPED, self.ODD)
        assert code == 3
        assert said.endswith("no source answered for 1 of 2: plain\n")
        both = json.dumps({"dependencies": [self.LOOKED_UP]})
        assert self.run(tmp_path, capsys, self.SKIPPED, self.ODD, osv=both)[0] == 0

    def test_a_known_one_outweighs_what_was_not_checked(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        skipped = {"name": "odd-name", "skip_reason": "Dependency not found"}
        code, said = self.run(tmp_path, capsys, self.HOLED, skipped)
        assert (code, "PYSEC-1" in said, "not checked" in said) == (1, True, True)

    def test_a_tool_that_is_not_there_is_not_checked(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "lock").write_text(LOCK)
        gone = ["--lock", str(tmp_path / "lock"), "--pip-audit", str(tmp_path / "none")]
        assert audit.main(gone) == 3
        assert "not checked" in capsys.readouterr().out


class TestHooks:
    """.pre-commit-config.yaml mirrors `make check`."""

    CONFIG = ROOT / ".pre-commit-config.yaml"

    def hooks(self, stage: str) -> list[dict[str, Any]]:
        config = yaml.safe_load(self.CONFIG.read_text())
        assert [repository["repo"] for repository in config["repos"]] == ["local"]
        return [
            hook
            for hook in config["repos"][0]["hooks"]
            if stage in hook.get("stages", config["default_stages"])
        ]

    def commands(self, *targets: str) -> list[str]:
        """What make would run for the targets."""
        make = ["make", "--no-print-directory", "--dry-run", "--assume-old=setup", *targets]
        done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True)
        return [
            line for line in done.stdout.splitlines() if "dependencies: not checked" not in line
        ]

    def test_the_hooks_run_what_the_check_runs_in_its_order(self) -> None:
        entries = [hook["entry"].split() for hook in self.hooks("pre-commit")]
        assert all(entry[:2] == ["make", "--no-print-directory"] for entry in entries)
        static = self.commands("check-static")
        assert len(static) == len(entries) == 10
        assert [command for e in entries for command in self.commands(*e[2:])] == static
        pushed = [e["entry"].split()[2] for e in self.hooks("pre-push")]
        assert [*static, *self.commands(*pushed)] == self.commands("check")

    def test_no_hook_is_skipped_for_files_of_another_kind_or_fetched(self) -> None:
        for hook in (*self.hooks("pre-commit"), *self.hooks("pre-push")):
            assert (hook["always_run"], hook["pass_filenames"]) == (True, False)
            assert hook["language"] == "unsupported"
            assert not {"files", "types", "exclude", "additional_dependencies"} & hook.keys()

    def test_pre_commit_takes_the_file_and_runs_a_hook_in_a_fresh_repository(
        self, tmp_path: Path
    ) -> None:
        shutil.copy(self.CONFIG, tmp_path)
        (tmp_path / "Makefile").write_text("check-format:\n\ttouch was-here\n")
        tool = str(Path(sys.executable).with_name("pre-commit"))
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
        for command in (
            ["git", "init", "--quiet"],
            ["git", "add", "."],
            [tool, "validate-config"],
            [tool, "install"],
            [tool, "run", "check-format", "--all-files"],
        ):
            subprocess.run(
                command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=60
            )
        assert (tmp_path / "was-here").exists()
        assert {"pre-commit", "pre-push"} <= {p.name for p in (tmp_path / ".git/hooks").iterdir()}
