"""`python -m lints.secrets`: print what looks like a secret and is not in .secrets.baseline.

detect-secrets' own hook rewrites the baseline when a line moves, and reads through git; a gate
only reads, and by content. An entry of the baseline needs a `reason`, and one that nothing
answers to any more is a finding too. Nothing is looked up over the network. A file that was
clean is not read again until it, the baseline or detect-secrets changes.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

from detect_secrets import __version__
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

ROOT: Final = Path(__file__).resolve().parent.parent
BASELINE: Final = ".secrets.baseline"
CACHE: Final = ".secrets_cache"
# Environments, caches, builds and what the program stored: nothing of it is committed.
ELSEWHERE: Final = frozenset({"__pycache__", "build", "dist", "node_modules", "var"})
KEPT: Final = frozenset({".ci", ".github"})


class Found(NamedTuple):
    """Something that looks like a secret; only its digest is kept."""

    path: str
    line: int
    kind: str
    digest: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays when the line moves."""
        return self.path, self.kind, self.digest


def files(root: Path) -> Iterator[Path]:
    """Every file that may be committed, by its path from the root."""
    for place, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name in KEPT or not (name.startswith(".") or name in ELSEWHERE)
        )
        below = Path(place).relative_to(root)
        yield from (below / name for name in sorted(names) if name not in {BASELINE, CACHE})


def findings(root: Path) -> list[str]:
    """What is new, what has no reason and what is gone, one line each; never the secret."""
    text = (root / BASELINE).read_text(encoding="utf-8")
    baseline: dict[str, Any] = json.loads(text)
    known = {
        (path, entry["type"], entry["hashed_secret"]): str(entry.get("reason", ""))
        for path, entries in baseline["results"].items()
        for entry in entries
    }
    cache = _Cache(root / CACHE, f"{__version__}\n{text}")
    unread = [path for path in files(root) if not cache.holds(path, (root / path).read_bytes())]
    found = _scan(root, baseline, unread)
    cache.save({one.path for one in found})
    said = [
        f"{f.path}:{f.line}: looks like a secret ({f.kind})" for f in found if f.key not in known
    ]
    said += [
        f"{path}: {kind} in {BASELINE} has no reason"
        for (path, kind, _), reason in known.items()
        if " " not in reason.strip()
    ]
    gone = known.keys() - {one.key for one in found}
    return sorted([*said, *(f"{path}: {kind} in {BASELINE} is gone" for path, kind, _ in gone)])


def _scan(root: Path, baseline: dict[str, Any], paths: list[Path]) -> list[Found]:
    """What detect-secrets finds; many files are shared out among the processors."""
    workers = min(os.cpu_count() or 1, 1 + len(paths) // 50)
    scan = partial(_scan_part, root, baseline)
    if workers == 1:
        return scan(paths)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        parts = pool.map(scan, (paths[start :: workers * 4] for start in range(workers * 4)))
        return [found for part in parts for found in part]


def _scan_part(root: Path, baseline: dict[str, Any], paths: list[Path]) -> list[Found]:
    with transient_settings(baseline):
        return [
            Found(path.as_posix(), secret.line_number, secret.type, secret.secret_hash)
            for path in paths
            for secret in scan_file(str(root / path))
        ]


class _Cache:
    """Digests of files in which nothing was found, under one version of the rules."""

    def __init__(self, place: Path, rules: str) -> None:
        self.place = place
        self.rules = hashlib.sha256(rules.encode()).digest()
        self.clean = set(place.read_text().split()) if place.exists() else set()
        self.seen: dict[str, str] = {}

    def holds(self, path: Path, content: bytes) -> bool:
        """Whether nothing was found in the file as it is."""
        name = path.as_posix()
        digest = hashlib.sha256(self.rules + name.encode() + b"\0" + content).hexdigest()
        self.seen[name] = digest
        return digest in self.clean

    def save(self, found: set[str]) -> None:
        """Keep the files of this run but those in which something was found."""
        self.place.write_text("\n".join(d for name, d in self.seen.items() if name not in found))


def main() -> int:
    """Read the repository that this package lies in; 0 when clean, 1 with findings."""
    said = findings(ROOT)
    for line in said:
        print(line)
    if said:
        print(
            f"what is none is marked `# pragma: allowlist secret - why`, or entered in {BASELINE}"
        )
    print(f"secrets: {len(said)} findings")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
