"""Builders of candidates for the rules' tests: one who moves by himself, and parts to bend him."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flatbed.app.candidates.rules.fit import Fit
from flatbed.app.candidates.rules.gate_criteria import GateCriterion
from flatbed.app.candidates.rules.gates import check
from flatbed.app.candidates.rules.rubric import Rubric
from flatbed.app.candidates.rules.snapshot import (
    Author,
    CandidateSnapshot,
    ChannelRight,
    Contact,
    Evidence,
    Fact,
    PlanField,
    PlanName,
    PlanVersion,
)
from flatbed.app.candidates.rules.stages import CampaignState, EvidenceKind, Stage, Status
from flatbed.app.candidates.rules.touches import Provenance, Side, Touch, TouchClass, Verdict

ZONE = ZoneInfo("Europe/Berlin")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RUBRIC = Rubric(fit_floor=60, revenue_floor=50_000_000, currency="EUR")
CEO, SALES = UUID(int=1), UUID(int=2)
CHANNELS = ("letter", "email", "phone", "linkedin")
TIMELINE = json.loads(
    (Path(__file__).parents[2] / "golden" / "timeline.json").read_text(encoding="utf-8"),
)
SECOND = timedelta(seconds=1)


def day(number: float) -> datetime:
    """Return the instant of a simulated day."""
    return START + timedelta(days=number)


def make_fit(
    value: float = 67.8,
    low: float = 54.0,
    *,
    failed: tuple[str, ...] = (),
    unknown: tuple[str, ...] = (),
) -> Fit:
    """Return a fit with these figures."""
    return Fit(value, low, 81.5, (), None, failed, unknown)


def touch(number: int, at: datetime, cls: str, **changes: Any) -> Touch:
    """Return a touch: the partner's by system, ours attested; e-mail with the CEO."""
    ours = cls in {"push", "answer"}
    made = Touch(
        id=UUID(int=1000 + number),
        side=Side.AGENCY if ours else Side.PARTNER,
        proposed=TouchClass(cls),
        occurred_at=at,
        provenance=Provenance.ATTESTED if ours else Provenance.SYSTEM,
        contact_id=CEO,
        c_level=True,
        channel="email",
        elicited_by=None,
        unrequested_ask=False,
    )
    return replace(made, **changes)


def timeline_touches() -> tuple[Touch, ...]:
    """Return the touches of the golden timeline; number = day."""
    made = []
    for row in TIMELINE["touches"]:
        attested = row["provenance"].startswith("attested")
        one = touch(
            row["day"],
            day(row["day"]),
            row["class"],
            provenance=Provenance.ATTESTED if attested else Provenance.SYSTEM,
        )
        if "audited" in row["provenance"]:
            heard = Verdict("audit", one.proposed, None, day(int(row["provenance"].split()[-1])))
            one = replace(one, verdicts=(heard,))
        made.append(one)
    return tuple(made)


def evidence(number: int, kind: EvidenceKind, at: datetime, **changes: Any) -> Evidence:
    """Return a piece of evidence."""
    return replace(Evidence(UUID(int=2000 + number), kind, at), **changes)


def plan(number: int = 1, *, source: int = 35, **values: Any) -> PlanVersion:
    """Return a plan whose four fields the partner wrote in touch `source`."""
    named: dict[str, Any] = {
        "revenue_target": 60_000_000,
        "resources": "two consultants, one seller",
        "investment": 4_000_000,
        "start_date": "2026-06-01",
        **values,
    }
    return PlanVersion(
        UUID(int=3000 + number),
        number,
        tuple(
            PlanField(PlanName(name), value, Author.PARTNER, UUID(int=1000 + source))
            for name, value in named.items()
            if value is not None
        ),
    )


