"""The anchor file: ledger heads outside the database, so that a removed tail shows.

One JSON object a line, appended and synced. Whoever may write the database should not be able to
write this file's older lines; keep it on another disk or ship it elsewhere.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from flatbed.billing.usage.chain import Head
from flatbed.tenants.kit.canonical import canonical


@dataclass(frozen=True, slots=True)
class Anchor:
    """A tenant's head as it was at an instant of the system's clock."""

    tenant_id: UUID
    head: Head
    at: datetime


def append(path: Path, anchor: Anchor) -> None:
    """Write a line and wait until it is on disk. Safe beside other processes, and to repeat.

    Raises:
        OSError: the file cannot be written.
    """
    line = canonical(
        {
            "tenant": anchor.tenant_id,
            "sequence": anchor.head.sequence,
            "hash": anchor.head.hash,
            "at": anchor.at,
        }
    )
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        # A crash may have torn the last line: it must not swallow this one.
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        rest = memoryview((b"\n" if torn else b"") + line.encode() + b"\n")
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path, tenant_id: UUID) -> list[Head]:
    """The anchored heads of a tenant; a torn line is passed over, a missing file holds none.

    Raises:
        OSError: the file is there and cannot be read.
    """
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace") as lines:
        return [head for owner, head in _heads(lines) if owner == str(tenant_id)]


def _heads(lines: Iterator[str]) -> Iterator[tuple[str, Head]]:
    for line in lines:
        try:
            entry = json.loads(line)
            yield str(entry["tenant"]), Head(int(entry["sequence"]), str(entry["hash"]))
        except (ValueError, KeyError, TypeError):
            continue
