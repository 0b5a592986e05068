"""The hash chain of a tenant's ledger: pure, so that anybody can recompute it.

An entry's hash covers all of its columns and the hash of the entry before. The head keeps the
last hash, the anchor file outside the database keeps earlier heads: a chain that was rewritten
from some entry on, or cut at its end, agrees with one of them no longer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from flatbed.tenants.kit.canonical import GENESIS, chained

OUTSIDE: Final = frozenset({"hash", "previous_hash"})
"""The columns that the content of an entry leaves out: the hash itself, and what it is over."""


class Fault(StrEnum):
    """What a check found."""

    EDITED = "edited"
    """The entry's content does not give its hash."""
    DISPLACED = "displaced"
    """The entry does not name the hash of the entry before: one was put in, cut out or moved."""
    MISSING = "missing"
    """A sequence number is not there."""
    REPEATED = "repeated"
    """A sequence number is there twice, or out of order."""
    HEAD = "head"
    """The chain does not end where the ledger's head says."""
    ANCHOR = "anchor"
    """The chain does not hold an entry that the anchor file has seen."""
    CANDIDATE = "candidate"
    """A qualified candidate and the live entries disagree."""
    COUNTER = "counter"
    """A cap's counter is not the sum of the live entries."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: at which entry (its sequence number, None where there is none), and how."""

    fault: Fault
    sequence: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as stored: ``content`` are all its columns but the two hashes."""

    sequence: int
    previous_hash: str
    hash: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends, or ended when it was anchored."""

    sequence: int
    hash: str


EMPTY: Final = Head(0, GENESIS)
"""The head of a ledger without entries."""


def seal(head: Head, content: Mapping[str, Any]) -> str:
    """The hash of the entry that follows ``head``."""
    return chained(head.hash, dict(content))


def verify(links: Iterable[Link], head: Head | None, anchors: Iterable[Head] = ()) -> list[Finding]:
    """Everything that is wrong with a chain, in the order of the entries.

    Args:
        links: the stored entries by sequence number.
        head: the ledger's head; None if there is none.
        anchors: earlier heads, kept outside the database.
    """
    findings: list[Finding] = []
    seen: dict[int, str] = {EMPTY.sequence: EMPTY.hash}
    last = EMPTY
    for link in links:
        findings += _step(last, link)
        seen[link.sequence] = link.hash
        last = Head(link.sequence, link.hash)
    if (head or EMPTY) != last:
        end = head or EMPTY
        findings.append(
            Finding(
                Fault.HEAD,
                end.sequence,
                f"the head is at {end.sequence}, the last entry is {last.sequence}"
                if end.sequence != last.sequence
                else "the head has another hash than the last entry",
            )
        )
    for anchor in sorted(set(anchors), key=lambda one: (one.sequence, one.hash)):
        if seen.get(anchor.sequence) != anchor.hash:
            what = "another hash now" if anchor.sequence in seen else "gone"
            findings.append(Finding(Fault.ANCHOR, anchor.sequence, f"an anchored entry is {what}"))
    return findings


def _step(last: Head, link: Link) -> list[Finding]:
    findings = []
    if link.sequence <= last.sequence:
        findings.append(Finding(Fault.REPEATED, link.sequence, f"it follows {last.sequence}"))
    elif link.sequence > last.sequence + 1:
        findings.append(
            Finding(
                Fault.MISSING,
                last.sequence + 1,
                f"{link.sequence - last.sequence - 1} entries are gone",
            )
        )
    if link.previous_hash != last.hash:
        findings.append(
            Finding(Fault.DISPLACED, link.sequence, "it does not follow the entry before")
        )
    if (
        seal(Head(last.sequence, link.previous_hash), link.content) != link.hash
        or link.content.get("sequence", link.sequence) != link.sequence
    ):
        findings.append(Finding(Fault.EDITED, link.sequence, "its content does not give its hash"))
    return findings
