"""A pytest plugin of the runs on a copy: which program was imported, and what failed how."""

import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

REPORT: Final = "MUTATION_REPORT"
"""The variable that names the file to write."""

_failed: list[dict[str, str]] = []
_passed: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember each outcome with the type of its error."""
    report = yield
    if report.failed and call.excinfo is not None:
        error = call.excinfo
        words = {"test": item.nodeid, "when": report.when, "error": error.typename}
        _failed.append({**words, "text": str(error.value)})
    elif report.passed and report.when == "call":
        _passed.append(item.nodeid)
    return report


def pytest_sessionfinish() -> None:
    """Write what was seen."""
    names = [name for name in sys.modules if name.split(".", maxsplit=1)[0] == "flatbed"]
    files = [getattr(sys.modules[name], "__file__", None) for name in sorted(names)]
    seen: dict[str, Any] = {
        "modules": [str(Path(file).resolve()) for file in files if file],
        "passed": _passed,
        "failed": _failed,
    }
    Path(os.environ[REPORT]).write_text(json.dumps(seen), encoding="utf-8")
