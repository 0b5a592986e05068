"""The tool itself: what does not fit, is not loaded or is an accident is no proof."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutations.catalogue import Edit, Hole, StaleHoleError, chosen, load
from tests.mutations.trial import Run, verdict_of

MODULE = "flatbed/app/ids.py"
HOLE = Hole(
    name="a hole",
    why="for a test",
    tests=("tests/test_x.py",),
    edits=(Edit(MODULE, "one", "two"),),
    sql=(),
    short=False,
    refusal="",
)
FAILURE = {"test": "tests/test_x.py::test", "when": "call", "error": "AssertionError", "text": "1"}


def tree(root: Path, text: str = "x = 'one'\n") -> Path:
    (root / "flatbed/app/__pycache__").mkdir(parents=True)
    (root / "migrations/versions").mkdir(parents=True)
    (root / MODULE).write_text(text, encoding="utf-8")
    (root / "flatbed/app/__pycache__/ids.cpython-311.pyc").write_bytes(b"stale")
    for number in ("0001_a.py", "0002_b.py"):
        text = "def upgrade():\n    op.execute('x')\n\n\ndef downgrade():\n    pass\n"
        (root / "migrations/versions" / number).write_text(text, encoding="utf-8")
    return root


def run(
    root: Path, code: int, *failed: dict[str, str], modules: tuple[str, ...] = (MODULE,)
) -> Run:
    found = frozenset(str((root / module).resolve()) for module in modules)
    return Run(code, found, ("tests/test_x.py::other",), failed, "the end")


class TestPlanting:
    def test_it_writes_the_file_anew_and_drops_what_was_compiled(self, tmp_path: Path) -> None:
        root = tree(tmp_path)
        linked = tmp_path / "original.py"
        linked.hardlink_to(root / MODULE)
        HOLE.plant(root)
        assert (root / MODULE).read_text(encoding="utf-8") == "x = 'two'\n"
        assert linked.read_text(encoding="utf-8") == "x = 'one'\n"
        assert list((root / "flatbed/app/__pycache__").iterdir()) == []

    @pytest.mark.parametrize("text", ["x = 'three'\n", "x = 'one' + 'one'\n"])
    def test_what_does_not_fit_exactly_once_is_an_error(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(StaleHoleError, match=r"a hole: flatbed/app/ids\.py"):
            HOLE.plant(tree(tmp_path, text))

    @pytest.mark.parametrize(
        ("test", "there"),
        [
            ("tests/test_y.py", False),
            ("tests/test_x.py", True),
            ("tests/test_x.py::TestX::test_a", True),
            ("tests/test_x.py::TestX::test", False),
            ("tests/test_x.py::TestY::test_a", False),
        ],
    )
    def test_who_must_notice_is_there(self, tmp_path: Path, test: str, *, there: bool) -> None:
        root, hole = tree(tmp_path), replace(HOLE, tests=(test,))
        (root / "tests").mkdir()
        text = "class TestX:\n    async def test_a(self) -> None: ...\n"
        (root / "tests/test_x.py").write_text(text, encoding="utf-8")
        if there:
            hole.check(root)
        else:
            with pytest.raises(StaleHoleError, match=f"a hole: there is no {test}"):
                hole.check(root)

    def test_sql_ends_the_newest_migration(self, tmp_path: Path) -> None:
        root = tree(tmp_path)
        hole = replace(HOLE, edits=(), sql=("DROP POLICY p ON t",))
        hole.plant(root)
        older, newest = (
            (root / "migrations/versions" / name).read_text(encoding="utf-8")
            for name in ("0001_a.py", "0002_b.py")
        )
        assert "DROP" not in older
        assert "op.execute('x')\n    op.execute('DROP POLICY p ON t')\n\n\ndef down" in newest
        assert hole.shapes_schema
        assert not HOLE.shapes_schema


class TestVerdict:
    def test_a_failed_test_on_the_copy_is_caught(self, tmp_path: Path) -> None:
        said, by = verdict_of(HOLE, run(tmp_path, 1, FAILURE), tmp_path)
        assert (said, by) == ("caught", "tests/test_x.py::test (AssertionError: 1)")

    def test_passed_tests_are_a_survivor(self, tmp_path: Path) -> None:
        assert verdict_of(HOLE, run(tmp_path, 0), tmp_path)[0] == "survived"

    def test_a_module_that_was_never_imported_proves_nothing(self, tmp_path: Path) -> None:
        seen = run(tmp_path, 1, FAILURE, modules=("flatbed/app/main.py",))
        assert verdict_of(HOLE, seen, tmp_path) == ("broken", f"never imported: {MODULE}")

    def test_another_program_than_the_copy_proves_nothing(self, tmp_path: Path) -> None:
        seen = run(tmp_path / "elsewhere", 1, FAILURE)
        said, why = verdict_of(HOLE, seen, tmp_path)
        assert said == "broken"
        assert why.startswith("imported from elsewhere")

    @pytest.mark.parametrize("code", [2, 3, 4, 5, -9])
    def test_an_end_that_is_no_failed_test_proves_nothing(self, tmp_path: Path, code: int) -> None:
        assert verdict_of(HOLE, run(tmp_path, code, FAILURE), tmp_path)[0] == "broken"

    @pytest.mark.parametrize(
        "more",
        [
            {"error": "NameError"},
            {"error": "ImportError"},
            {"error": "TypeError"},
            {"error": "KeyError"},
            {"error": "Failed", "text": "Timeout (>90.0s) from pytest-timeout."},
            {"when": "setup"},
        ],
    )
    def test_an_accident_proves_nothing(self, tmp_path: Path, more: dict[str, str]) -> None:
        said, why = verdict_of(HOLE, run(tmp_path, 1, {**FAILURE, **more}), tmp_path)
        assert (said, "tests/test_x.py::test" in why) == ("broken", True)

    def test_a_hole_may_name_the_programs_own_refusal(self, tmp_path: Path) -> None:
        hole = replace(HOLE, refusal="IntegrityError")
        for when in ("setup", "call"):
            seen = run(tmp_path, 1, {**FAILURE, "error": "IntegrityError", "when": when})
            assert verdict_of(hole, seen, tmp_path)[0] == "caught"
            assert verdict_of(HOLE, seen, tmp_path)[0] == "broken"


class TestCatalogue:
    @pytest.mark.parametrize(
        "table",
        [
            'name = "a"\nwhy = "b"\nsql = ["c"]\ntests = []',
            'name = "a"\nwhy = "b"\ntests = ["tests/x.py"]',
            'name = "a"\nsql = ["c"]\ntests = ["tests/x.py"]',
            'name = "a"\nwhy = "b"\nsql = ["c"]\ntests = ["tests/x.py"]\nother = 1',
            'name = "a"\nwhy = "b"\nsql = ["c"]\ntests = ["tests/mutations/test_holes.py"]',
        ],
        ids=["no_tests", "no_change", "no_why", "unknown_member", "would_run_itself"],
    )
    def test_a_hole_that_is_not_whole_is_refused(self, tmp_path: Path, table: str) -> None:
        (tmp_path / "x.toml").write_text(f"[[hole]]\n{table}\n", encoding="utf-8")
        with pytest.raises(ValueError, match="a hole has a name"):
            load(tmp_path)

    def test_a_hole_that_nobody_knows_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no such hole: nothing"):
            chosen((HOLE,), ["nothing"])
