"""What a touch counts for, once verdicts and the rules against gaming have been applied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal
from uuid import UUID

MEETING_CHANNEL: Final = "meeting"


class Side(StrEnum):
    """Who acted."""

    PARTNER = "partner"
    AGENCY = "agency"
    ISV = "isv"


class TouchClass(StrEnum):
    """How much initiative a touch shows: P0 to P3 of the partner, push or answer of ours."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    PUSH = "push"
    ANSWER = "answer"


class Provenance(StrEnum):
    """How we know of a touch; never sent by the caller."""

    ATTESTED = "attested"
    SYSTEM = "system"
    AUDITED = "audited"


PARTNER_CLASSES: Final = (TouchClass.P0, TouchClass.P1, TouchClass.P2, TouchClass.P3)
OUR_CLASSES: Final = (TouchClass.PUSH, TouchClass.ANSWER)
PROACTIVE: Final = frozenset({TouchClass.P2, TouchClass.P3})

# From the class that says least for the partner's own initiative to the one that says most.
# "Lowering" moves left, whoever's touch it is: a push weighs against MSI more than an answer.
_RANK: Final[Mapping[TouchClass, int]] = MappingProxyType(
    {cls: rank for order in (PARTNER_CLASSES, OUR_CLASSES) for rank, cls in enumerate(order)},
)
# Which of one person's touches of a day stands: eighths of a P3, halved when attested. So the
# highest class stands, but what we only attest never hides what the system saw of equal weight.
_STANDING: Final[Mapping[TouchClass, int]] = MappingProxyType(
    {TouchClass.P0: 0, TouchClass.P1: 2, TouchClass.P2: 8, TouchClass.P3: 16},
)


def classes_of(side: Side) -> tuple[TouchClass, ...]:
    """Return the classes a touch of this side may have, lowest first."""
    return PARTNER_CLASSES if side is Side.PARTNER else OUR_CLASSES


def is_lower(lowered: TouchClass, current: TouchClass) -> bool:
    """Say whether `lowered` speaks less for the partner's initiative than `current`.

    Raises ValueError when one is a partner's class and the other is ours.
    """
    if (lowered in OUR_CLASSES) != (current in OUR_CLASSES):
        message = f"{lowered} and {current} are classes of different sides"
        raise ValueError(message)
    return _RANK[lowered] < _RANK[current]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A later word on a touch: an auditor's replaces, a lowering only lowers."""

    kind: Literal["audit", "lowering"]
    touch_class: TouchClass
    elicited_by: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Touch:
    """One contact in either direction, as recorded.

    Raises ValueError for a naive time, a class of the other side (its verdicts' too), or a
    recorded provenance `audited`, which only a verdict can give.
    """

    id: UUID
    side: Side
    proposed: TouchClass
    occurred_at: datetime
    provenance: Provenance
    contact_id: UUID | None
    c_level: bool
    channel: str
    elicited_by: UUID | None
    unrequested_ask: bool
    verdicts: tuple[Verdict, ...] = ()
    text: str = ""
    in_reply_to: UUID | None = None
    recorded_at: datetime | None = None

    def __post_init__(self) -> None:
        """Reject what could only come from a bug in the caller."""
        allowed = classes_of(self.side)
        if any(c not in allowed for c in (self.proposed, *(v.touch_class for v in self.verdicts))):
            message = f"a touch of side {self.side} has one of {', '.join(allowed)}"
            raise ValueError(message)
        if any(t.utcoffset() is None for t in (self.occurred_at, *(v.at for v in self.verdicts))):
            message = "times of touches and verdicts are aware"
            raise ValueError(message)
        if self.provenance is Provenance.AUDITED:
            message = "audited comes from a verdict, never from the record"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class EffectiveTouch:
    """A touch with the class, provenance and weight-or-not that the rules leave it.

    `counted` says whether it weighs in MSI. An uncounted touch stays visible, and an uncounted
    push of ours in a meeting still interrupts hands-off (`is_our_push`).
    """

    touch: Touch
    cls: TouchClass
    provenance: Provenance
    counted: bool
    elicited: bool

    @property
    def is_proactive(self) -> bool:
        """A counted P2 or P3 of the partner."""
        return self.counted and self.cls in PROACTIVE

    @property
    def is_proven(self) -> bool:
        """System or audited: fit for a billing gate, where attested never is."""
        return self.provenance is not Provenance.ATTESTED

    @property
    def is_our_push(self) -> bool:
        """A push by hunter or agency; the ISV's own pushes do not interrupt."""
        return self.touch.side is Side.AGENCY and self.cls is TouchClass.PUSH


def effective(
    touches: Sequence[Touch],
    zone: tzinfo,
    *,
    at: datetime | None = None,
) -> tuple[EffectiveTouch, ...]:
    """Apply verdicts and the rules against gaming; ordered by (occurred_at, id).

    `zone` is the tenant's: one person counts once a tenant-local day, at the highest class.
    With `at`, the state as of that moment: later touches are left out, later verdicts unheard.
    """
    judged = [
        _judge(touch, at)
        for touch in sorted(touches, key=lambda t: (t.occurred_at, t.id))
        if at is None or touch.occurred_at <= at
    ]
    best: dict[tuple[UUID | None, date], EffectiveTouch] = {}
    for one in judged:
        if one.counted and one.touch.side is Side.PARTNER:
            key = _person_day(one, zone)
            # Of equals the latest: were it the earliest, lowering that one would raise MSI.
            if key not in best or _standing(one) >= _standing(best[key]):
                best[key] = one
    kept = {one.touch.id for one in best.values()}
    return tuple(
        replace(one, counted=False)
        if one.touch.side is Side.PARTNER and one.touch.id not in kept
        else one
        for one in judged
    )


def _judge(touch: Touch, at: datetime | None) -> EffectiveTouch:
    cls, elicited_by, provenance = touch.proposed, touch.elicited_by, touch.provenance
    for verdict in sorted(touch.verdicts, key=_verdict_order):
        if at is not None and verdict.at > at:
            break
        if verdict.kind == "audit":
            cls, elicited_by = verdict.touch_class, verdict.elicited_by
            provenance = Provenance.AUDITED
            continue
        if is_lower(verdict.touch_class, cls):
            cls = verdict.touch_class
        # A lowering may name what elicited the touch; clearing that would raise it.
        elicited_by = elicited_by or verdict.elicited_by
    elicited = touch.side is Side.PARTNER and elicited_by is not None
    if elicited and cls in PROACTIVE:
        cls = TouchClass.P1
    if cls is TouchClass.ANSWER and touch.unrequested_ask:
        cls = TouchClass.PUSH
    counted = touch.channel != MEETING_CHANNEL and touch.side is not Side.ISV
    return EffectiveTouch(touch, cls, provenance, counted, elicited)


def _verdict_order(verdict: Verdict) -> tuple[datetime, bool, int, bool]:
    # At one instant the less favourable word comes last, whatever order the rows arrive in.
    return (
        verdict.at,
        verdict.kind == "lowering",
        -_RANK[verdict.touch_class],
        verdict.elicited_by is not None,
    )


def _person_day(one: EffectiveTouch, zone: tzinfo) -> tuple[UUID | None, date]:
    # Nameless touches share one anonymous person: leaving the name out gains nothing.
    return one.touch.contact_id, one.touch.occurred_at.astimezone(zone).date()


def _standing(one: EffectiveTouch) -> tuple[int, bool]:
    points = _STANDING[one.cls]
    return (points if one.is_proven else points // 2), one.is_proven
