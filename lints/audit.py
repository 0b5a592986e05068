"""`python -m lints.audit`: ask whether a pinned package has a known vulnerability.

Exit code 0: every package was looked up, none has one. 1: some have. 3: **not checked**, because
no source answered for some or all of them. pip-audit itself calls a run in which it could look
nothing up "no known vulnerabilities", which is why its report is read and not its exit code.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lints.pins import normal, pins

LOCK: Final = Path(__file__).resolve().parent.parent / "requirements.lock"
SOURCES: Final = ("pypi", "osv")
PATIENCE_S: Final = 300
CLEAN, VULNERABLE, NOT_CHECKED = 0, 1, 3


@dataclass(frozen=True)
class Answer:
    """What one source said of one package; None when it knows nothing of it."""

    name: str
    version: str
    known: frozenset[str] | None


def ask(tool: str, lock: Path, source: str) -> list[Answer]:
    """One source's answers on the packages of a lock; none when it gave none that can be read."""
    command = [tool, "--requirement", str(lock), "--disable-pip", "--require-hashes"]
    command += ["--vulnerability-service", source, "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(  # noqa: S603 - our own tool and arguments, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return [_read(entry) for entry in json.loads(done.stdout)["dependencies"]]
    except (OSError, subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return []


def _read(entry: Mapping[str, Any]) -> Answer:
    if "skip_reason" in entry:
        return Answer(normal(entry["name"]), "", None)
    known = frozenset(str(found["id"]) for found in entry["vulns"])
    return Answer(normal(entry["name"]), str(entry["version"]), known)


def audit(tool: str, lock: Path) -> tuple[int, list[str]]:
    """The exit code and what to say."""
    pinned = list(pins(lock.read_text(encoding="utf-8")))
    # A package for other machines need not be looked up here, unless a source names it.
    left = {pin.name for pin in pinned if not pin.conditional}
    looked_up: set[str] = set()
    known: dict[str, frozenset[str]] = {}
    for source in SOURCES:
        for answer in ask(tool, lock, source):
            if answer.known is None:
                left.add(answer.name)
                continue
            looked_up.add(answer.name)
            if answer.known:
                package = f"{answer.name} {answer.version}"
                known[package] = known.get(package, frozenset()) | answer.known
        left -= looked_up
        if looked_up and not left:
            break
    said = [
        f"dependencies: {name}: {', '.join(sorted(ids))}" for name, ids in sorted(known.items())
    ]
    if left or not looked_up:
        which = f" for {len(left)} of {len(pinned)}: {', '.join(sorted(left))}"
        said.append(f"dependencies: not checked: no source answered{which if looked_up else ''}")
        return (VULNERABLE if known else NOT_CHECKED), said
    if known:
        return VULNERABLE, said
    return CLEAN, [f"dependencies: {len(looked_up)} packages, no known vulnerabilities"]


def main(argv: Sequence[str] | None = None) -> int:
    """Audit requirements.lock, or the lock that is named."""
    parser = argparse.ArgumentParser(prog="python -m lints.audit", description=__doc__)
    parser.add_argument("--lock", type=Path, default=LOCK)
    parser.add_argument("--pip-audit", default=str(Path(sys.executable).with_name("pip-audit")))
    chosen = parser.parse_args(argv)
    code, said = audit(chosen.pip_audit, chosen.lock)
    print("\n".join(said))
    return code


if __name__ == "__main__":
    sys.exit(main())
