"""Objects by kind and id, in the order they were made, and their journal in a file.

Each answered request appends one line, flushed before the answer: what a client was told, a
restarted fake knows, also after kill -9. A line that was torn by the end of the process is
dropped; nobody was answered for it. Opening the file writes it anew, whole, and then renames it.
"""

import json
import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, TextIO

Obj = dict[str, Any]


class StateFileError(Exception):
    """The state file cannot be read or written, or is not one. The text is for the terminal."""


class Store:
    """The objects.

    Args:
        file: where they are kept; None: in memory only.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._kinds: dict[str, dict[str, Obj]] = {}
        self._changed: dict[tuple[str, str], Obj | None] = {}
        """What an answer in the making has changed, as it was before."""
        self._journal: TextIO | None = None
        if file is not None:
            self._open(file)

    def get(self, kind: str, key: str) -> Obj | None:
        """A copy of one object, if it is there: a change counts when it is put."""
        return deepcopy(self._kinds.get(kind, {}).get(key))

    def oldest_first(self, kind: str) -> Iterator[Obj]:
        """All objects of a kind; not to be changed."""
        yield from list(self._kinds.get(kind, {}).values())

    def newest_first(self, kind: str) -> Iterator[Obj]:
        """All objects of a kind, as Stripe lists them; not to be changed."""
        yield from reversed(list(self._kinds.get(kind, {}).values()))

    def keys(self, kind: str) -> list[str]:
        """The keys of a kind."""
        return list(self._kinds.get(kind, {}))

    def count(self, kind: str) -> int:
        """How many there are of a kind."""
        return len(self._kinds.get(kind, {}))

    def put(self, kind: str, key: str, obj: Obj) -> None:
        """Keep a new or changed object."""
        objects = self._kinds.setdefault(kind, {})
        self._changed.setdefault((kind, key), objects.get(key))
        objects[key] = obj

    def remove(self, kind: str, key: str) -> None:
        """Forget an object."""
        self._changed.setdefault((kind, key), self._kinds.get(kind, {}).pop(key, None))

    def flush(self) -> None:
        """Write what has changed since the last time, as one line."""
        if self._journal is not None and self._changed:
            line = [[kind, key, self._kinds.get(kind, {}).get(key)] for kind, key in self._changed]
            self._journal.write(f"{json.dumps(line)}\n")
            self._journal.flush()
        self._changed.clear()

    def take_back(self) -> None:
        """Take back what has changed since the last time."""
        for (kind, key), before in self._changed.items():
            if before is None:
                self._kinds.get(kind, {}).pop(key, None)
            else:
                self._kinds[kind][key] = before
        self._changed.clear()

    def close(self) -> None:
        """Write the rest and let the file go."""
        self.flush()
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _open(self, file: Path) -> None:
        try:
            if file.exists():
                self._read(file)
            self._changed.clear()
            fresh = file.with_name(f"{file.name}.new")
            with fresh.open("w", encoding="utf-8") as whole:
                for kind, objects in self._kinds.items():
                    whole.writelines(
                        f"{json.dumps([[kind, key, obj]])}\n" for key, obj in objects.items()
                    )
                whole.flush()
                os.fsync(whole.fileno())
            fresh.replace(file)
            self._journal = file.open("a", encoding="utf-8")
        except OSError as error:
            raise StateFileError(f"cannot use {file}: {error.strerror}") from None

    def _read(self, file: Path) -> None:
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
        for number, line in enumerate(lines[:-1], start=1):
            try:
                for kind, key, obj in json.loads(line):
                    if obj is None:
                        self.remove(kind, key)
                    else:
                        self.put(kind, key, obj)
            except (TypeError, ValueError):
                raise StateFileError(f"{file}:{number} is no line of a state file") from None
