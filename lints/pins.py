"""What a lock pins."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

PIN: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)"
    r"(?:\s*;\s*(?P<marker>[^\\\n]+?))?\s*(?:\\|$)",
)
HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Pin:
    """One package of a lock; a conditional one is installed on some machines only."""

    name: str
    version: str
    hashes: frozenset[str]
    conditional: bool


def normal(name: str) -> str:
    """The one spelling of a package's name: `Foo_Bar` and `foo.bar` are `foo-bar`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> Iterator[Pin]:
    """Every package of a lock's text, with the hashes of its releases.

    Raises:
        ValueError: a requirement is not pinned, or has no hash.
    """
    for requirement in re.split(r"\n(?!\s)", lock):
        text = "\n".join(line for line in requirement.splitlines() if line[:1] not in {"", "#"})
        if not text.strip():
            continue
        found = PIN.match(text)
        hashes = frozenset(HASH.findall(text))
        if found is None or not hashes:
            raise ValueError(f"not pinned by hash: {text.splitlines()[0][:80]}")
        marker = found["marker"]
        yield Pin(normal(found["name"]), found["version"], hashes, conditional=bool(marker))
