"""Compare what we collect with what is at Stripe. Pure: plain values in, findings out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

IN_FLIGHT: Final = timedelta(hours=1)
"""A draft that is younger may be one that is being made."""
ENDED: Final = frozenset({"void"})


@dataclass(frozen=True, slots=True)
class Ours:
    """What we collect: minor units, tax included in ``gross``. ``credited``: by credit notes."""

    subject: str
    part: int
    kind: str
    state: str
    error: str | None
    external_id: str | None
    external_status: str | None
    net: int
    gross: int
    credited: int = 0


@dataclass(frozen=True, slots=True)
class Theirs:
    """An invoice or credit note at Stripe. ``ours``: our invoice and part, from its metadata."""

    external_id: str
    kind: str
    status: str
    net: int
    gross: int
    created_at: datetime
    ours: tuple[str, int] | None
    credited: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A disagreement."""

    kind: str
    subject: str
    detail: Mapping[str, Any] = field(default_factory=dict)


def compare(ours: Iterable[Ours], theirs: Iterable[Theirs], now: datetime) -> list[Found]:
    """Every disagreement, once.

    Args:
        ours: all that we collect of an ISV.
        theirs: all that stands at Stripe for its customer.
        now: the provider's time, to tell a draft that was left from one that is being made.
    """
    mine = list(ours)
    there = {one.external_id: one for one in theirs}
    findings: list[Found] = []
    for one in mine:
        findings += _own(one, there)
    findings += _foreign(mine, there.values(), now)
    return findings


def _own(one: Ours, there: Mapping[str, Theirs]) -> Iterator[Found]:
    subject = f"{one.subject}/{one.part}"
    if one.state == "quarantined":
        yield Found("quarantined", subject, {"reason": one.error})
    if one.state != "done" or one.external_id is None:
        return
    found = there.get(one.external_id)
    if found is None:
        yield Found("missing", subject, {"external_id": one.external_id})
        return
    figures = {"net": (one.net, found.net), "gross": (one.gross, found.gross)}
    if one.kind == "invoice":
        figures["credited"] = (one.credited, found.credited)
    drift = {name: list(both) for name, both in figures.items() if both[0] != both[1]}
    if drift and found.status not in ENDED:
        yield Found("amount_drift", subject, drift)
    if found.status != one.external_status:
        states = {"ours": one.external_status, "theirs": found.status}
        yield Found("status_drift", subject, states)
    elif found.status in ENDED:
        yield Found("status_drift", subject, {"ours": "asked for", "theirs": found.status})


def _foreign(mine: list[Ours], there: Iterable[Theirs], now: datetime) -> Iterator[Found]:
    known = {one.external_id for one in mine if one.external_id is not None}
    places = {(one.subject, one.part): one for one in mine}
    for found in there:
        if found.external_id in known or found.status in ENDED:
            continue
        place = None if found.ours is None else places.get(found.ours)
        if place is not None and place.state == "pending":
            continue  # it is being made, or will be finished
        if found.status == "draft":
            if now - found.created_at > IN_FLIGHT:
                yield Found("orphan_draft", found.external_id, {"gross": found.gross})
            continue
        yield Found("unknown_invoice", found.external_id, {"gross": found.gross})
