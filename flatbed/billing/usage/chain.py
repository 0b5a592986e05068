"""The hash chain of a tenant's ledger: pure, so that anybody can recompute it.

An entry's hash covers all of its columns and the hash of the entry before. The head keeps the
last hash, the anchor file outside the database keeps earlier heads: a chain that was rewritten
from some entry on, or cut at its end, agrees with one of them no longer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from flatbed.tenants.kit.canonical import GENESIS, chained, digest

OUTSIDE: Final = frozenset({"hash", "previous_hash"})
"""The columns that the content of an entry leaves out: the hash itself, and what it is over."""
FORMAT: Final = 2
"""How entries are sealed today, see :func:`covered`."""
_FIRST: Final = 1
_LATER: Final = frozenset({"credits_id", "replaces_id", "tiers", "country", "agent_ref", "format"})
"""Columns that an entry of the first format does not know."""
_COMMITTED: Final = frozenset({"unit_key", "agent_ref"})
"""What the tenant must not read in its proof: which company group of the agency's registry a unit
is, and which hunter worked it."""


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


_DIGEST: Final = "sha256:"
EMPTY: Final = Head(0, GENESIS)
"""The head of a ledger without entries."""


def covered(content: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry's hash covers, and what its owner is shown to recompute it.

    Today all columns, of the unit key and the agent a digest together with the entry's id: equal
    ones of two entries do not look equal. Covering it again changes nothing. An entry of the
    first format covers the columns of its time as they are.
    """
    if content.get("format", _FIRST) == _FIRST:
        known = {name: value for name, value in content.items() if name not in _LATER}
        # A later column that is filled is no content of its time: it shows as an edit.
        return {**known, **{name: content[name] for name in _LATER if _is_filled(content, name)}}
    return {**content, **{name: _commitment(content, name) for name in _COMMITTED}}


def seal(head: Head, content: Mapping[str, Any]) -> str:
    """The hash of the entry that follows ``head``."""
    return chained(head.hash, covered(content))


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


def _is_filled(content: Mapping[str, Any], name: str) -> bool:
    return name != "format" and content.get(name) is not None


def _commitment(content: Mapping[str, Any], name: str) -> str | None:
    value = content[name]
    if value is None:
        return None
    if str(value).startswith(_DIGEST):
        return str(value)
    return f"{_DIGEST}{digest([content['id'], name, value])}"


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
