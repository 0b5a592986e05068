"""A snapshot seen at one moment under one rubric: the readings that several gates share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final
from uuid import UUID

from flatbed.app.candidates.rules.gate_criteria import (
    CriterionResult,
    GateCriterion,
    Ref,
    RefKind,
)
from flatbed.app.candidates.rules.initiative import msi
from flatbed.app.candidates.rules.rubric import Rubric
from flatbed.app.candidates.rules.snapshot import (
    Author,
    CandidateSnapshot,
    Contact,
    Evidence,
    PlanField,
    PlanVersion,
)
from flatbed.app.candidates.rules.stages import EvidenceKind
from flatbed.app.candidates.rules.touches import (
    MEETING_CHANNEL,
    EffectiveTouch,
    Side,
    TouchClass,
    effective,
)

# What was said there is no written statement.
SPOKEN_CHANNELS: Final = frozenset({MEETING_CHANNEL, "phone", "event"})
# Scores are floats: 59.999999999999 is a 60 that arithmetic has bruised.
_DIGITS: Final = 6


def reaches(score: float, bound: float) -> bool:
    """Say whether a score is at or above a bound, to six digits."""
    return round(score, _DIGITS) >= bound


@dataclass(frozen=True)
class Situation:
    """What the gates judge: nothing after `now` exists, touches are effective as of `now`."""

    snapshot: CandidateSnapshot
    rubric: Rubric
    now: datetime

    @cached_property
    def touches(self) -> tuple[EffectiveTouch, ...]:
        """All touches up to now with their effective class, in order of time."""
        return effective(self.snapshot.touches, self.snapshot.zone, at=self.now)

    @cached_property
    def msi(self) -> float:
        """Mutual Self Interest now, 0 to 100."""
        return msi(self.touches, self.now, self.rubric.initiative).value

    @cached_property
    def inbound(self) -> Mapping[UUID, EffectiveTouch]:
        """The partner's touches that say something, by id: an open or auto-reply does not."""
        return {
            t.touch.id: t
            for t in self.touches
            if t.touch.side is Side.PARTNER and t.cls is not TouchClass.P0
        }

    @cached_property
    def proactive(self) -> tuple[EffectiveTouch, ...]:
        """Counted P2 and P3 touches."""
        return tuple(t for t in self.touches if t.is_proactive)

    @cached_property
    def attempts(self) -> tuple[EffectiveTouch, ...]:
        """The agency's pushes; an answer with an ask nobody requested is one, a meeting is not."""
        return tuple(t for t in self.touches if t.is_our_push and t.counted)

    @cached_property
    def contacts(self) -> Mapping[UUID, Contact]:
        """The partner's people by id."""
        return {contact.id: contact for contact in self.snapshot.contacts}

    @cached_property
    def plan(self) -> PlanVersion | None:
        """The newest plan version."""
        return max(self.snapshot.plans, key=lambda plan: plan.number, default=None)

    def evidence(self, kind: EvidenceKind) -> tuple[Evidence, ...]:
        """Return the evidence of a kind up to now, oldest first."""
        known = (e for e in self.snapshot.evidence if e.kind is kind and e.occurred_at <= self.now)
        return tuple(sorted(known, key=lambda e: (e.occurred_at, e.id)))

    def spoken_by_partner(self, evidence: Evidence) -> EffectiveTouch | None:
        """Return the inbound touch that carries a statement; None if the statement has none."""
        if not (evidence.statement or "").strip() or evidence.touchpoint_id is None:
            return None
        return self.inbound.get(evidence.touchpoint_id)

    @cached_property
    def decisions(self) -> tuple[tuple[Evidence, datetime, Contact | None], ...]:
        """Written decision statements with role: each with its date and who made it.

        The date is not before the touch that carries it: hands-off cannot begin earlier. Nor,
        while only our own people attest it, before they said so: a decision of today that is
        logged as old as the rules allow would already lie 168 hours back.
        """
        found: list[tuple[Evidence, datetime, Contact | None]] = []
        for one in self.evidence(EvidenceKind.DECISION_STATEMENT):
            carrier = self.spoken_by_partner(one)
            if carrier is None or carrier.touch.channel in SPOKEN_CHANNELS:
                continue
            if not (one.role or "").strip():
                continue
            # Two names on one statement: nobody is known to have made it.
            names = [n for n in (one.contact_id, carrier.touch.contact_id) if n is not None]
            who = self.contacts.get(names[0]) if len(set(names)) == 1 else None
            dates = [one.occurred_at, carrier.touch.occurred_at]
            if not carrier.is_proven and carrier.touch.recorded_at is not None:
                dates.append(carrier.touch.recorded_at)
            found.append((one, max(dates), who))
        return tuple(sorted(found, key=lambda item: (item[1], item[0].id)))

    @cached_property
    def interests(self) -> tuple[Evidence, ...]:
        """Interest statements that an inbound touch of the partner carries."""
        return tuple(
            one
            for one in self.evidence(EvidenceKind.INTEREST_STATEMENT)
            if self.spoken_by_partner(one) is not None
        )

    def partner_fields(self, plan: PlanVersion) -> tuple[PlanField, ...]:
        """Return the named fields that the partner wrote: those an inbound touch is source of."""
        return tuple(
            field
            for field in plan.fields
            if field.author is Author.PARTNER
            and field.is_named
            and field.source_touchpoint_id in self.inbound
        )

    def objected(self, contact_id: UUID | None, channel: str, at: datetime) -> bool:
        """Say whether an objection forbade reaching a person over a channel at a moment."""
        return any(o.stands(at) and o.covers(contact_id, channel) for o in self.snapshot.objections)

    def has_right(self, contact_id: UUID | None, channel: str, at: datetime) -> bool:
        """Say whether a right had been recorded by then."""
        return any(
            r.contact_id == contact_id and r.channel == channel and r.recorded_at <= at
            for r in self.snapshot.rights
        )

    @cached_property
    def lawful_contacts(self) -> frozenset[UUID]:
        """The people whom some channel lawfully reaches now."""
        return frozenset(
            right.contact_id
            for right in self.snapshot.rights
            if right.recorded_at <= self.now
            and right.contact_id in self.contacts
            and not self.objected(right.contact_id, right.channel, self.now)
        )

    def result(
        self,
        criterion: GateCriterion,
        detail: str,
        refs: Iterable[Ref] = (),
        *,
        passed: bool,
    ) -> CriterionResult:
        """Return a criterion's outcome under this rubric."""
        return CriterionResult(criterion, self.rubric.version, passed, tuple(refs), detail)


def evidence_refs(items: Iterable[Evidence]) -> tuple[Ref, ...]:
    """Refer to evidence."""
    return tuple(Ref(RefKind.EVIDENCE, item.id) for item in items)


def touch_refs(items: Iterable[EffectiveTouch]) -> tuple[Ref, ...]:
    """Refer to touchpoints."""
    return tuple(Ref(RefKind.TOUCHPOINT, item.touch.id) for item in items)
