"""The hash chain of a tenant's ledger: pure, so that anybody can recompute it.

An entry's hash covers all of its columns and the hash of the entry before. The head keeps the
last hash, the anchor file outside the database keeps earlier heads: a chain that was rewritten
from some entry on, or cut at its end, agrees with one of them no longer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from flatbed.tenants.kit.canonical import (
    GENESIS,
    Shape,
    canonical,
    chained_text,
    digest_of_text,
)

OUTSIDE: Final = frozenset({"hash", "previous_hash"})
"""The columns that the content of an entry leaves out: the hash itself, and what it is over."""
FORMAT: Final = 2
"""How entries are sealed today, see :func:`covered`."""
FIRST: Final = 1
"""How they were sealed at first."""
LATER: Final = frozenset({"credits_id", "replaces_id", "tiers", "country", "agent_ref", "format"})
"""Columns that an entry of the first format does not know."""
COMMITTED: Final = ("unit_key", "agent_ref")
"""Columns of which an entry's hash covers a digest, see :func:`covered`."""
DIGEST: Final = "sha256:"
"""How such a digest begins."""


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


def covered(content: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry's hash covers, and what its owner is shown to recompute it.

    Today all columns, of the unit key and the agent a digest together with the entry's id: the
    tenant must not read in its proof which company group of the agency's registry a unit is nor
    which hunter worked it, and equal ones of two entries do not look equal. Covering it again
    changes nothing. An entry of the first format covers the columns of its time as they are.
    """
    if content.get("format", FIRST) == FIRST:
        known = {name: value for name, value in content.items() if name not in LATER}
        # A later column that is filled is no content of its time: it shows as an edit.
        return {**known, **{name: content[name] for name in LATER if _is_filled(content, name)}}
    id_ = canonical(content["id"])
    return {**content, **{name: _commitment(id_, name, content[name]) for name in COMMITTED}}


def text_of(content: Mapping[str, Any]) -> str:
    """The canonical text that an entry's hash covers."""
    known = covered(content)
    return _shape(tuple(known)).text(known)


def seal(head: Head, content: Mapping[str, Any]) -> str:
    """The hash of the entry that follows ``head``."""
    return chained_text(head.hash, text_of(content))


def verify(links: Iterable[Link], head: Head | None, anchors: Iterable[Head] = ()) -> list[Finding]:
    """Everything that is wrong with a chain, in the order of the entries.

    Args:
        links: the stored entries by sequence number.
        head: the ledger's head; None if there is none.
        anchors: earlier heads, kept outside the database.
    """
    walk = Walk(anchors)
    for link in links:
        walk.step(link)
    return walk.end(head)


class Walk:
    """As :func:`verify`, for a chain that comes link by link (``take``) and is kept nowhere.

    Args:
        anchors: earlier heads, kept outside the database.
    """

    def __init__(self, anchors: Iterable[Head] = ()) -> None:
        self._anchors = sorted(set(anchors), key=lambda one: (one.sequence, one.hash))
        self._anchored = {one.sequence for one in self._anchors}
        self._seen: dict[int, str] = {EMPTY.sequence: EMPTY.hash}
        self._sequence, self._hash = EMPTY.sequence, EMPTY.hash
        self._findings: list[Finding] = []

    def step(self, link: Link) -> None:
        """Take the next stored entry by sequence number."""
        is_moved = link.content.get("sequence", link.sequence) != link.sequence
        text = None if is_moved else text_of(link.content)
        self.take(link.sequence, link.previous_hash, link.hash, text)

    def take(self, sequence: int, previous_hash: str, hash_: str, text: str | None) -> None:
        """As :meth:`step`, of an entry whose canonical text is known.

        Args:
            sequence: of the entry, as stored.
            previous_hash: as stored.
            hash_: as stored.
            text: as :func:`text_of`; None if its content is none that was ever sealed.
        """
        if sequence != self._sequence + 1:
            self._findings.append(_jump(self._sequence, sequence))
        if previous_hash != self._hash:
            self._find(Fault.DISPLACED, sequence, "it does not follow the entry before")
        if text is None or chained_text(previous_hash, text) != hash_:
            self._find(Fault.EDITED, sequence, "its content does not give its hash")
        if sequence in self._anchored:
            self._seen[sequence] = hash_
        self._sequence, self._hash = sequence, hash_

    def end(self, head: Head | None) -> list[Finding]:
        """The chain ends here: everything that was wrong, in the order of the entries.

        Args:
            head: the ledger's head; None if there is none.
        """
        end = head or EMPTY
        if end.sequence != self._sequence:
            detail = f"the head is at {end.sequence}, the last entry is {self._sequence}"
            self._find(Fault.HEAD, end.sequence, detail)
        elif end.hash != self._hash:
            self._find(Fault.HEAD, end.sequence, "the head has another hash than the last entry")
        for anchor in self._anchors:
            if self._seen.get(anchor.sequence) != anchor.hash:
                what = "another hash now" if anchor.sequence in self._seen else "gone"
                self._find(Fault.ANCHOR, anchor.sequence, f"an anchored entry is {what}")
        return self._findings

    def _find(self, fault: Fault, sequence: int, detail: str) -> None:
        self._findings.append(Finding(fault, sequence, detail))


def _is_filled(content: Mapping[str, Any], name: str) -> bool:
    return name != "format" and content.get(name) is not None


def _commitment(id_: str, name: str, value: object) -> str | None:
    """The digest of ``[id, name, value]``, the id as canonical text."""
    if value is None:
        return None
    text = str(value)
    if text.startswith(DIGEST):
        return text
    return f'{DIGEST}{digest_of_text(f"""[{id_},"{name}",{canonical(value)}]""")}'


@lru_cache(maxsize=16)
def _shape(names: tuple[str, ...]) -> Shape:
    return Shape(names)


def _jump(last: int, sequence: int) -> Finding:
    if sequence <= last:
        return Finding(Fault.REPEATED, sequence, f"it follows {last}")
    return Finding(Fault.MISSING, last + 1, f"{sequence - last - 1} entries are gone")