def self_driven(stage: Stage = Stage.BUSINESS_PLANNING, **changes: Any) -> CandidateSnapshot:
    """Return the candidate of the golden timeline, who passes every gate in his time."""
    made = CandidateSnapshot(
        stage=stage,
        status=Status.ACTIVE,
        campaign_state=CampaignState.RUNNING,
        zone=ZONE,
        fit=make_fit(),
        company_name="Nordlicht Systemhaus",
        domain="nordlicht.example",
        source="trade register",
        core_argument="Your maintenance margin falls while your customers ask for renewals.",
        touches=timeline_touches(),
        contacts=(Contact(CEO, c_level=True), Contact(SALES, c_level=False)),
        rights=tuple(
            ChannelRight(who, channel, day(0)) for who in (CEO, SALES) for channel in CHANNELS
        ),
        facts=tuple(
            Fact(
                UUID(int=4000 + number),
                source="https://nordlicht.example/news",
                observed_on=date(2026, 2, 20),
                trigger_on=date(2026, 2, 1) if number == 0 else None,
                angle=f"angle {number}",
            )
            for number in range(3)
        ),
        evidence=(
            evidence(
                1,
                EvidenceKind.OUTREACH_DELIVERED,
                day(8),
                touchpoint_id=UUID(int=1008),
                confirmed_by_lead=True,
            ),
            evidence(
                2,
                EvidenceKind.INTEREST_STATEMENT,
                day(14),
                statement="We want to sell managed services to our forty clinics this year.",
                touchpoint_id=UUID(int=1014),
            ),
            evidence(3, EvidenceKind.MEETING_HELD, day(24), partner_attendees=frozenset({CEO})),
            evidence(
                4,
                EvidenceKind.DECISION_STATEMENT,
                day(28),
                statement="We will build this practice and start in June.",
                role="CEO",
                contact_id=CEO,
                touchpoint_id=UUID(int=1028),
            ),
            evidence(5, EvidenceKind.AGREEMENT, day(40), plan_number=1),
            evidence(
                6,
                EvidenceKind.BUSINESS_ACTION,
                day(60),
                touchpoint_id=UUID(int=1060),
            ),
        ),
        plans=(plan(),),
    )
    made = replace(made, touches=(*made.touches, touch(60, day(60), "P3")))
    return replace(made, **changes)


def pushed(stage: Stage = Stage.BUSINESS_PLANNING, **changes: Any) -> CandidateSnapshot:
    """Return one who only reacts: pushed every four days, answering now and then."""
    pushes = [touch(n, day(n), "push") for n in range(0, 36, 4)]
    replies = [touch(n, day(n), "P1") for n in (9, 17, 25, 33)]
    return replace(self_driven(stage), touches=tuple(pushes + replies), **changes)


def without(snapshot: CandidateSnapshot, kind: EvidenceKind) -> CandidateSnapshot:
    """Return the candidate without evidence of a kind."""
    return replace(snapshot, evidence=tuple(e for e in snapshot.evidence if e.kind is not kind))


def with_evidence(
    snapshot: CandidateSnapshot, kind: EvidenceKind, **changes: Any
) -> CandidateSnapshot:
    """Return the candidate with his evidence of a kind changed."""
    return replace(
        snapshot,
        evidence=tuple(replace(e, **changes) if e.kind is kind else e for e in snapshot.evidence),
    )


def with_touches(snapshot: CandidateSnapshot, *more: Touch) -> CandidateSnapshot:
    """Return the candidate with further touches."""
    return replace(snapshot, touches=(*snapshot.touches, *more))


def msi_of(p3: int, p2: int, pushes: int, at: datetime) -> tuple[Touch, ...]:
    """Return fresh touches of different people: MSI = 100·P/(P+V+1) with whole P and V."""
    rows = ["P3"] * p3 + ["P2"] * p2 + ["push"] * pushes
    return tuple(
        touch(500 + n, at, cls, contact_id=UUID(int=700 + n)) for n, cls in enumerate(rows)
    )


# The day on which the candidate of the golden timeline enters each stage.
ENTRY_DAYS = {
    Stage.IDENTIFIED: 0,
    Stage.PROFILED: 0,
    Stage.TARGETED: 1,
    Stage.ENGAGED: 10,
    Stage.DISCOVERING: 15,
    Stage.EXECUTIVE_ALIGNED: 25,
    Stage.DECISION_IN_PRINCIPLE: 28,
    Stage.BUSINESS_PLANNING: 35,
    Stage.QUALIFIED: 36,
    Stage.CONTRACTED: 40,
    Stage.ACTIVATED: 60,
}


def failing(
    stage: Stage,
    snapshot: CandidateSnapshot,
    now: datetime | None = None,
    rubric: Rubric = RUBRIC,
) -> list[GateCriterion]:
    """Return the criteria of a stage that fail, by default on the timeline's day of entry."""
    at = now or day(ENTRY_DAYS[stage])
    return [result.criterion for result in check(stage, snapshot, rubric, at).failing]


def bent(
    number: int, snapshot: CandidateSnapshot | None = None, **changes: Any
) -> CandidateSnapshot:
    """Return the candidate with the touch of one day changed."""
    base = snapshot or self_driven()
    touches = tuple(
        replace(t, **changes) if t.id == UUID(int=1000 + number) else t for t in base.touches
    )
    return replace(base, touches=touches)


def audit(cls: TouchClass, elicited_by: UUID | None = None) -> Verdict:
    """Return a lead's verdict of day 33."""
    return Verdict("audit", cls, elicited_by, day(33))
